"""The house has four storeys, and imports go downstairs only.

`task` knows Ansible, `istio` knows Istio, `reconcile` knows objects, `kube` knows one API server. A lower one that
knew a higher one could no longer be read, tested or changed by itself.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "ansible_collections.service_mesh.istio."
UTILS = "plugins.module_utils."
LAYERS = ("kube", "reconcile", "istio", "task")
KNOWS_ANSIBLE = (f"{UTILS}task.", "plugins.action.")
# Ending the process, or talking past Ansible, is for the one layer that knows how a result is handed over.
TASK_ONLY_CALLS = {"print", "exit", "sys.exit", "os._exit"}


def imported(name: str, tree: ast.AST) -> Iterator[str]:
    """Full dotted names that a module imports; relative ones resolved, our own without the collection's prefix."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.removeprefix(COLLECTION) for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            above = name.split(".")[: -node.level] if node.level else []
            base = ".".join([*above, *(node.module or "").split(".")]).strip(".").removeprefix(COLLECTION)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def storey(name: str) -> int | None:
    """How high a module lives: modules and the action plugin are above all layers, strangers have no storey."""
    if name.startswith(UTILS):
        layer = name.removeprefix(UTILS).split(".")[0]
        return LAYERS.index(layer) if layer in LAYERS else None
    return len(LAYERS) if name.startswith("plugins.") else None


def bad_import(name: str, target: str) -> str | None:
    """Why a module may not import that, if it may not."""
    if target.split(".")[0] in ("ansible", "ansible_collections") and not name.startswith(KNOWS_ANSIBLE):
        return f"{name} imports {target}: only the layer task and the action plugin know Ansible"
    own, other = storey(name), storey(target)
    if own is not None and other is not None and other > own:
        return f"{name} imports {target}, which lives higher"
    return None


def bad_calls(name: str, tree: ast.AST) -> Iterator[str]:
    """Calls that only the layer task may make."""
    if name.startswith(UTILS) and not name.startswith(KNOWS_ANSIBLE):
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in TASK_ONLY_CALLS:
                yield f"{name} line {node.lineno} calls {ast.unparse(node.func)}: only the layer task ends or prints"


def violations(name: str, source: str) -> list[str]:
    """Every breach of the rules in one module."""
    tree = ast.parse(source)
    found = [bad_import(name, target) for target in imported(name, tree)]
    homeless = [f"{name} lives in none of {', '.join(LAYERS)}"] if storey(name) is None else []
    return [*homeless, *(breach for breach in found if breach), *bad_calls(name, tree)]


def modules() -> dict[str, str]:
    """Dotted name and source of everything below plugins/."""
    paths = sorted((ROOT / "plugins").rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path.read_text(encoding="utf-8") for path in paths}


def test_imports_point_downward() -> None:
    """The rule itself, on the whole tree."""
    assert [breach for name, source in modules().items() for breach in violations(name, source)] == []


def test_every_layer_is_looked_at() -> None:
    """A renamed folder would otherwise make the rule pass on nothing."""
    assert {name.split(".")[2] for name in modules() if name.startswith(UTILS)} == set(LAYERS)


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        (f"{UTILS}kube.client", "from ..reconcile.plan import Plan", "lives higher"),
        (f"{UTILS}kube.client", "from .. import istio", "lives higher"),
        (f"{UTILS}kube.client", "from ..task import result", "lives higher"),
        (f"{UTILS}reconcile.plan", f"import {COLLECTION}{UTILS}istio.kinds", "lives higher"),
        (f"{UTILS}istio.kinds", f"from {COLLECTION}{UTILS}task.specs import SPEC", "lives higher"),
        (f"{UTILS}task.module", "from ...modules.config import OPERATION", "lives higher"),
        (f"{UTILS}istio.kinds", "def f():\n    from ansible.errors import AnsibleError", "know Ansible"),
        (f"{UTILS}kube.client", "import ansible.module_utils.basic", "know Ansible"),
        ("plugins.modules.config", "from ansible.module_utils.basic import AnsibleModule", "know Ansible"),
        (f"{UTILS}helpers", "", "lives in none of"),
        (f"{UTILS}kube.client", "import sys\nsys.exit(1)", "only the layer task ends or prints"),
        (f"{UTILS}reconcile.plan", "print('done')", "only the layer task ends or prints"),
    ],
)
def test_a_breach_is_seen(name: str, source: str, message: str) -> None:
    """The checker finds each kind of breach, or it would prove nothing."""
    (breach,) = violations(name, source)
    assert message in breach


@pytest.mark.parametrize(
    ("name", "source"),
    [
        (
            f"{UTILS}task.module",
            "from ..istio.kinds import KINDS\nfrom ansible.module_utils.basic import AnsibleModule",
        ),
        (f"{UTILS}istio.kinds", "from ..kube.errors import ApiError\nfrom .ranks import RANKS"),
        ("plugins.modules.config", "from ..module_utils.task.module import run_module"),
        (
            "plugins.action.config",
            "from ansible.plugins.action import ActionBase\nfrom ..module_utils.task import spec",
        ),
        (f"{UTILS}kube.client", "import json\nfrom urllib3 import PoolManager"),
    ],
)
def test_what_is_allowed_passes(name: str, source: str) -> None:
    """The checker does not cry wolf."""
    assert violations(name, source) == []


def test_a_module_does_not_load_what_others_do() -> None:
    """Every task pays for what it imports: what configures objects knows no charts and rolls nothing out."""
    collection = f"{COLLECTION}{UTILS}"
    code = f"import sys, {collection}task.operations.config; print(*sorted(sys.modules))"
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    loaded = subprocess.check_output([sys.executable, "-c", code], text=True, env=found).split()
    assert f"{collection}istio.config" in loaded
    others = ("rollout", "rollout_world", "prometheus", "status", "charts", "adoption", "injection")
    assert not {f"{collection}istio.{name}" for name in others} & {*loaded}
