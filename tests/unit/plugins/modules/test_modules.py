"""Every module: its documentation says what its spec says, its examples are accepted, it has a plugin and a group."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operation import Operation
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import validated
from unit.support.certificates import root

ROOT = Path(__file__).resolve().parents[4]
COLLECTION = "service_mesh.istio"
PLUGINS = f"ansible_collections.{COLLECTION}.plugins"
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py"))
GROUPS = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
# What a reader must know of an option; the rest of a spec (no_log, fallback) is not documentation.
READERS = ("precheck",)  # besides those whose name says so by ending in _info
COMPARED = ("type", "required", "default", "choices", "aliases", "elements")


def module(name: str) -> Any:
    return importlib.import_module(f"{PLUGINS}.modules.{name}")


def operation(name: str) -> Operation[Any]:
    found = module(name).OPERATION
    assert isinstance(found, Operation)
    return found


def fragment(name: str) -> dict[str, Any]:
    found = importlib.import_module(f"{PLUGINS}.doc_fragments.{name.rpartition('.')[2]}").ModuleDocFragment
    content: dict[str, Any] = yaml.safe_load(found.DOCUMENTATION)
    return content


def documented(name: str) -> dict[str, Any]:
    """The options of a module as ansible-doc shows them."""
    content = yaml.safe_load(module(name).DOCUMENTATION)
    options: dict[str, Any] = {}
    for used in content["extends_documentation_fragment"]:
        options.update(fragment(used).get("options") or {})
    return {**options, **(content["options"] or {})}


def facts(options: Mapping[str, Any], inner: str) -> dict[str, Any]:
    """The comparable part of a spec or of a documentation, whose word for options of options differs."""
    return {
        name: {
            **{key: option[key] for key in COMPARED if option.get(key) not in (None, False, [])},
            **({"options": facts(option[inner], inner)} if option.get(inner) else {}),
        }
        for name, option in options.items()
    }


def files() -> dict[str, str]:
    """What a lookup in an example would read."""
    end = datetime.now() + timedelta(days=30)
    authority = root("root", end)
    east = authority.issues("east", end)
    return {
        "shop-root-cert.pem": authority.pem,
        "shop-root-key.pem": authority.key,
        "company-root.pem": authority.pem,
        "company-intermediate.pem": authority.pem,
        "east.pem": east.pem,
        "east-key.pem": east.key,
    }


def filled(value: Any, known: Mapping[str, str]) -> Any:
    """A value, with the file that a template looks up; None for what only a playbook can fill."""
    looked_up = re.fullmatch(r"\{\{ lookup\('ansible.builtin.file', '(.+)'\) \}\}", str(value))
    if looked_up:
        return known[looked_up[1]]
    return None if "{{" in str(value) else value


def examples(name: str) -> Iterator[dict[str, Any]]:
    """The arguments of a module's own tasks among its examples, but for templates, which only a playbook can fill."""
    known = files()
    for task in yaml.safe_load(module(name).EXAMPLES):
        if f"{COLLECTION}.{name}" in task:
            arguments = task[f"{COLLECTION}.{name}"]
            values = {option: filled(value, known) for option, value in arguments.items()}
            yield {option: value for option, value in values.items() if value is not None}


def descriptions(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, option in options.items():
        yield name, option.get("description")
        yield from descriptions(option.get("suboptions") or {})


@pytest.mark.parametrize("name", MODULES)
class TestEveryModule:
    """What holds for each file in plugins/modules."""

    def test_documentation_and_spec_agree(self, name: str) -> None:
        assert facts(documented(name), "suboptions") == facts(operation(name).spec.options, "options")

    def test_every_option_is_described(self, name: str) -> None:
        assert [option for option, text in descriptions(documented(name)) if not text] == []

    def test_its_examples_are_right(self, name: str) -> None:
        """Every option of every example is known and typed, and the request can be made of it."""
        found = list(examples(name))
        assert found
        for arguments in found:
            operation(name).prepare(validated(operation(name), arguments))

    def test_file_documentation_and_operation_bear_one_name(self, name: str) -> None:
        content = yaml.safe_load(module(name).DOCUMENTATION)
        assert content["module"] == operation(name).name == name
        assert content["short_description"] == module(name).__doc__.rstrip(".")

    def test_its_results_are_documented(self, name: str) -> None:
        returned = yaml.safe_load(module(name).RETURN)
        assert {"failure", "requests"} <= set(returned)
        assert set(returned["failure"]["contains"]) == {"code", "object", "reason", "hint"}
        if name in GROUPS["write"]:
            assert {"plan", "summary"} <= set(returned)
            assert set(returned["plan"]["contains"]) == {"action", "kind", "namespace", "name", "fields", "reason"}

    def test_it_goes_through_the_one_action_plugin(self, name: str) -> None:
        """By a link of its name; `config` is the plugin itself."""
        plugin = ROOT / "plugins" / "action" / f"{name}.py"
        assert plugin.is_symlink() == (name != "config")
        assert plugin.resolve() == (plugin.parent / "config.py").resolve()

    def test_it_is_in_one_group(self, name: str) -> None:
        assert [group for group in ("read", "write") if name in GROUPS[group]] == [
            "read" if name.endswith("_info") or name in READERS else "write"
        ]


def test_no_name_is_grouped_or_linked_that_is_no_module() -> None:
    assert sorted(path.stem for path in (ROOT / "plugins" / "action").glob("*.py")) == MODULES
    assert sorted([*GROUPS["read"], *GROUPS["write"]]) == MODULES


def test_the_group_of_all_has_the_others() -> None:
    (entry,) = GROUPS["all"]
    assert entry["metadata"]["extend_group"] == [f"{COLLECTION}.read", f"{COLLECTION}.write"]


FRAGMENTS = sorted(path.stem for path in (ROOT / "plugins" / "doc_fragments").glob("*.py") if path.stem != "attributes")


@pytest.mark.parametrize("name", FRAGMENTS)
def test_a_fragment_and_its_twin_agree(name: str) -> None:
    files = [importlib.import_module(f"{PLUGINS}.module_utils.task.{file}") for file in ("arguments", "mesh_arguments")]
    twin = next(vars(file)[name.upper()] for file in files if name.upper() in vars(file))
    assert facts(fragment(name)["options"], "suboptions") == facts(twin.options, "options")


def test_every_operation_has_its_module() -> None:
    files = [path.stem for path in (ROOT / "plugins" / "module_utils" / "task" / "operations").glob("*.py")]
    found = [importlib.import_module(f"{PLUGINS}.module_utils.task.operations.{name}") for name in files]
    made = {value.name for file in found for value in vars(file).values() if isinstance(value, Operation)}
    assert made == set(MODULES) - {kind.name for kind in KINDS}
