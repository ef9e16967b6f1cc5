"""What Python compiles of the collection is kept, and of nobody else's.

Each question is asked of a process of its own, with the core's loader of collections and an empty place for what is
kept.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# As in every playbook: the core's loader first, then what it loads for a task or an expression.
PROCESS = """
import json, sys
from ansible.plugins.loader import action_loader, filter_loader, init_plugin_loader
init_plugin_loader({folders!r})
{load}
loaded = {{name: getattr(module, "__file__", None) for name, module in sys.modules.items()}}
print(json.dumps([file for name, file in loaded.items() if name.startswith("ansible_collections.") and file]))
"""
OURS = "ansible_collections/service_mesh/istio/plugins/module_utils/"
LOADS = {
    "action": "assert action_loader.get('service_mesh.istio.config', class_only=True)",
    "filter": "assert filter_loader.get('service_mesh.istio.mesh_plan')",
    # Each by itself: who asks for one filter gets all of a collection.
    **{
        name: f"import ansible_collections.service_mesh.istio.plugins.filter.{name}"
        for name in ("mesh_leaving", "mesh_networks", "mesh_plan")
    },
}


def process(folder: Path, load: str, *more: Path) -> tuple[set[str], set[str]]:
    """The files of collections that a process has loaded, and those of which it has kept something in a folder."""
    given = [*map(str, more), *os.environ["ANSIBLE_COLLECTIONS_PATH"].split(os.pathsep)]
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    ended = subprocess.run(
        [sys.executable, "-c", PROCESS.format(folders=given, load=load)],
        env=environment | {"PYTHONPYCACHEPREFIX": str(folder)},
        capture_output=True,
        check=True,
        text=True,
    )
    kept = (path.with_name(f"{path.name.partition('.')[0]}.py") for path in folder.rglob("*.pyc"))
    return {_short(file) for file in json.loads(ended.stdout)}, {_short(path.as_posix()) for path in kept}


def _short(path: str) -> str:
    return "ansible_collections/" + path.rpartition("/ansible_collections/")[2]


@pytest.mark.parametrize("load", LOADS.values(), ids=LOADS)
def test_what_is_compiled_is_kept(tmp_path: Path, load: str) -> None:
    """All of it: what a plugin imports before it asks for this is compiled in every run."""
    loaded, kept = process(tmp_path, load)
    ours = {file for file in loaded if file.startswith(OURS) and file.endswith(".py")}
    assert ours
    assert ours <= kept


def test_other_collections_are_left_to_the_core(tmp_path: Path) -> None:
    """How they are imported is not ours to decide."""
    plugins = tmp_path / "ansible_collections" / "some" / "body" / "plugins" / "module_utils"
    plugins.mkdir(parents=True)
    (plugins / "theirs.py").write_text("SAID = True\n", encoding="utf-8")
    load = f"{LOADS['action']}\nimport ansible_collections.some.body.plugins.module_utils.theirs"
    loaded, kept = process(tmp_path / "kept", load, tmp_path)
    theirs = "ansible_collections/some/body/plugins/module_utils/theirs.py"
    assert theirs in loaded
    assert theirs not in kept
