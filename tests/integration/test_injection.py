"""Labels of namespaces: four ways, one label at a time, and nothing else of a namespace is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict
from integration.support.bed import Cluster
from integration.support.operations import Operations

Changes = Callable[[], list[str]]
ENABLED, BY_REVISION = {"istio-injection": "enabled"}, {"istio.io/rev": "canary"}
WAYS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "enabled": ({}, ENABLED),
    "disabled": ({"mode": "disabled"}, {"istio-injection": "disabled"}),
    "revision": ({"revision": "canary"}, BY_REVISION),
}


def labels(cluster: Cluster, name: str) -> dict[str, str]:
    """Those of Istio; Kubernetes labels every namespace with its name."""
    found: dict[str, str] = cluster.get("namespace", name)["metadata"]["labels"]
    return {key: value for key, value in found.items() if key != "kubernetes.io/metadata.name"}


@pytest.mark.parametrize("way", WAYS)
def test_label_and_clear(way: str, namespace: str, operations: Operations, cluster: Cluster, changes: Changes) -> None:
    options, expected = WAYS[way]
    _four_ways(operations, {"name": namespace, **options}, changes)
    assert labels(cluster, namespace) == expected
    _four_ways(operations, {"name": namespace, "mode": "clear"}, changes)
    assert labels(cluster, namespace) == {}


def test_namespace_is_created_on_request(
    new_namespace: str, operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    plan = _four_ways(operations, {"name": new_namespace, "create": True}, changes)
    assert [row["action"] for row in plan] == ["create"]
    assert labels(cluster, new_namespace) == ENABLED


def test_contradicting_label_goes_whoever_has_set_it(namespace: str, operations: Operations, cluster: Cluster) -> None:
    cluster.kubectl("label", "namespace", namespace, "istio-injection=enabled", "team=shop")
    wanted = {"namespaces": [{"name": namespace, "revision": "canary"}]}
    check = operations.run("injection", wanted, check=True)
    fields = ["metadata.labels.istio-injection", "metadata.labels.[istio.io/rev]"]
    assert [sorted(row["fields"]) for row in check["plan"]] == [sorted(fields)]
    assert operations.run("injection", wanted)["plan"] == check["plan"]
    assert labels(cluster, namespace) == {**BY_REVISION, "team": "shop"}
    assert operations.run("injection", wanted)["changed"] is False


def test_drifted_label_names_who_has_set_it(namespace: str, operations: Operations, cluster: Cluster) -> None:
    wanted: dict[str, Any] = {"namespaces": [{"name": namespace}]}
    operations.run("injection", wanted)
    cluster.patch("namespace", namespace, "default", {"metadata": {"labels": {"istio-injection": "disabled"}}})
    with pytest.raises(Conflict, match="kubectl-patch"):
        operations.run("injection", wanted, check=True)
    healed = operations.run("injection", {**wanted, "take_ownership_from": ["kubectl-patch"]})
    assert [row["fields"] for row in healed["plan"]] == [["metadata.labels.istio-injection"]]
    assert labels(cluster, namespace) == ENABLED


def _four_ways(operations: Operations, entry: dict[str, Any], changes: Changes) -> list[dict[str, Any]]:
    wanted = {"namespaces": [entry]}
    changes()
    check = operations.run("injection", wanted, check=True)
    assert (check["changed"], changes()) == (True, [])
    done = operations.run("injection", wanted)
    assert (done["plan"], done["diff"]) == (check["plan"], check["diff"])
    assert changes() != []
    again = [operations.run("injection", wanted, check=True), operations.run("injection", wanted)]
    assert [result["changed"] for result in again] == [False, False]
    assert changes() == []
    plan: list[dict[str, Any]] = done["plan"]
    return plan
