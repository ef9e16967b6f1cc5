"""A kind is the same wherever it is named: its module, the lists of config, the role's variables."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kind import Kind
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import InvalidArguments, validated

ROOT = Path(__file__).resolve().parents[4]
ROLE = ROOT / "roles" / "mesh_config"
MODULES = "ansible_collections.service_mesh.istio.plugins.modules"
NEEDED = [kind for kind in KINDS if any(option.required for option in kind.options.values())]
by_name = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def module(name: str) -> Any:
    return importlib.import_module(f"{MODULES}.{name}")


def documented(name: str) -> dict[str, Any]:
    options: dict[str, Any] = yaml.safe_load(module(name).DOCUMENTATION)["options"]
    return options


def called(options: dict[str, Any], name: str) -> str:
    return name if name in options else f"spec_{name}"


@by_name
def test_a_list_of_config_says_of_each_option_what_the_module_says(kind: Kind) -> None:
    """But for the sentence on an option's name, where only the module has to avoid one."""
    own, entry = documented(kind.name), documented("config")[kind.plural_name]["suboptions"]
    for name in kind.options:
        described = own[called(own, name)]["description"]
        assert entry[name]["description"] == (described if name in own else described[:-1])


@by_name
def test_a_list_of_config_names_the_kind_and_the_module(kind: Kind) -> None:
    text = " ".join(documented("config")[kind.plural_name]["description"])
    assert f"C({kind.resource.kind})" in text
    assert f"M(service_mesh.istio.{kind.name})" in text


@by_name
def test_an_option_with_another_name_says_which_field_it_is(kind: Kind) -> None:
    own = documented(kind.name)
    for name, option in kind.options.items():
        if called(own, name).startswith("spec_"):
            assert f"It is C({option.field}) of the spec" in own[called(own, name)]["description"][-1]


@by_name
def test_what_cannot_be_missing_is_said_to_be_so(kind: Kind) -> None:
    own = documented(kind.name)
    said = {name for name, option in own.items() if "An object cannot be without" in " ".join(option["description"])}
    assert said == {called(own, name) for name, option in kind.options.items() if option.required}


@pytest.mark.parametrize("kind", NEEDED, ids=lambda kind: kind.name)
def test_what_cannot_be_missing_is_asked_for(kind: Kind) -> None:
    """Only of an object that shall be there."""
    operation, given = module(kind.name).OPERATION, {"name": "a", "namespace": "b"}
    with pytest.raises(InvalidArguments, match="state is present but all of the following are missing"):
        validated(operation, dict(given))
    assert operation.prepare(validated(operation, {**given, "state": "absent"})).absent


@by_name
def test_the_role_has_a_variable_for_it(kind: Kind) -> None:
    variable = f"mesh_config_{kind.plural_name}"
    (task,) = yaml.safe_load((ROLE / "tasks" / "main.yml").read_text(encoding="utf-8"))
    specs = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    option = specs["argument_specs"]["main"]["options"][variable]
    assert variable not in yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    assert task["service_mesh.istio.config"][kind.plural_name] == f"{{{{ {variable} | default(omit) }}}}"
    assert f"M(service_mesh.istio.{kind.name})" in option["description"]
