"""Kinds of workloads as data, and who has made a Pod."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.workload_kinds import (
    KUBERNETES_KINDS,
    InvalidWorkloadKind,
    Owner,
    owner_of,
    workload_kinds,
)
from unit.support.clusters import Made, pod, workload

ROLLOUT = {"group": "argoproj.io", "kind": "Rollout"}
CLONE_SET = {"group": "apps.kruise.io", "kind": "CloneSet"}
CUSTOM = {
    "group": "example.com",
    "kind": "Fleet",
    "version": "v2",
    "plural": "fleets",
    "template": "spec.pods.template",
}


def owned(kind: str, name: str, **labels: str) -> Made:
    found = pod("web/a-1")
    found["metadata"] |= {"ownerReferences": [{"kind": kind, "name": name, "controller": True}], "labels": labels}
    return found


@pytest.mark.parametrize(
    ("given", "found", "owner"),
    [
        ([], owned("ReplicaSet", "a-77", **{"pod-template-hash": "77"}), Owner("Deployment", "a")),
        ([], owned("ReplicaSet", "a-77"), Owner("ReplicaSet", "a-77")),
        ([], owned("StatefulSet", "db"), Owner("StatefulSet", "db")),
        ([], pod("web/bare"), Owner()),
        ([ROLLOUT], owned("ReplicaSet", "a-77", **{"rollouts-pod-template-hash": "77"}), Owner("Rollout", "a")),
        ([], owned("ReplicaSet", "a-77", **{"rollouts-pod-template-hash": "77"}), Owner("ReplicaSet", "a-77")),
        ([CLONE_SET], owned("CloneSet", "c"), Owner("CloneSet", "c")),
    ],
)
def test_who_has_made_a_pod(given: list[dict[str, str]], found: Made, owner: Owner) -> None:
    assert owner_of(found, workload_kinds(given)) == owner


def test_the_controller_is_the_owner() -> None:
    found = owned("StatefulSet", "db")
    found["metadata"]["ownerReferences"].insert(0, {"kind": "Backup", "name": "b"})
    assert str(owner_of(found)) == "StatefulSet db"


def test_kinds_that_are_described_need_only_a_name() -> None:
    *common, rollout, clones = workload_kinds([ROLLOUT, CLONE_SET])
    assert tuple(common) == KUBERNETES_KINDS
    assert (rollout.resource.api_version, rollout.resource.plural) == ("argoproj.io/v1alpha1", "rollouts")
    assert (clones.resource.api_version, clones.hash_label) == ("apps.kruise.io/v1alpha1", "")


def test_the_template_is_where_the_kind_says() -> None:
    (*_common, kind) = workload_kinds([CUSTOM])
    assert kind.template_of({"spec": {"pods": {"template": {"spec": {"a": 1}}}}}) == {"metadata": {}, "spec": {"a": 1}}
    assert kind.template_of({"spec": {"template": {}}}) == {}
    assert KUBERNETES_KINDS[0].template_of(workload("Deployment", "web/a"))["spec"]


@pytest.mark.parametrize(
    ("more", "missing"), [({}, "no version"), ({"version": "v1"}, "no plural"), ({"plural": "x"}, "no version")]
)
def test_too_little_is_refused(more: dict[str, Any], missing: str) -> None:
    with pytest.raises(InvalidWorkloadKind, match=f"it has {missing}, and is none of Rollout of argoproj.io, CloneSet"):
        workload_kinds([{"group": "example.com", "kind": "Fleet", **more}])
