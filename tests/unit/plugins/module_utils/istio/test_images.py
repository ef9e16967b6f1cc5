"""Images by containers and by injection."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.images import images_of
from unit.support.clusters import Made, istiod, made, workload


def injector(**values: Any) -> Made:
    content = {"values": json.dumps({"global": {"hub": "docker.io/istio", "tag": "1.29.1", **values}})}
    return made("ConfigMap", "istio-system/istio-sidecar-injector-r1", data=content)


def test_containers_of_every_kind_of_workload() -> None:
    nightly = workload("CronJob", "web/nightly")
    template = nightly["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    template["containers"] = [{"name": "a", "image": "a:1"}]
    template["initContainers"] = [{"name": "b", "image": "b:1"}]
    pod = made("Pod", "web/p", spec={"containers": [{"name": "c", "image": "c:1"}]})
    gateway = workload("Deployment", "web/g")
    gateway["spec"]["template"]["spec"]["containers"] = [{"name": "istio-proxy", "image": "auto"}]
    assert images_of([istiod("1.29.1"), nightly, pod, gateway, made("Service", "web/s", spec={"ports": []})]) == [
        "a:1",
        "b:1",
        "c:1",
        "docker.io/istio/pilot:1.29.1",
    ]


@pytest.mark.parametrize(
    ("values", "images"),
    [
        ({}, ["docker.io/istio/proxyv2:1.29.1"]),
        ({"variant": "distroless"}, ["docker.io/istio/proxyv2:1.29.1-distroless"]),
        ({"variant": "debug", "tag": "1.29.1-distroless"}, ["docker.io/istio/proxyv2:1.29.1-debug"]),
        ({"variant": "default", "tag": "1.29.1-distroless"}, ["docker.io/istio/proxyv2:1.29.1"]),
        ({"proxy": {"image": "own/proxy:7"}}, ["docker.io/istio/proxyv2:1.29.1", "own/proxy:7"]),
        ({"proxy": {"image": "envoy"}, "proxy_init": {"image": "envoy"}}, ["docker.io/istio/envoy:1.29.1"]),
    ],
)
def test_the_image_of_the_proxy_is_named_as_the_injector_names_it(values: Made, images: list[str]) -> None:
    assert images_of([injector(**values)]) == images


def test_other_config_maps_name_no_image() -> None:
    assert images_of([made("ConfigMap", "istio-system/istio", data={"mesh": "a: b"})]) == []
