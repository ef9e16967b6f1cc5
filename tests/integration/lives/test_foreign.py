"""An Istio that somebody else installed is refused, and its owner named; Helm and istioctl themselves install it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.owners import ForeignIstio
from integration.support import bed
from integration.support.audit import Audit
from integration.support.bed import ISTIO, Cluster
from integration.support.operations import Operations
from integration.support.revisions import Revisions

pytestmark = pytest.mark.usefixtures("crds")
THEIRS = "deploy,validatingwebhookconfigurations,mutatingwebhookconfigurations,clusterroles,clusterrolebindings"


def run(*argv: str, env: dict[str, str] | None = None) -> str:
    result = subprocess.run(argv, check=False, capture_output=True, text=True, env={**os.environ, **(env or {})})
    return f"{result.returncode}: {result.stdout}{result.stderr}"


@pytest.fixture
def by_helm(cluster: Cluster, charts: Path, namespace: str, tmp_path: Path) -> Iterator[str]:
    """Without nodes istiod never starts, and Helm does not wait for it."""
    helm = (str(cluster.bin / "helm"), "--kubeconfig", cluster.kubeconfig, "--namespace", namespace)
    homes = {f"HELM_{name}_HOME": str(tmp_path / name) for name in ("CACHE", "CONFIG", "DATA")}
    values = ("--set", f"global.tag={ISTIO},global.istioNamespace={namespace}")
    installed = run(*helm, "install", "their-istiod", str(charts / "istiod"), *values, env=homes)
    assert installed.startswith("0:"), installed
    yield f"Helm release {namespace}/their-istiod"
    assert run(*helm, "uninstall", "their-istiod", env=homes).startswith("0:")


@pytest.fixture
def by_istioctl(cluster: Cluster, namespace: str) -> Iterator[str]:
    """Without nodes istiod never gets ready; what istioctl has applied until then stays."""
    part, where = f"istio-{ISTIO}", ("-y", "--kubeconfig", cluster.kubeconfig, "--istioNamespace", namespace)
    istioctl = str(bed.parts(part)[part] / "bin" / "istioctl")
    values = ("--set", "profile=minimal", "--set", f"values.global.istioNamespace={namespace}")
    installed = run(istioctl, "install", *where, *values, "--readiness-timeout", "1s")
    assert "resources not ready" in installed, installed
    yield "istioctl"
    # istioctl's own purge would take the CRDs, which other tests need.
    cluster.kubectl("delete", THEIRS, "--all-namespaces", "-l", "operator.istio.io/component=Pilot")


@pytest.mark.parametrize("tool", ["by_helm", "by_istioctl"])
def test_control_plane_is_refused(
    tool: str,
    request: pytest.FixtureRequest,
    operations: Operations,
    cluster: Cluster,
    charts: Path,
    audit: Audit,
) -> None:
    owner = request.getfixturevalue(tool)
    wanted: dict[str, Any] = {"version": ISTIO, "charts": {"directory": str(charts)}}
    mark = audit.mark()
    for check in (True, False):
        with pytest.raises(ForeignIstio) as refused:
            operations.run("control_plane", {**wanted, "helm_binary": str(cluster.bin / "helm")}, check=check)
        message = str(refused.value)
        assert "already has an Istio that somebody else installed" in message
        assert f"belongs to {owner}" in message
        assert "Use 'mode: external' (mesh_mode)" in message
        assert refused.value.as_dict()["code"] == "foreign_istio"
    assert audit.persisted(mark) == []
    planes = operations.run("mesh_info", {})["mesh"]["control_planes"]
    assert [(plane["version"], plane["owner"]) for plane in planes] == [(ISTIO, tool.removeprefix("by_"))]


def test_configuration_of_an_external_mesh_is_allowed(
    by_helm: str, namespace: str, operations: Operations, cluster: Cluster, charts: Path
) -> None:
    assert by_helm
    Revisions(cluster, charts, namespace).answer()
    wanted = {"name": "subject", "namespace": namespace, "hosts": ["reviews"]}
    assert operations.run("virtual_service", wanted)["changed"] is True
    assert cluster.names("virtualservices.networking.istio.io", namespace) == {"subject"}
    assert operations.run("injection", {"namespaces": [{"name": namespace}]})["changed"] is True
