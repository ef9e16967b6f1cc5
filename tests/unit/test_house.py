"""The house rules that a program can see: short functions, files that say why they exist, one licence header."""

from __future__ import annotations

import ast
from pathlib import Path

from tree import files

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FUNCTION = 50
HEADER = """\
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""


def python_files(top: str = "") -> dict[str, ast.Module]:
    """The project's Python, parsed."""
    paths = [path for path in files() if path.suffix == ".py" and path.as_posix().startswith(top)]
    return {str(path): ast.parse((ROOT / path).read_text(encoding="utf-8")) for path in paths}


def says_why(tree: ast.Module) -> bool:
    """A docstring, or for a module of Ansible's its documentation."""
    targets = (ast.unparse(node.targets[0]) for node in tree.body if isinstance(node, ast.Assign))
    return not tree.body or bool(ast.get_docstring(tree)) or "DOCUMENTATION" in targets


def too_long(name: str, tree: ast.Module) -> list[str]:
    """Functions of a file that do more than one thing, judged by their length."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {node: (node.end_lineno or node.lineno) - node.lineno + 1 for node in functions}
    return [f"{name}: {node.name} has {length} lines" for node, length in lengths.items() if length > LONGEST_FUNCTION]


def test_every_file_says_why_it_exists() -> None:
    """The first thing that a reader asks."""
    assert [name for name, tree in python_files().items() if not says_why(tree)] == []


def test_no_function_is_longer_than_a_screen() -> None:
    """A longer one does more than one thing."""
    assert [line for name, tree in python_files().items() for line in too_long(name, tree)] == []


def test_plugins_carry_the_licence() -> None:
    """Ansible's rules ask for it in every file that runs inside Ansible."""
    plugins = python_files("plugins/")
    assert [name for name in plugins if HEADER not in (ROOT / name).read_text(encoding="utf-8")] == []
