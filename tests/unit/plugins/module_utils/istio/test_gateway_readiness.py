"""When a gateway works: Pods with a proxy, a Service that leads to them, and an address."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.gateway_injection import MADE_FOR
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.gateway_readiness import leads_to, not_injected
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.networks import addresses_of
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import Verdict
from unit.support.clusters import Made, made
from unit.support.gateways import workload


def pod(name: str, image: str, made_for: str) -> Made:
    containers = [{"name": "istio-proxy", "image": image}]
    return made("Pod", f"web/{name}", metadata={"annotations": {MADE_FOR: made_for}}, spec={"containers": containers})


def test_a_pod_without_a_proxy_has_the_charts_image() -> None:
    found = workload(annotations={MADE_FOR: "r2/1.31.0"})
    pods = [
        pod("right", "docker.io/istio/proxyv2:1.31.0", "r2/1.31.0"),
        pod("bare", "auto", "r2/1.31.0"),
        pod("leaving", "auto", "r1/1.29.1"),
    ]
    assert [each["metadata"]["name"] for each in not_injected(found, pods)] == ["bare"]


def slices(*endpoints: tuple[str, bool | None]) -> list[Made]:
    return [
        {"endpoints": [{"targetRef": {"name": name}, "conditions": {"ready": ready}} for name, ready in endpoints]},
        {"endpoints": None},
    ]


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (slices(("new", True)), Verdict(ready=True)),
        (slices(("new", None)), Verdict(ready=True)),
        (slices(("new", False)), Verdict(state="no endpoint is ready yet")),
        (slices(), Verdict(state="no endpoint is ready yet")),
        (slices(("new", True), ("old", True)), Verdict(state="it still leads to old")),
    ],
)
def test_a_service_has_moved_when_it_leads_to_new_pods_alone(found: list[Made], verdict: Verdict) -> None:
    assert leads_to(found, {"new"}) == verdict


@pytest.mark.parametrize(
    ("service", "addresses"),
    [
        (None, []),
        ({"spec": {}}, []),
        ({"spec": {"externalIPs": ["192.0.2.7"]}, "status": {"loadBalancer": {}}}, ["192.0.2.7"]),
        (
            {
                "spec": {},
                "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}]}},
            },
            ["192.0.2.1", "lb.example.com"],
        ),
    ],
)
def test_an_address_is_told_when_there_is_one(service: dict[str, Any] | None, addresses: list[str]) -> None:
    assert addresses_of(service) == addresses
