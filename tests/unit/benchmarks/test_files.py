"""What contenders read says the same in every form."""

from __future__ import annotations

from pathlib import Path

import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.config import config_of_many
from benchmarks import workload
from benchmarks.files import Files, variables

NAMESPACES = ("bench-0", "bench-1", "bench-2")
OBJECTS = workload.objects(120, NAMESPACES)


def names(objects: list[workload.Object]) -> list[str]:
    return sorted(f"{entry['kind']} {entry['metadata']['namespace']}/{entry['metadata']['name']}" for entry in objects)


def test_a_folder_has_a_file_for_each_namespace(tmp_path: Path) -> None:
    folder = Files(tmp_path).manifests("objects", OBJECTS)
    read = {path.stem: list(yaml.safe_load_all(path.read_text(encoding="utf-8"))) for path in folder.iterdir()}
    assert sorted(read) == list(NAMESPACES)
    assert {entry["metadata"]["namespace"] for entry in read["bench-1"]} == {"bench-1"}
    assert names([entry for entries in read.values() for entry in entries]) == names(OBJECTS)


def test_variables_become_the_same_objects_again() -> None:
    wanted = config_of_many({"state": "present", **variables(OBJECTS)})
    made = [dict(desired.content) for desired in wanted.present]
    assert sorted(made, key=str) == sorted(OBJECTS, key=str)
