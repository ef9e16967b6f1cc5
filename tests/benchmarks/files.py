"""What the contenders read: manifests, inventories and playbooks, written into one scratch folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from benchmarks.workload import Object

Task = Mapping[str, Any]
# No discovery of interpreters, no facts: what is measured is the work, and all contenders get the same.
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
OBJECTS = "objects"


def dump(content: Any) -> str:
    """YAML, by the fast writer: ten thousand objects are many."""
    return yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False, width=120)


@dataclass(frozen=True)
class Files:
    """The scratch folder. Its methods write and give back the path."""

    folder: Path

    def manifests(self, name: str, objects: Sequence[Object]) -> Path:
        """A folder with a file for each namespace."""
        folder = self.folder / name
        folder.mkdir()
        by_namespace = sorted(objects, key=_namespace)
        for namespace, entries in groupby(by_namespace, _namespace):
            (folder / f"{namespace}.yaml").write_text("---\n".join(map(dump, entries)), encoding="utf-8")
        return folder

    def inventory(self, name: str, hosts: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any]) -> Path:
        """Hosts with their variables, and in a file of the group those that all share."""
        folder = self.folder / name
        (folder / "group_vars").mkdir(parents=True)
        (folder / "hosts.yml").write_text(dump({"all": {"hosts": dict(hosts)}}), encoding="utf-8")
        (folder / "group_vars" / "all.yml").write_text(dump({**LOCAL, **variables}), encoding="utf-8")
        return folder

    def playbook(self, name: str, tasks: Sequence[Task]) -> Path:
        """One play with these tasks."""
        path = self.folder / f"{name}.yml"
        play = {"name": name, "hosts": "all", "gather_facts": False, "tasks": [dict(task) for task in tasks]}
        path.write_text(dump([play]), encoding="utf-8")
        return path


def _namespace(entry: Object) -> str:
    return str(entry["metadata"]["namespace"])


def variables(objects: Sequence[Object]) -> dict[str, list[Any]]:
    """The objects as options of the config module: its list of their kind, manifests where it has none."""
    known = {(kind.resource.api_version, kind.resource.kind): kind for kind in KINDS}
    result: dict[str, list[Any]] = {}
    for entry in objects:
        if kind := known.get((entry["apiVersion"], entry["kind"])):
            names = {option.field: name for name, option in kind.options.items()}
            result.setdefault(kind.plural_name, []).append(_options(entry, names))
        else:
            result.setdefault(OBJECTS, []).append(entry)
    return result


def _options(entry: Object, names: Mapping[str, str]) -> dict[str, Any]:
    """A manifest as a person writes it in an inventory."""
    return {**entry["metadata"], **{names[field]: value for field, value in entry["spec"].items()}}
