"""Who decides about the number of replicas: an autoscaler once it has scaled, a person by a conflict, or the input."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict
from integration.engine.driver import named
from integration.support.bed import Cluster
from integration.support.operations import Operations

SCALER = "kube-controller-manager"


def config(namespace: str, replicas: int, kind: str = "Deployment", image: str = "one", **more: Any) -> dict[str, Any]:
    """An application of which somebody has written down how many replicas it has."""
    labels = {"app": "shop"}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": f"example.com/{image}"}]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pods}
    return {"objects": [named(kind, "shop", namespace, "apps/v1", spec=spec)], **more}


def scale(cluster: Cluster, namespace: str, replicas: int, manager: str, kind: str = "deployment") -> None:
    """As an autoscaler does, and `kubectl scale`."""
    how = ("--subresource=scale", f"--field-manager={manager}", "--type=merge")
    cluster.kubectl("patch", kind, "shop", "-n", namespace, *how, "-p", json.dumps({"spec": {"replicas": replicas}}))


def replicas(cluster: Cluster, namespace: str, kind: str = "deployment") -> int:
    found: int = cluster.get(kind, "shop", namespace)["spec"]["replicas"]
    return found


@pytest.fixture
def operations(cluster: Cluster) -> Operations:
    return Operations({"kubeconfig": cluster.kubeconfig})


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet"])
def test_what_an_autoscaler_has_set_is_neither_drift_nor_conflict(
    kind: str, cluster: Cluster, namespace: str, operations: Operations
) -> None:
    operations.run("config", config(namespace, 2, kind))
    operations.run("config", config(namespace, 3, kind))
    assert replicas(cluster, namespace, kind) == 3, "until it is scaled, the input decides"
    scale(cluster, namespace, 7, SCALER, kind)
    for check in (True, False):
        assert operations.run("config", config(namespace, 3, kind), check=check)["plan"] == []
    (row,) = operations.run("config", config(namespace, 3, kind, image="two"))["plan"]
    assert [field for field in row["fields"] if "replicas" in field] == []
    assert replicas(cluster, namespace, kind) == 7


def test_replicas_are_taken_back_from_an_autoscaler_that_is_gone(
    cluster: Cluster, namespace: str, operations: Operations
) -> None:
    operations.run("config", config(namespace, 2))
    scale(cluster, namespace, 7, SCALER)
    (row,) = operations.run("config", config(namespace, 2, take_ownership_from=[SCALER]))["plan"]
    assert (row["fields"], row["reason"]) == (["spec.replicas"], f".spec.replicas is taken over from '{SCALER}'")
    assert replicas(cluster, namespace) == 2
    operations.run("config", config(namespace, 4))
    assert replicas(cluster, namespace) == 4


def test_what_a_person_has_scaled_is_a_conflict(cluster: Cluster, namespace: str, operations: Operations) -> None:
    operations.run("config", config(namespace, 2))
    scale(cluster, namespace, 5, "kubectl")
    with pytest.raises(Conflict, match=r"\.spec\.replicas is owned by 'kubectl'"):
        operations.run("config", config(namespace, 2))
    assert replicas(cluster, namespace) == 5
