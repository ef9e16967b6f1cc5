"""Pods: what they run with, and which a restart would change, decided by the webhooks' own selectors."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.desired_proxies import pending, pods_told
from unit.support.clusters import Made, injector, namespace, of_revision, pod, snapshot

VERSIONS = {"default": "1.29.1", "canary": "1.31.0"}
WEBHOOKS = (injector(), injector("canary"), injector("canary", "prod"))
ENABLED, PLAIN = namespace("web", istio_injection="enabled"), namespace("web")


def reasons(*objects: Made) -> list[str]:
    return [found.reason for found in pending(snapshot(*WEBHOOKS, *objects), VERSIONS)]


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ([ENABLED, pod("web/a")], "it has no proxy and would get one of revision default"),
        ([ENABLED, pod("web/a", "default", "1.28.3")], "its proxy is 1.28.3, and would be 1.29.1"),
        ([ENABLED, pod("web/a", "default", inject="false")], "it has a proxy of revision default and would get none"),
        (
            [of_revision("web", "canary"), pod("web/a", "default")],
            "its proxy is of revision default, and would be of canary",
        ),
        (
            [of_revision("web", "prod"), pod("web/a", "default")],
            "its proxy is of revision default, and would be of canary",
        ),
        ([PLAIN, pod("web/a", revision="canary")], "it has no proxy and would get one of revision canary"),
        ([PLAIN, pod("web/a", "default")], "it has a proxy of revision default and would get none"),
    ],
)
def test_a_restart_would_change_it(objects: list[Made], reason: str) -> None:
    assert reasons(*objects) == [reason]


@pytest.mark.parametrize(
    "objects",
    [
        [ENABLED, pod("web/a", "default")],
        [ENABLED, pod("web/a", phase="Succeeded")],
        [PLAIN, pod("web/a")],
        [namespace("kube-system", istio_injection="enabled"), pod("kube-system/a")],
        [of_revision("web", "gone"), pod("web/a")],
        [of_revision("web", "prod"), pod("web/a", "canary", "1.31.0")],
        [ENABLED, {**pod("web/a"), "spec": {"hostNetwork": True, "containers": []}}],
    ],
)
def test_a_restart_would_change_nothing(objects: list[Made]) -> None:
    assert reasons(*objects) == []


def test_the_numbers() -> None:
    replica = {"kind": "ReplicaSet", "name": "a-77"}
    waiting = pod("web/w", "default", "1.28.3")
    waiting["metadata"] |= {"ownerReferences": [replica], "labels": {"pod-template-hash": "77"}}
    told = pods_told(snapshot(*WEBHOOKS, ENABLED, pod("web/a", "default"), pod("web/b"), waiting), VERSIONS)
    assert (told["total"], told["injected"], told["pending"]) == (3, 2, 2)
    assert told["versions"] == {"1.28.3": 1, "1.29.1": 1}
    assert told["pending_pods"][1] == {
        "namespace": "web",
        "name": "w",
        "owner": "Deployment a",
        "reason": "its proxy is 1.28.3, and would be 1.29.1",
    }


def test_another_owner_is_told_as_it_is() -> None:
    item = pod("web/w")
    item["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "once"}]
    (found,) = pending(snapshot(*WEBHOOKS, ENABLED, item), VERSIONS)
    assert found.owner == "Job once"
