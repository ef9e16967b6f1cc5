"""The plan of an upgrade: what changes, which images are needed, what restarts; nothing of it in an ordinary run."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from integration.support import bed
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.playbook import Runner
from integration.support.revisions import Revisions

OLDEST, NEWER = "1.28.3", "1.31.0"
_ROLE = ("version", "revision", "charts", "helm_binary", "components")


def options(revisions: Revisions, version: str, revision: str | None = None) -> dict[str, Any]:
    part = f"charts-{version}"
    return {
        "version": version,
        "namespace": revisions.namespace,
        "charts": {"directory": str(bed.parts(part)[part])},
        "helm_binary": revisions.helm,
        "components": ["istiod"],
        **({"revision": revision} if revision else {}),
    }


def images(version: str) -> list[str]:
    return [f"docker.io/istio/{name}:{version}" for name in ("pilot", "proxyv2")]


def test_beside_an_external_control_plane_no_configuration_is_asked_for(
    revisions: Revisions, operations: Operations, cluster: Cluster
) -> None:
    """Its kinds are not even served there. This test comes first: the next one installs the CRDs."""
    assert "gateways.networking.istio.io" not in cluster.names("crds", "")
    settings: dict[str, Any] = {"env": {"LOCAL_CLUSTER_SECRET_WATCHER": "true"}}
    part = f"charts-{OLDEST}"
    replace(revisions, version=OLDEST, charts=bed.parts(part)[part]).install(**settings)
    mesh = {"namespace": revisions.namespace, "mode": "hosted"}
    operations.run("upgrade", {**mesh, "phase": "start", "version": bed.ISTIO})
    revisions.install(**settings)
    for phase in ("complete", "close"):
        operations.run("upgrade", {**mesh, "phase": phase})
    assert "service-mesh-istio-upgrade" not in cluster.names("configmap", revisions.namespace)


@pytest.mark.usefixtures("crds")
def test_what_an_upgrade_by_revision_means(
    revisions: Revisions, operations: Operations, cluster: Cluster, namespaces: list[str]
) -> None:
    revisions.install()
    web = f"{revisions.namespace}-web"
    namespaces.append(web)
    cluster.create_namespace(web)
    _use(cluster, web)
    cluster.label(web, {"istio-injection": "enabled"})
    found = operations.run("control_plane", options(revisions, NEWER, "r2"), check=True)
    upgrade = found["upgrade"]
    assert (upgrade["from"], upgrade["to"], found["images"]) == (bed.ISTIO, NEWER, images(NEWER))
    (change,) = (change for change in upgrade["changes"] if change["code"] == "unhealthy_endpoints")
    assert f"DestinationRule {web}/rule" in [row["object"] for row in change["objects"]]
    mine = [row for row in upgrade["restarts"]["workloads"] if row["namespace"] == web]
    assert [(row["kind"], row["name"], row["how"]) for row in mine] == [("Pod", "app", "by_hand")]
    assert [text for text in found["warnings"] if text.startswith("unhealthy_endpoints: from 1.31 on")]
    cluster.label(web, {"istio-injection": None})


def _use(cluster: Cluster, namespace: str) -> None:
    """A Pod with a proxy, before anybody would inject it, and a rule whose meaning changes."""
    proxy = {"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{bed.ISTIO}"}
    annotations = {"istio.io/rev": "default", "sidecar.istio.io/status": "{}"}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "app", "namespace": namespace, "annotations": annotations},
        "spec": {"containers": [{"name": "app", "image": "app:1"}, proxy]},
    }
    rule = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "rule", "namespace": namespace},
        "spec": {"host": "app", "trafficPolicy": {"outlierDetection": {"interval": "10s"}}},
    }
    for content in (pod, rule):
        cluster.kubectl("create", "-f", "-", stdin=json.dumps(content))


def test_an_ordinary_run_reads_nothing_for_it(revisions: Revisions, operations: Operations) -> None:
    revisions.install()
    found = operations.run("control_plane", options(revisions, bed.ISTIO), check=True)
    assert (found["upgrade"], found["images"]) == ({}, images(bed.ISTIO))
    assert "list" in found["requests"]
    assert found["requests"]["list"] < 8


def test_the_playbook_tells_it_to_people(revisions: Revisions, runner: Runner, cluster: Cluster) -> None:
    revisions.install()
    wanted = options(revisions, NEWER, "r2")
    variables = {
        "mesh_kubeconfig": cluster.kubeconfig,
        "mesh_root_namespace": revisions.namespace,
        "mesh_cluster_name": "Kubernetes",
        **{f"mesh_control_plane_{name}": wanted[name] for name in _ROLE},
        "mesh_control_plane_ignore_prechecks": ["withdrawn_version"],
    }
    playbook = bed.ROOT / "playbooks" / "upgrade_plan.yml"
    played = runner.run(arguments=(str(playbook), "-e", json.dumps(variables)))
    assert played.rc == 0, played.output
    said = "\n".join(played.last.data["msg"])
    assert f"host0: {bed.ISTIO} -> {NEWER}, revision r2" in said
    assert re.search(r"objects: \d+ to create, \d+ to update, 0 to delete", said), said
    assert f"images: {', '.join(images(NEWER))}" in said
    assert not cluster.names("deployment", revisions.namespace) - {"istiod"}
