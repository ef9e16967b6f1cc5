"""What has to restart now, and what after namespaces have moved to a revision that is only planned."""

from __future__ import annotations

from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.restarts import laid_over, moved, restarts
from unit.support.clusters import Made, injector, istiod, namespace, pod, snapshot, workload

VERSIONS = {"default": "1.29.1", "r2": "1.31.0"}
ENABLED = namespace("web", istio_injection="enabled")


def owned(place: str, kind: str, name: str, version: str = "1.29.1") -> Made:
    found = pod(place, "default", version)
    owner = {"kind": kind, "name": name}
    if kind == "Deployment":
        found["metadata"]["labels"]["pod-template-hash"] = "77"
        owner = {"kind": "ReplicaSet", "name": f"{name}-77"}
    if kind == "Rollout":
        found["metadata"]["labels"]["rollouts-pod-template-hash"] = "77"
        owner = {"kind": "ReplicaSet", "name": f"{name}-77"}
    found["metadata"]["ownerReferences"] = [owner]
    return found


def told(found: Any) -> list[tuple[str, str, int, str, bool]]:
    return [(one.kind, one.name, one.pods, one.how, one.gateway) for one in found]


def test_what_runs_the_proxy_of_today_needs_no_restart() -> None:
    cluster = snapshot(istiod("1.29.1"), injector(), ENABLED, owned("web/a-1", "Deployment", "a"))
    assert restarts(cluster, VERSIONS) == []


def test_each_workload_once_with_its_pods_and_how() -> None:
    old = "1.28.3"
    edge = workload("Deployment", "web/edge")
    edge["spec"]["template"]["metadata"]["annotations"] = {"inject.istio.io/templates": "gateway"}
    by_hand = workload("StatefulSet", "web/db")
    by_hand["spec"]["updateStrategy"] = {"type": "OnDelete"}
    pods = [
        owned("web/edge-1", "Deployment", "edge", old),
        owned("web/a-1", "Deployment", "a", old),
        owned("web/a-2", "Deployment", "a", old),
        owned("web/db-0", "StatefulSet", "db", old),
        owned("web/agent-1", "DaemonSet", "agent", old),
        owned("web/once-1", "Job", "once", old),
        owned("web/canary-1", "Rollout", "canary", old),
        pod("web/bare", "default", old),
    ]
    there = (edge, by_hand, workload("Deployment", "web/a"), workload("DaemonSet", "web/agent"))
    assert told(restarts(snapshot(istiod("1.29.1"), injector(), ENABLED, *there, *pods), VERSIONS)) == [
        ("DaemonSet", "agent", 1, "restart", False),
        ("Deployment", "a", 2, "restart", False),
        ("Job", "once", 1, "by_hand", False),
        ("Pod", "bare", 1, "by_hand", False),
        ("Rollout", "canary", 1, "by_hand", False),
        ("StatefulSet", "db", 1, "delete_pods", False),
        ("Deployment", "edge", 1, "restart", True),
    ]


def test_namespaces_that_move_to_a_planned_revision() -> None:
    cluster = snapshot(istiod("1.29.1"), injector(), ENABLED, namespace("other"), owned("web/a-1", "Deployment", "a"))
    planned = laid_over(cluster, [injector("r2")])
    assert restarts(planned, VERSIONS) == []
    (restart,) = restarts(moved(planned, ["web"], "r2"), VERSIONS)
    assert (restart.name, restart.reason) == ("a", "its proxy is of revision default, and would be of r2")
    assert restart.told()["how"] == "restart"


def test_planned_objects_stand_in_the_place_of_those_that_they_change() -> None:
    cluster = laid_over(snapshot(istiod("1.28.3"), ENABLED), [istiod("1.29.1"), istiod("1.31.0", "r2")])
    images = [item["spec"]["template"]["spec"]["containers"][0]["image"] for item in cluster.objects["Deployment.apps"]]
    assert images == ["docker.io/istio/pilot:1.29.1", "docker.io/istio/pilot:1.31.0"]
