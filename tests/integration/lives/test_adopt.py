"""What Helm and istioctl themselves have installed is taken over, and nothing of it changes but whose it is."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import charts_of
from integration.support import bed
from integration.support.bed import ISTIO, ROOT, Cluster
from integration.support.helm import Helm
from integration.support.planes import Planes
from integration.support.playbook import Runner
from integration.support.rest import JSON_PATCH, MERGE

OURS, ISTIOD = "service_mesh.istio/control_plane", "pilot-discovery"
VERSIONS = ("1.28.3", "1.29.1", "1.31.0")
KINDS = (
    "serviceaccounts,configmaps,services,deployments,roles,rolebindings,clusterroles,clusterrolebindings,"
    "horizontalpodautoscalers,mutatingwebhookconfigurations,validatingwebhookconfigurations,crds"
)
# What the other tool leaves on its objects for itself.
MARKS = ("meta.helm.sh/", "operator.istio.io/managed", "operator.istio.io/version", "service-mesh-istio/")


def remove_crds(cluster: Cluster) -> None:
    """All at once, as soon as the server has taken their objects away.

    Its finalizer may forget one that conflicted with another change of the same moment, until it hears of it again.
    """
    path = cluster.rest.resource("crds").path
    for name in _crds(cluster):
        cluster.rest.send("DELETE", path(name))
    until = time.monotonic() + 60
    while left := _crds(cluster):
        assert time.monotonic() < until, left
        time.sleep(0.5)
        for name in left:
            touched = {"metadata": {"annotations": {"touched": str(time.monotonic())}}}
            cluster.rest.send("PATCH", path(name), touched, MERGE, quietly=True)


def _crds(cluster: Cluster) -> list[str]:
    return [name for name in cluster.names("crds", "") if name.endswith(".istio.io")]


@pytest.fixture
def planes(planes: Planes) -> Iterator[Planes]:
    """CRDs come with Helm."""
    yield planes
    remove_crds(planes.cluster)


@pytest.fixture
def helm(cluster: Cluster, planes: Planes, tmp_path: Path) -> Helm:
    return Helm(cluster, planes.namespace, tmp_path)


def objects(planes: Planes) -> dict[str, dict[str, Any]]:
    """What is there of Istio, as the server has it."""
    return {
        f"{item['kind']} {item['metadata']['name']}": item
        for item in planes.cluster.objects(KINDS, planes.namespace)
        if (item["metadata"].get("labels") or {}).get("app.kubernetes.io/part-of") == "istio"
    }


def said(item: dict[str, Any]) -> dict[str, Any]:
    """An object without what may differ when it changes hands."""
    metadata = item["metadata"]
    kept = {
        part: {name: value for name, value in (metadata.get(part) or {}).items() if not name.startswith(MARKS)}
        for part in ("labels", "annotations")
    }
    return {**item, "metadata": {"name": metadata["name"], "uid": metadata["uid"], **kept}, "status": None}


def managed_by(item: dict[str, Any]) -> set[str]:
    return {entry["manager"] for entry in item["metadata"]["managedFields"] if not entry.get("subresource")}


def give_ca(planes: Planes) -> None:
    """What a running istiod does with its webhooks."""
    ca = base64.b64encode(Path(planes.cluster.ca_file).read_bytes()).decode()
    for key, item in objects(planes).items():
        kind, _space, name = key.partition(" ")
        if "WebhookConfiguration" in kind:
            changes = [
                {"op": "add", "path": f"/webhooks/{number}/clientConfig/caBundle", "value": ca}
                for number in range(len(item["webhooks"]))
            ]
            rest = planes.cluster.rest
            rest.patch(rest.resource(kind).path(name), changes, JSON_PATCH, fieldManager=ISTIOD)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("revised", [False, True], ids=["default", "revision"])
def test_nothing_changes_but_whose_it_is(version: str, revised: bool, planes: Planes, helm: Helm) -> None:
    own: dict[str, Any] = {"revision": "r1"} if revised else {}
    helm.install(version, **own)
    give_ca(planes)
    before = objects(planes)
    refused = planes.refused(version=version, **own)
    assert "or take it over with 'adopt: [helm]'" in refused.hint
    planned = planes.plan(version=version, adopt=["helm"], **own)
    assert planned["adopted"]["objects"] == len(before)
    assert [release["name"] for release in planned["adopted"]["releases"]] == ["their-base", "their-istiod"]
    written = planes.install(version=version, adopt=["helm"], **own)
    after = objects(planes)
    assert {key: said(item) for key, item in after.items()} == {key: said(item) for key, item in before.items()}
    for key, item in after.items():
        assert managed_by(item) <= {OURS, ISTIOD}, key
        assert not any(name.startswith("meta.helm.sh") for name in item["metadata"].get("annotations") or {})
        assert (ISTIOD in managed_by(item)) == ("WebhookConfiguration" in key)
    assert len([line for line in written if " secrets " in line]) == 4, "a label goes, another one comes"
    for adopt in ([], ["helm"]):
        assert planes.install(version=version, adopt=adopt, **own) == []
    assert {plane["owner"] for plane in planes.operations.run("mesh_info", {})["mesh"]["control_planes"]} == {
        "service_mesh.istio"
    }


def test_helm_does_not_find_it_any_more_and_can_be_told_to(planes: Planes, helm: Helm) -> None:
    helm.install()
    assert helm.releases() == ["their-base", "their-istiod"]
    told = planes.plan(adopt=["helm"])["adopted"]["releases"]
    planes.install(adopt=["helm"])
    assert helm.releases() == []
    assert "not found" in helm.run("uninstall", "their-istiod", fails=True)
    for release in told:
        program, *arguments = release["put_back"].split()
        assert program == "kubectl"
        planes.cluster.kubectl(*arguments)
    assert helm.releases() == ["their-base", "their-istiod"]
    assert "STATUS: deployed" in helm.run("status", "their-istiod")


def test_what_would_change_is_named_and_refused_unless_it_is_meant(planes: Planes, helm: Helm) -> None:
    helm.install(**{"revisionTags[0]": "prod"})
    changed = {"mesh_config": {"accessLogFile": "/dev/stdout"}}
    refused = planes.refused(adopt=["helm"], **changed)
    assert refused.as_dict()["code"] == "would_change"
    assert f"ConfigMap {planes.namespace}/istio: data.mesh" in str(refused)
    assert "it is in the Helm release their-istiod, and this task does not want it" in str(refused)
    assert "adopt_changes: true" in refused.hint
    planned = planes.plan(adopt=["helm"], adopt_changes=True, **changed)
    assert any(text.startswith("Taking over changes ConfigMap") for text in planned["warnings"])
    planes.install(adopt=["helm"], adopt_changes=True, **changed)
    assert "accessLogFile" in planes.cluster.get("configmap", "istio", planes.namespace)["data"]["mesh"]


def test_an_adoption_that_was_killed_is_finished(planes: Planes, helm: Helm) -> None:
    """The release is retired and some objects are ours already; the rest is found by its marks."""
    helm.install()
    before = objects(planes)
    planes.install(adopt=["helm"], components=["base"])
    helm_managed = {key for key, item in objects(planes).items() if "helm" in managed_by(item)}
    assert helm_managed
    assert helm_managed < set(before)
    secret = "sh.helm.release.v1.their-istiod.v1"
    planes.cluster.kubectl("label", "secret", secret, "-n", planes.namespace, "owner-")
    planes.install(adopt=["helm"])
    after = objects(planes)
    assert {key: said(item) for key, item in after.items()} == {key: said(item) for key, item in before.items()}
    assert not [key for key, item in after.items() if "helm" in managed_by(item)]


def test_what_was_taken_over_can_be_removed(planes: Planes, helm: Helm) -> None:
    helm.install(revision="r1")
    planes.install(adopt=["helm"], revision="r1")
    planes.uninstall(revision="r1", remove_crds=True)
    assert objects(planes) == {}


@pytest.mark.parametrize("owner", ["sail", "unknown"])
def test_others_are_taken_over_only_when_they_are_named(owner: str, planes: Planes, helm: Helm) -> None:
    """An operator would take it back, and who is unknown may do so, too."""
    helm.install()
    for key in objects(planes):
        kind, _space, name = key.partition(" ")
        marks = {
            "sail": {"labels": {"managed-by": "sail-operator"}},
            "unknown": {"annotations": {"meta.helm.sh/release-name": None, "meta.helm.sh/release-namespace": None}},
        }[owner]
        planes.cluster.patch(kind, name, planes.namespace, {"metadata": marks})
    refused = planes.refused(adopt=["helm", "istioctl"])
    assert refused.as_dict()["code"] == "foreign_istio"
    assert f"adopt: [{owner}]" in refused.hint
    planes.install(adopt=[owner])
    assert all(managed_by(item) <= {OURS, "kubectl-patch"} for item in objects(planes).values())
    assert planes.install() == []


def test_istioctls_objects_change_hands(planes: Planes) -> None:
    part = f"istio-{ISTIO}"
    istioctl = str(bed.parts(part)[part] / "bin" / "istioctl")
    where = ("-y", "--kubeconfig", planes.cluster.kubeconfig, "--istioNamespace", planes.namespace)
    values = ("--set", "profile=minimal", "--set", f"values.global.istioNamespace={planes.namespace}")
    hub = ("--set", "hub=docker.io/istio", "--set", f"tag={ISTIO}")
    argv = [istioctl, "install", *where, *values, *hub, "--set", "revision=r1", "--readiness-timeout", "1s"]
    installed = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "resources not ready" in installed.stderr + installed.stdout
    refused = planes.refused(adopt=["istioctl"], revision="r1")
    assert refused.as_dict()["code"] == "would_change"
    planes.install(adopt=["istioctl"], adopt_changes=True, revision="r1")
    assert all("istio-operator" not in managed_by(item) for item in objects(planes).values())
    assert planes.install(revision="r1") == []


def test_the_playbook_shows_the_owner_first(planes: Planes, helm: Helm, runner: Runner) -> None:
    helm.install()
    variables = {
        "mesh_kubeconfig": planes.cluster.kubeconfig,
        "mesh_root_namespace": planes.namespace,
        "mesh_cluster_name": "",
        "mesh_control_plane_version": ISTIO,
        "mesh_control_plane_charts": {"directory": str(charts_of(ISTIO))},
        "mesh_control_plane_helm_binary": str(planes.cluster.bin / "helm"),
        "mesh_control_plane_wait_timeout": 0,
    }
    playbook = str(ROOT / "playbooks" / "adopt.yml")
    played = runner.run(arguments=(playbook, "-e", json.dumps(variables), "--check", "--diff"))
    assert played.rc == 0, played.output
    assert f"{planes.namespace}/istiod belongs to helm" in played.output
    assert "kubectl label secret sh.helm.release.v1.their-istiod.v1" in played.output
    assert helm.releases() == ["their-base", "their-istiod"]
