"""Every module on an Istio that Helm has installed and keeps: what an external mesh allows, and what it refuses."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injection import InjectionError
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kind import module_options
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.modes import ForbiddenByMode
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.tags import TagError
from ansible_collections.service_mesh.istio.plugins.module_utils.task.arguments import CONNECTION
from integration.support.audit import Audit
from integration.support.bed import ISTIO, ROOT, Cluster
from integration.support.cases import CASES
from integration.support.crds import install_youngest, remove_youngest
from integration.support.operations import Operations
from integration.support.revisions import Revisions

Options = dict[str, Any]
MODULES = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
# Source: the mode support matrix of the product whose features we serve; the same table is in docs/adopting.md.
REFUSED: Mapping[str, tuple[Options, ...]] = {
    "control_plane": ({"version": ISTIO}, {"state": "absent"}),
    "upgrade": tuple({"phase": phase} for phase in ("complete", "close", "restore")),
    "gateway_deployment": ({"version": ISTIO, "name": "ingress", "namespace": "istio-ingress"},),
}
READ: Mapping[str, Options] = {
    "config_info": {},
    "injection_info": {},
    "mesh_info": {},
    "precheck": {"operation": "leave", "ignore_checks": ["sidecars_left", "gateways_left", "permission_missing"]},
}
CONFIGURATION = {kind.name for kind in KINDS}
OTHERS = {
    "config",
    "connectivity_probe",
    "injection",
    "mesh_ca",
    "proxy_log_level",
    "remote_cluster",
    "revision_tag",
    "sidecar_rollout",
}


@pytest.fixture(scope="module")
def place(cluster: Cluster, charts: Path, crds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The namespace of an istiod of Helm's; without nodes it never starts."""
    assert crds
    install_youngest(cluster)
    name, folder = "test-external", tmp_path_factory.mktemp("helm")
    homes = {f"HELM_{part}_HOME": str(folder / part) for part in ("CACHE", "CONFIG", "DATA")}

    def helm(*arguments: str) -> None:
        argv = [str(cluster.bin / "helm"), "--kubeconfig", cluster.kubeconfig, "-n", name, *arguments]
        subprocess.run(argv, check=True, env={**os.environ, **homes}, capture_output=True)

    values = f"revision=external,global.tag={ISTIO},global.istioNamespace={name}"
    helm("install", "--create-namespace", "theirs", str(charts / "istiod"), "--set", values)
    yield name
    helm("uninstall", "theirs")
    cluster.kubectl("delete", "namespace", name, "--wait=false")
    remove_youngest(cluster)


def test_every_module_is_tried() -> None:
    assert {*REFUSED, *READ, *CONFIGURATION, *OTHERS} == MODULES


@pytest.mark.parametrize("module", REFUSED)
def test_what_belongs_to_whoever_installed_it_is_refused(
    module: str, place: str, operations: Operations, audit: Audit
) -> None:
    mark = audit.mark()
    for options in REFUSED[module]:
        for check in (True, False):
            with pytest.raises(ForbiddenByMode) as refused:
                operations.run(module, {"namespace": place, **options, "mode": "external"}, check=check)
            assert "A mesh in mode 'external' does not allow to " in str(refused.value)
            assert "whoever installed it" in str(refused.value)
    assert audit.persisted(mark) == []


@pytest.mark.parametrize("module", READ)
def test_it_is_read(module: str, place: str, operations: Operations) -> None:
    result = operations.run(module, READ[module])
    assert result["changed"] is False
    if module == "mesh_info":
        owners = {plane["namespace"]: plane["owner"] for plane in result["mesh"]["control_planes"]}
        assert owners[place] == "helm"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_it_is_configured(kind: Any, place: str, operations: Operations) -> None:
    case = next(case for case in CASES if case.module == kind.name)
    names = module_options(kind, CONNECTION.options)
    spec = {names.get(name, name): value for name, value in case.options.items()}
    ignored = ["subset_not_defined", "gateway_conflict", "mesh_host_taken"]
    wanted = {"name": "subject", "namespace": place, "ignore_checks": ignored, **spec}
    assert operations.run(kind.name, wanted)["changed"]
    assert operations.run(kind.name, {**wanted, "state": "absent"})["changed"]


def test_many_objects_and_injection(place: str, operations: Operations, cluster: Cluster, charts: Path) -> None:
    """Where that istiod answers; here a test says so."""
    rows = [{"name": "many", "namespace": place, "hosts": ["many"]}]
    assert operations.run("config", {"virtual_services": rows})["changed"]
    injected = {"namespaces": [{"name": place, "revision": "external"}]}
    with pytest.raises(InjectionError, match="is down"):
        operations.run("injection", injected)
    Revisions(cluster, charts, place).answer("external")
    assert operations.run("injection", injected)["changed"]
    assert cluster.get("namespace", place)["metadata"]["labels"]["istio.io/rev"] == "external"


def test_tags_are_objects_of_our_own(place: str, operations: Operations) -> None:
    """Moving namespaces by a tag is injection; that its revision runs is asked of an external one, too."""
    wanted = {"tag": "external-stable", "revision": "external", "namespace": place}
    with pytest.raises(TagError, match=r"The revision 'external' .* is not ready, so no tag may point to it"):
        operations.run("revision_tag", wanted)


def test_the_documentation_has_the_same_table() -> None:
    text = (ROOT / "docs" / "adopting.md").read_text(encoding="utf-8")
    table = [line for line in text.splitlines() if line.startswith("| `")]
    refused = {line.split("`")[1] for line in table if "forbidden_by_mode" in line}
    assert refused == set(REFUSED)
