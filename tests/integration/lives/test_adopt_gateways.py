"""A gateway that Helm itself has deployed is taken over, and nothing of it changes but whose it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from integration.conftest import charts_of
from integration.support.bed import ISTIO, ROOT, Cluster
from integration.support.helm import Helm
from integration.support.operations import Operations
from integration.support.playbook import Runner

OURS = "service_mesh.istio/gateway_deployment"
KINDS = "deployments,services,serviceaccounts,roles,rolebindings,horizontalpodautoscalers"
MINE = ("meta.helm.sh/", "service-mesh-istio/")
pytestmark = pytest.mark.usefixtures("crds")
Changes = Callable[[], list[str]]


@dataclass(frozen=True)
class Edge:
    """A gateway of Helm's, and the task that takes it over."""

    helm: Helm
    operations: Operations

    @property
    def cluster(self) -> Cluster:
        return self.helm.cluster

    def task(self, *, check: bool = False, **more: Any) -> dict[str, Any]:
        source = {"charts": {"directory": str(charts_of(ISTIO))}, "helm_binary": str(self.cluster.bin / "helm")}
        place = {"name": "edge", "namespace": self.helm.namespace, "version": ISTIO, "wait_timeout": 1.0}
        wanted = {**place, **source, "service": {"type": "ClusterIP"}, **more}
        return self.operations.run("gateway_deployment", wanted, check=check)

    def objects(self) -> dict[str, dict[str, Any]]:
        listed = self.cluster.objects(KINDS, self.helm.namespace)
        found = {f"{item['kind']} {item['metadata']['name']}": item for item in listed}
        return {key: item for key, item in found.items() if key.partition(" ")[2].startswith("edge")}


def said(item: dict[str, Any]) -> dict[str, Any]:
    """An object without what may differ when it changes hands."""
    metadata = item["metadata"]
    kept = {
        part: {name: value for name, value in (metadata.get(part) or {}).items() if not name.startswith(MINE)}
        for part in ("labels", "annotations")
    }
    return {**item, "metadata": {"name": metadata["name"], "uid": metadata["uid"], **kept}}


def managed_by(item: dict[str, Any]) -> set[str]:
    return {entry["manager"] for entry in item["metadata"]["managedFields"] if not entry.get("subresource")}


@pytest.fixture
def edge(cluster: Cluster, operations: Operations, new_namespace: str, tmp_path: Path) -> Edge:
    """Helm waits for nobody; that the gateway is available is said in the name of its controller."""
    helm = Helm(cluster, new_namespace, tmp_path)
    helm.install_istiod(revision=new_namespace)
    helm.install_gateway(
        "edge", revision=new_namespace, **{"service.type": "ClusterIP", "autoscaling.minReplicas": "2"}
    )
    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), 1)
    status = json.dumps({"status": {"observedGeneration": 9, **counts}})
    cluster.kubectl(
        *("patch", "deployment", "edge", "-n", new_namespace, "--subresource=status", "--type=merge", "-p", status)
    )
    return Edge(helm, operations)


def test_nothing_changes_but_whose_it_is(edge: Edge, changes: Changes) -> None:
    revision = edge.helm.namespace
    scaling: dict[str, Any] = {"autoscaling": {"min": 2}}
    before = edge.objects()
    with pytest.raises(Failure, match=r"adopt: \[helm\]"):
        edge.task(revision=revision, **scaling)
    changes()
    planned = edge.task(revision=revision, adopt=["helm"], **scaling, check=True)
    assert [release["name"] for release in planned["adopted"]["releases"]] == ["edge"]
    assert changes() == []
    done = edge.task(revision=revision, adopt=["helm"], **scaling)
    assert done["plan"] == planned["plan"]
    assert (done["restarts"], done["adopted"]["objects"]) == ([], len(before))
    after = edge.objects()
    assert {key: said(item) for key, item in after.items()} == {key: said(item) for key, item in before.items()}
    assert {name for item in after.values() for name in managed_by(item)} == {OURS}
    assert "edge" not in edge.helm.releases()
    changes()
    for adopt in ([], ["helm"]):
        assert edge.task(revision=revision, adopt=adopt, **scaling)["changed"] is False
    assert changes() == []


def test_what_would_change_is_named(edge: Edge, changes: Changes) -> None:
    """Two replicas at least, of which the inventory says nothing; and the autoscaler that it does not want."""
    revision = edge.helm.namespace
    changes()
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({}, "HorizontalPodAutoscaler .*/edge: spec.minReplicas"),
        ({"replicas": 1}, "HorizontalPodAutoscaler .*/edge: it is not wanted"),
    )
    for options, told in cases:
        with pytest.raises(Failure, match=told) as refused:
            edge.task(revision=revision, adopt=["helm"], **options)
        assert refused.value.as_dict()["code"] == "would_change"
    assert changes() == []
    meant = edge.task(revision=revision, adopt=["helm"], adopt_changes=True, replicas=1)
    assert any("it is not wanted" in warning for warning in meant["warnings"])
    assert "HorizontalPodAutoscaler edge" not in edge.objects()


def test_the_playbook_takes_both_over(edge: Edge, runner: Runner) -> None:
    space = edge.helm.namespace
    gateway = {"name": "edge", "namespace": space, "revision": space, "autoscaling": {"min": 2}}
    variables = {
        "mesh_kubeconfig": edge.cluster.kubeconfig,
        "mesh_root_namespace": space,
        "mesh_cluster_name": "",
        "mesh_control_plane_version": ISTIO,
        "mesh_control_plane_revision": space,
        "mesh_control_plane_components": ["istiod"],
        "mesh_control_plane_charts": {"directory": str(charts_of(ISTIO))},
        "mesh_control_plane_helm_binary": str(edge.cluster.bin / "helm"),
        "mesh_gateways_instances": [{**gateway, "service": {"type": "ClusterIP"}}],
    }
    playbook = str(ROOT / "playbooks" / "adopt.yml")
    played = runner.run(arguments=(playbook, "-e", json.dumps(variables), "--check", "--diff"))
    assert played.rc == 0, played.output
    assert "kubectl label secret sh.helm.release.v1.edge.v1" in played.output
    assert "edge" in edge.helm.releases()
