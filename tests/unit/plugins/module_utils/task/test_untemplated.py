"""The quick way is taken only where it leads to what ansible-core would have made of the same variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase
from ansible.template import Templar
from ansible_collections.service_mesh.istio.plugins.module_utils.task.untemplated import (
    LeftOut,
    NeedsTemplating,
    untemplated,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import plain
from hypothesis import given
from hypothesis import strategies as st

OPTION = "{{ routes }}"
OR_EMPTY = "{{ routes or omit }}"
OPTIONAL = ("{{ routes | default(omit) }}", "{{routes|default(omit)}}")
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=8),
    st.sampled_from(
        ["{{ other }}", "a {% if true %}b{% endif %}", "{# c #}", "#jinja2: lstrip_blocks: True\n{{ other }}"]
    ),
    st.sampled_from(["{ not one }", "${HOME}", "%{x}", "8080", "no", "0.10", "2026-01-01", "null"]),
)
SCALARS = st.one_of(TEXTS, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none())
VALUES = st.recursive(SCALARS, lambda deeper: st.lists(deeper) | st.dictionaries(TEXTS, deeper), max_leaves=12)


def inventory(folder: Path, text: str) -> dict[str, Any]:
    """Variables as a controller has them: from a file, with what ansible-core (2.19) adds to each value."""
    path = folder / "variables.yml"
    path.write_text(text, encoding="utf-8")
    loader = DataLoader()
    try:
        loaded = loader.load_from_file(str(path), trusted_as_template=True)
    except TypeError:  # before 2.19, whose controllers never ask
        loaded = yaml.safe_load(text)
    return dict(loaded)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inventory")


@given(routes=VALUES, option=st.sampled_from([OPTION, OR_EMPTY, *OPTIONAL]))
def test_it_is_what_templating_makes_of_it_or_left_to_that(folder: Path, routes: Any, option: str) -> None:
    """Before 2.19, whose controllers never ask, it makes text of what is no list and no mapping."""
    variables = inventory(folder, yaml.safe_dump({"routes": routes, "other": "{{ 1 + 1 }}", "option": option}))
    holds_a_template = any(
        start in yaml.safe_dump(routes, allow_unicode=True) for start in ("{{", "{%", "{#", "#jinja2:")
    )
    try:
        made = untemplated(variables["option"], variables)
    except NeedsTemplating:
        assert holds_a_template
    except LeftOut:
        assert option == OR_EMPTY
        assert not routes
    else:
        assert made == routes
        if isinstance(routes, (list, dict)) or hasattr(ActionBase, "finalize_task_arg"):
            assert plain(Templar(loader=DataLoader(), variables=variables).template(variables["option"])) == routes


def test_values_are_without_what_ansible_core_adds(folder: Path) -> None:
    made = untemplated(OPTION, inventory(folder, "routes: [{name: a, port: 80, weight: 0.5, on: true, none: null}]"))
    [entry] = made
    assert [type(made), type(entry)] == [list, dict]
    assert {type(key) for key in entry} == {str, bool}
    assert [type(value) for value in entry.values()] == [str, int, float, bool, type(None)]


@pytest.mark.parametrize(
    "option",
    [
        "{{ routes | list }}",
        "{{ routes[0] }}",
        "a {{ routes }}",
        "routes",
        "{{ nowhere }}",
        "{{ routes | default(other) }}",
        "{{ routes | default(omit, true) }}",
        "{{ nowhere or omit }}",
        "{{ true | default(omit) }}",
        "{{ None | default(omit) }}",
        5,
        ["{{ routes }}"],
    ],
)
def test_other_options_are_left_to_templating(folder: Path, option: Any) -> None:
    variables = inventory(folder, "{routes: [1], text: a}")
    with pytest.raises(NeedsTemplating):
        untemplated(option, variables)


@pytest.mark.parametrize("option", OPTIONAL)
def test_what_nobody_gives_is_left_out(option: str) -> None:
    with pytest.raises(LeftOut):
        untemplated(option, {"route": [1]})


def test_what_has_a_type_of_its_own_is_left_to_templating(folder: Path) -> None:
    """A date; and a vaulted value, which nobody but ansible-core opens."""
    vaulted = DataLoader().load("a: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3030\n")["a"]
    for variables in (inventory(folder, "routes: [2026-01-01]"), {"routes": [vaulted]}):
        with pytest.raises(NeedsTemplating):
            untemplated(OPTION, variables)
