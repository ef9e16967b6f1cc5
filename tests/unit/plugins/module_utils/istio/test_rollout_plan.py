"""Which workloads restart, in which wave, and what is left alone and why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_plan import FREEZE, plan_rollout
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_pods import Judge
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_waves import Claims, Wave, checked_waves
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_world import world_of
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.snapshot import Snapshot

Made = dict[str, Any]
MADE, LATER = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"
HOOK = {
    "name": "rev.namespace.sidecar-injector.istio.io",
    "namespaceSelector": {"matchLabels": {"istio.io/rev": "r2"}},
    "objectSelector": {},
    "clientConfig": {"service": {"name": "istiod-r2", "namespace": "istio-system"}},
}
WEBHOOK = {
    "kind": "MutatingWebhookConfiguration",
    "metadata": {"name": "injector-r2", "labels": {"istio.io/rev": "r2"}},
    "webhooks": [HOOK],
}


def space(name: str, **more: Any) -> Made:
    labels = {"istio.io/rev": "r2", **more.pop("labels", {})}
    return {"kind": "Namespace", "metadata": {"name": name, "labels": labels}, **more}


def workload(name: str = "shop", kind: str = "Deployment", place: str = "web", **spec: Any) -> Made:
    labels = spec.pop("labels", {})
    restarted = spec.pop("restarted", "")
    template: Made = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "app"}]}}
    metadata: Made = {"name": name, "namespace": place, "generation": 1, "labels": labels}
    if restarted:
        fields: Made = {"f:kubectl.kubernetes.io/restartedAt": {}}
        for step in ("f:annotations", "f:metadata", "f:template", "f:spec"):
            fields = {step: fields}
        metadata["managedFields"] = [{"manager": "kubectl-rollout", "time": restarted, "fieldsV1": fields}]
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    status = spec.pop("status", {"observedGeneration": 1, **dict.fromkeys(counts, 3)})
    whole = {"replicas": 3, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": whole, "status": status}


def pod(name: str = "shop", owner: str = "ReplicaSet", place: str = "web", revision: str = "r1", **more: Any) -> Made:
    behind = f"{name}-77f6" if owner == "ReplicaSet" else name
    references = [{"kind": owner, "name": behind}] if owner else []
    metadata = {"name": f"{behind}-1", "namespace": place, "creationTimestamp": more.pop("made", MADE)}
    labels = {"app": name, "pod-template-hash": "77f6"}
    annotations = {"istio.io/rev": revision, "sidecar.istio.io/status": "{}"}
    marks = {"labels": labels, "annotations": annotations, "ownerReferences": references}
    containers = [{"name": "istio-proxy", "image": "proxyv2:1.29.1"}]
    return {"kind": "Pod", "metadata": {**metadata, **marks, **more}, "spec": {"containers": containers}}


def planned(
    *found: Made, waves: tuple[Wave, ...] = (), allow_downtime: bool = False, pods: tuple[str, ...] = ()
) -> Made:
    objects: dict[str, list[Made]] = {"MutatingWebhookConfiguration.admissionregistration.k8s.io": [WEBHOOK]}
    groups = {"Deployment": ".apps", "StatefulSet": ".apps", "DaemonSet": ".apps", "PodDisruptionBudget": ".policy"}
    for one in found:
        objects.setdefault(f"{one['kind']}{groups.get(one['kind'], '')}", []).append(one)
    snapshot = Snapshot("east", "v1.34.4", objects)
    judge = replace(Judge.of(snapshot, {"r2": "1.31.0"}), named=frozenset(pods))
    plan = plan_rollout(world_of(snapshot), judge, Claims(checked_waves(waves), {}), allow_downtime)
    return plan.told("planned")


def names(plan: Made) -> list[list[str]]:
    return [[row["name"] for row in wave["workloads"]] for wave in plan["waves"]]


def left(plan: Made) -> list[tuple[str, str, str]]:
    return [(row["kind"], row["name"], row["how"]) for row in plan["left"]["workloads"]]


def test_what_is_named_restarts_as_well() -> None:
    same = pod(revision="r2")
    same["spec"]["containers"][0]["image"] = "proxyv2:1.31.0"
    assert names(planned(space("web"), workload(), same)) == [[]]
    plan = planned(space("web"), workload(), same, pods=("web/shop-77f6-1", "web/gone"))
    assert [row["reason"] for row in plan["waves"][0]["workloads"]] == ["its Pods were named"]


def test_what_differs_restarts_and_nothing_else() -> None:
    plan = planned(space("web"), workload(), workload("cart"), pod(), pod("cart", revision="r2"))
    reasons = {row["name"]: row["reason"] for row in plan["waves"][0]["workloads"]}
    assert reasons == {
        "shop": "its proxy is of revision r1, and would be of r2",
        "cart": "its proxy is 1.29.1, and would be 1.31.0",
    }
    renewed = pod("cart", revision="r2")
    renewed["spec"]["containers"][0]["image"] = "proxyv2:1.31.0"
    assert names(planned(space("web"), workload(), workload("cart"), pod(), renewed)) == [["shop"]]
    assert names(planned(space("web"), workload("cart"), renewed)) == [[]]


@pytest.mark.parametrize(
    ("found", "how"),
    [
        ([pod(owner="")], ("Pod", "shop-1", "by_hand")),
        ([pod(owner="Job")], ("Job", "shop", "by_hand")),
        ([pod(owner="CloneSet")], ("CloneSet", "shop", "by_hand")),
        ([pod()], ("Deployment", "shop", "by_hand")),
        ([workload(labels={FREEZE: "true"}), pod()], ("Deployment", "shop", "frozen")),
        ([workload(paused=True), pod()], ("Deployment", "shop", "paused")),
        (
            [workload(kind="DaemonSet", updateStrategy={"type": "OnDelete"}), pod(owner="DaemonSet")],
            ("DaemonSet", "shop", "delete_pods"),
        ),
        (
            [
                workload(kind="StatefulSet", updateStrategy={"rollingUpdate": {"partition": 2}}),
                pod(owner="StatefulSet"),
            ],
            ("StatefulSet", "shop", "partition"),
        ),
        ([workload(strategy={"type": "Recreate"}), pod()], ("Deployment", "shop", "downtime")),
    ],
)
def test_what_is_left_alone(found: list[Made], how: tuple[str, str, str]) -> None:
    named = [{**one, "metadata": {**one["metadata"], "name": "shop-1"}} if how[0] == "Pod" else one for one in found]
    plan = planned(space("web"), *named)
    assert (names(plan), left(plan)) == ([[]], [how])


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (pod(owner=""), "nobody makes its Pods again"),
        (pod(owner="Job"), "a Job does not restart"),
        (pod(owner="CloneSet"), "only its own tools restart a CloneSet"),
        (pod(), "it is gone, and its Pods are still there"),
    ],
)
def test_nobody_has_to_guess_why_we_do_not_restart_it(found: Made, why: str) -> None:
    (row,) = planned(space("web"), found)["left"]["workloads"]
    assert (row["how"], row["why"]) == ("by_hand", why)


def test_namespaces_that_are_frozen_or_on_their_way_out() -> None:
    assert left(planned(space("web", labels={FREEZE: "true"}), workload(), pod())) == [("Deployment", "shop", "frozen")]
    leaving = space("web", status={"phase": "Terminating"})
    assert left(planned(leaving, workload(), pod())) == [("Deployment", "shop", "terminating")]


def test_downtime_may_be_allowed() -> None:
    found = (space("web"), workload(strategy={"type": "Recreate"}), pod())
    assert names(planned(*found, allow_downtime=True)) == [["shop"]]


def test_what_no_wave_is_for_is_told() -> None:
    plan = planned(space("web"), workload(), pod(), waves=(Wave("a", namespaces=("api",)),))
    assert (names(plan), left(plan)) == ([[]], [("Deployment", "shop", "no_wave")])


ROLLING = {"observedGeneration": 1, "replicas": 4, "updatedReplicas": 1, "availableReplicas": 3}


@pytest.mark.parametrize(
    ("restarted", "status", "made", "state"),
    [
        ("", None, MADE, "waiting"),
        (LATER, ROLLING, MADE, "restarting"),  # its old Pods are being replaced
        (LATER, ROLLING, LATER, "waiting"),  # a new one differs all the same
        (LATER, None, MADE, "waiting"),  # nothing is being replaced any more
        (MADE, ROLLING, LATER, "waiting"),
    ],
)
def test_who_restarts_already_is_not_restarted_again(
    restarted: str, status: Made | None, made: str, state: str
) -> None:
    found = workload(restarted=restarted)
    plan = planned(space("web"), {**found, "status": status or found["status"]}, pod(made=made))
    assert [row["state"] for row in plan["waves"][0]["workloads"]] == [state]


def test_pods_that_leave_or_are_over_do_not_count() -> None:
    gone, over = pod(deletionTimestamp=LATER), {**pod(), "status": {"phase": "Succeeded"}}
    assert names(planned(space("web"), workload(), gone, over)) == [[]]


def test_gateways_come_last_in_their_wave() -> None:
    gateway = workload("a-gateway")
    gateway["spec"]["template"]["metadata"]["annotations"] = {"inject.istio.io/templates": "gateway"}
    assert names(planned(space("web"), gateway, workload(), pod("a-gateway"), pod())) == [["shop", "a-gateway"]]
