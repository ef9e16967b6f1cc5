"""The tools side by side: what each is told, in its own words, to do the same with the same objects.

Every one reads the same folder of manifests and gets what its documentation recommends for many objects.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from benchmarks.files import Files, Task
from benchmarks.measure import Command
from benchmarks.rows import CORE, EMPTY, HELM, KAPP, KUBECTL, OURS, Row
from integration.support.audit import AGENT
from integration.support.bed import ISTIO, ROOT, Cluster

AGENTS = {HELM: "Helm", KUBECTL: "kubectl", KAPP: "kapp", CORE: "OpenAPI-Generator", OURS: AGENT, EMPTY: AGENT}
PLAYBOOK = str(Path(sys.executable).parent / "ansible-playbook")
# What istiod is told in the bed, whoever installs it.
VALUES = ROOT / "tests" / "testbed" / "values" / "istiod.yaml"
MESH = "istio-system"
NOTHING: Task = {"name": "Nothing", "ansible.builtin.debug": {"msg": ""}}


def documents(folder: Path) -> str:
    """The objects in a folder's files as a list, as playbooks write it."""
    files = f"query('ansible.builtin.fileglob', '{folder}/*.yaml')"
    return f"{{{{ query('ansible.builtin.file', *{files}) | join('\n---\n') | from_yaml_all | list }}}}"


def ours(folder: Path | str, **options: object) -> Task:
    """Our task on a folder of manifests, or one that a variable names."""
    return {"name": "Ours", "service_mesh.istio.config": {"src": str(folder), **options}}


def core(definition: object, **keywords: object) -> Task:
    """The task of kubernetes.core, on one object or on a list."""
    options = {"apply": True, "server_side_apply": {"field_manager": "benchmark"}, "definition": definition}
    return {"name": "Theirs", "kubernetes.core.k8s": options, **keywords}


def _images() -> list[str]:
    """The images of this version; charts in Istio's source name those of a development build."""
    return ["--set", f"global.hub=docker.io/istio,global.tag={ISTIO}"]


@dataclass(frozen=True)
class Contenders:
    """Command lines, with what proves that they did their work."""

    files: Files
    cluster: Cluster

    def kubectl(self, row: Row, verb: str, folder: Path, **proof: Any) -> Command:
        argv = (str(self.cluster.bin / "kubectl"), verb, "--server-side", "-f", str(folder))
        return Command(row, argv, AGENTS[KUBECTL], **proof)

    def kapp(self, row: Row, start: Sequence[str], folder: Path, *arguments: str, **proof: Any) -> Command:
        return Command(row, (*start, "--yes", "--file", str(folder), *arguments), AGENTS[KAPP], **proof)

    def helm(self, row: Row, charts: Path, **proof: Any) -> Command:
        """The two releases of a control plane, one after the other as Istio's installation guide has them."""
        start = (str(self.cluster.bin / "helm"), "upgrade", "--install", "--wait", "--namespace", MESH)
        base = (*start, "--create-namespace", "istio-base", str(charts / "base"))
        istiod = (*start, "--values", str(VALUES), *_images(), "istiod", str(charts / "istiod"))
        return Command(row, ("sh", "-c", f"{shlex.join(base)} && {shlex.join(istiod)}"), AGENTS[HELM], **proof)

    def control_plane(self, charts: Path) -> Task:
        """Our task for the same."""
        values = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
        source = {"version": ISTIO, "charts": {"directory": str(charts)}, "helm_binary": str(self.cluster.bin / "helm")}
        return {"name": "Ours", "service_mesh.istio.control_plane": {**source, "values": {"istiod": values}}}

    def playbook(self, row: Row, inventory: Path, tasks: Sequence[Task], *arguments: str, **proof: Any) -> Command:
        """An Ansible process. `changed` of its recap is the proof: so many hosts have said it."""
        path = self.files.playbook(f"{row.phase} {row.tool}", tasks)
        return self.played(row, inventory, str(path), *arguments, **proof)

    def played(self, row: Row, inventory: Path, playbook: str, *arguments: str, **proof: Any) -> Command:
        """The same of a playbook that is there, by path or by its name in a collection."""
        return Command(row, (PLAYBOOK, "-i", str(inventory), playbook, *arguments), AGENTS[row.tool], **proof)
