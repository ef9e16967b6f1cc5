"""Components: their state in words, and the reasons that kubelet and scheduler give."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.components import (
    control_planes,
    node_agents,
    webhooks,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injector_config import chart_globals
from unit.support.clusters import Made, istiod, made, snapshot

LABELS = {"app": "istiod", "istio.io/rev": "default"}
PULL = {"name": "discovery", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}
STARTING = {"name": "discovery", "state": {"waiting": {"reason": "ContainerCreating"}}}
FULL = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available"}


def pod(name: str, **status: Any) -> Made:
    return made("Pod", f"istio-system/{name}", metadata={"labels": LABELS}, spec={"containers": []}, status=status)


def test_a_control_plane_that_works() -> None:
    (found,) = control_planes(snapshot(istiod("1.29.1"), pod("a", containerStatuses=[PULL])))
    assert (found["ready"], found["version"], found["revision"], found["reasons"]) == (True, "1.29.1", "default", [])


@pytest.mark.parametrize(
    ("status", "reasons"),
    [
        ({"containerStatuses": [PULL]}, ["discovery: ImagePullBackOff: Back-off pulling image"]),
        ({"conditions": [FULL]}, ["Unschedulable: 0/3 nodes are available"]),
        ({"containerStatuses": [STARTING]}, []),
        ({}, []),
    ],
)
def test_one_that_does_not_says_why_once(status: Made, reasons: list[str]) -> None:
    (found,) = control_planes(snapshot(istiod("1.29.1", ready=False), pod("a", **status), pod("b", **status)))
    assert (found["ready"], found["reasons"]) == (False, reasons)


@pytest.mark.parametrize(
    ("available", "updated", "generation", "ready", "state"),
    [
        (2, 2, 1, True, "2 of 2 nodes available, 2 updated"),
        (1, 2, 1, False, "1 of 2 nodes available, 2 updated"),
        (2, 1, 1, False, "2 of 2 nodes available, 1 updated"),
        (2, 2, 0, False, "its controller has not seen the change yet"),
    ],
)
def test_node_agents(available: int, updated: int, generation: int, ready: bool, state: str) -> None:
    status = {
        "desiredNumberScheduled": 2,
        "numberAvailable": available,
        "updatedNumberScheduled": updated,
        "observedGeneration": generation,
    }
    template = {"metadata": {}, "spec": {"containers": [{"name": "z", "image": "istio/ztunnel:1.29.1"}]}}
    spec = {"template": template, "selector": {"matchLabels": {"app": "ztunnel"}}}
    agent = made("DaemonSet", "istio-system/ztunnel", metadata={"generation": 1}, spec=spec, status=status)
    (found,) = node_agents(snapshot(agent))
    assert (found["component"], found["version"]) == ("ztunnel", "1.29.1")
    assert (found["ready"], found["state"]) == (ready, state)


@pytest.mark.parametrize("values", [None, "", "{", "[]", '{"global": 1}', "{}"])
def test_broken_values_of_an_injector_tell_nothing(values: str | None) -> None:
    assert chart_globals(made("ConfigMap", "a/b", data={"values": values} if values is not None else None)) == {}


OPEN = {"name": "a", "clientConfig": {"service": {}}, "failurePolicy": "Ignore"}
CLOSED = {**OPEN, "failurePolicy": "Fail"}
WITH_CA = {"clientConfig": {"service": {}, "caBundle": "x"}}


@pytest.mark.parametrize(
    ("hook", "remote", "ready"),
    [
        (OPEN, {"default"}, True),
        (OPEN, {"canary"}, False),
        (OPEN, (), False),
        (CLOSED, {"default"}, False),
        ({**CLOSED, **WITH_CA}, {"default"}, True),
    ],
)
def test_a_validator_without_its_istiod_stays_open(hook: Made, remote: Any, ready: bool) -> None:
    labels = {"labels": {"istio.io/rev": "default"}}
    (found,) = webhooks(snapshot(made("ValidatingWebhookConfiguration", "v", metadata=labels, webhooks=[hook])), remote)
    assert found["ready"] is ready
    assert bool(found["state"]) is (hook is OPEN or not ready)
