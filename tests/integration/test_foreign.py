"""An Istio that somebody else installed is refused, and its owner named; Helm and istioctl themselves install it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.owners import ForeignIstio
from integration.conftest import install_crds
from integration.support import bed
from integration.support.audit import Audit
from integration.support.bed import ISTIO, Cluster
from integration.support.operations import Operations

ROOT = "istio-system"


@pytest.fixture
def root_namespace(cluster: Cluster) -> Iterator[str]:
    """A run that was killed may have left it."""
    cluster.kubectl("delete", "namespace", ROOT, "--ignore-not-found")
    yield ROOT
    cluster.kubectl("delete", "namespace", ROOT, "--ignore-not-found", "--wait=false")


def run(*argv: str, env: dict[str, str] | None = None) -> str:
    result = subprocess.run(argv, check=False, capture_output=True, text=True, env={**os.environ, **(env or {})})
    return f"{result.returncode}: {result.stdout}{result.stderr}"


@pytest.fixture
def by_helm(cluster: Cluster, charts: Path, root_namespace: str, tmp_path: Path) -> Iterator[str]:
    """Without nodes istiod never starts, and Helm does not wait for it."""
    helm = (str(cluster.bin / "helm"), "--kubeconfig", cluster.kubeconfig, "--namespace", root_namespace)
    homes = {f"HELM_{name}_HOME": str(tmp_path / name) for name in ("CACHE", "CONFIG", "DATA")}
    tag = ("--set", f"global.tag={ISTIO}")
    installed = run(*helm, "install", "their-istiod", str(charts / "istiod"), "--create-namespace", *tag, env=homes)
    assert installed.startswith("0:"), installed
    yield f"Helm release {root_namespace}/their-istiod"
    assert run(*helm, "uninstall", "their-istiod", env=homes).startswith("0:")


@pytest.fixture
def by_istioctl(cluster: Cluster, crds: Path, root_namespace: str) -> Iterator[str]:
    """Without nodes istiod never gets ready; what istioctl has applied until then stays. Its purge takes the CRDs."""
    part, where = f"istio-{ISTIO}", ("-y", "--kubeconfig", cluster.kubeconfig)
    istioctl = str(bed.parts(part)[part] / "bin" / "istioctl")
    assert root_namespace == ROOT
    installed = run(istioctl, "install", *where, "--set", "profile=minimal", "--readiness-timeout", "1s")
    assert "resources not ready" in installed, installed
    yield "istioctl"
    assert run(istioctl, "uninstall", "--purge", *where).startswith("0:")
    cluster.kubectl("delete", "--ignore-not-found", "-f", str(crds))  # purging does not wait for their end
    install_crds(cluster, crds)


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
    by_helm: str, crds: Path, namespace: str, operations: Operations, cluster: Cluster
) -> None:
    assert by_helm
    assert crds
    wanted = {"name": "subject", "namespace": namespace, "hosts": ["reviews"]}
    assert operations.run("virtual_service", wanted)["changed"] is True
    assert cluster.names("virtualservices.networking.istio.io", namespace) == {"subject"}
    assert operations.run("injection", {"namespaces": [{"name": namespace}]})["changed"] is True
