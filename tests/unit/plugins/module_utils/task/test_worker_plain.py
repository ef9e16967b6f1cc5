"""Arguments become plain data: whatever the core tags, wraps or encrypts, exact builtin types come out."""

from __future__ import annotations

import datetime
import importlib
import json
import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import Arguments, InvalidArguments, plain
from hypothesis import given
from hypothesis import strategies as st

PASSWORD = VaultSecret(b"password")


def types(value: Any) -> set[type]:
    """Every type inside a value, keys included."""
    if isinstance(value, Mapping):
        return {type(value)}.union(*(types(inner) for pair in value.items() for inner in pair))
    if isinstance(value, list):
        return {type(value)}.union(*map(types, value))
    return {type(value)}


EXACT = {dict, list, str, int, float, bool, type(None)}


class Word(str):
    """A subclass with a text of its own, as tagged types are."""

    __slots__ = ()

    def __str__(self) -> str:
        return Word("wrong")


LEAF = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
)
TREE = st.recursive(
    LEAF | st.text(max_size=4).map(Word),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=3).map(Word) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(("key", "what"), [(True, "the boolean true"), (None, "null"), (0.1, "the number 0.1")])
def test_a_key_that_yaml_has_made_of_a_text_is_refused(key: Any, what: str) -> None:
    with pytest.raises(InvalidArguments, match=f"a key must be text, but YAML reads it as {what}. Put it in quotes"):
        plain({"objects": [{"data": {key: "x"}}]})
    assert plain({"labels": {1: "a"}}) == {"labels": {"1": "a"}}


@pytest.mark.parametrize("written", ["2026-01-01T00:00:00Z", "2026-01-01 00:00:00"])
def test_a_timestamp_that_yaml_has_made_of_a_text_is_refused(written: str) -> None:
    """As the core's own loader makes them; it would be written as Python prints it."""
    given = DataLoader().load(f"objects: [{{data: {{day: 2026-01-01, until: [{written}]}}}}, {{at: {written}}}]")
    with pytest.raises(InvalidArguments) as refusal:
        plain(given)
    why = "must be text, but YAML reads it as a timestamp"
    assert refusal.value.reason == f"'objects[0].data.until[0]' {why}; 'objects[1].at' {why}"
    assert "in quotes" in refusal.value.hint
    with pytest.raises(InvalidArguments, match="a key must be text, but YAML reads it as a timestamp"):
        plain(DataLoader().load(f"? {written}\n: a"))


@pytest.mark.parametrize("written", [".inf", "-.inf", ".nan", "1.0e+400"])
def test_a_number_that_json_has_not_is_refused(written: str) -> None:
    given = DataLoader().load(f"objects: [{{spec: {{a: {written}, b: 1.5}}}}]")
    with pytest.raises(InvalidArguments, match=r"'objects\[0\].spec.a' is infinite or not a number"):
        plain(given)


def test_what_is_nested_beyond_all_measure_is_refused() -> None:
    deep: list[Any] = []
    for _level in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidArguments, match="nested deeper than"):
        plain({"objects": [{"spec": deep}]})


@given(TREE)
def test_plain_data_has_exact_types_only(value: Any) -> None:
    for tree in (value, wrap_var(value)):
        assert types(plain(tree)) <= EXACT


@given(TREE)
def test_plain_data_is_plain_already(value: Any) -> None:
    once = plain(value)
    assert plain(once) == once
    assert plain(json.loads(json.dumps(once))) == once


@given(st.recursive(LEAF, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_what_is_plain_stays_as_it_is(value: Any) -> None:
    assert plain(value) == value


def test_a_boolean_stays_one() -> None:
    assert plain([True, 1, 1.0]) == [True, 1, 1.0]
    assert [type(value) for value in plain([True, 1, 1.0])] == [bool, int, float]


@pytest.fixture
def _vault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer cores decrypt by what is at hand in the process; older ones by the loader that read the file."""
    context = getattr(importlib.import_module("ansible.parsing.vault"), "VaultSecretsContext", None)
    if context:
        monkeypatch.setattr(context, "_current", context([("default", PASSWORD)]))


@pytest.mark.usefixtures("_vault")
def test_what_a_playbook_holds_becomes_plain() -> None:
    """Texts, numbers, dates and vaulted values as the core's own loader makes them."""
    secret = VaultLib([("default", PASSWORD)]).encrypt("hunter2").decode().replace("\n", "\n  ")
    text = "text: a\nint: 1\nhalf: 0.5\non time: true\nnone:\nday: 2026-01-31\nlist: [{b: c}]\nvault: !vault |\n  "
    loader = DataLoader()
    loader.set_vault_secrets([("default", PASSWORD)])
    value = loader.load(text + secret)
    assert not types(value) <= EXACT
    assert types(plain(value)) <= EXACT
    assert plain(value) == {
        "text": "a",
        "int": 1,
        "half": 0.5,
        "on time": True,
        "none": None,
        "day": "2026-01-31",
        "list": [{"b": "c"}],
        "vault": "hunter2",
    }


def test_what_a_task_was_given_does_not_travel() -> None:
    """A worker sends its task's fields to the controller, and that to every callback."""
    given = Arguments({"api_key": "secret"})
    assert dict(given) == {"api_key": "secret"}
    assert pickle.loads(pickle.dumps({"args": given})) == {"args": {}}


def test_a_timestamp_that_only_the_server_sets_is_left_out_as_elsewhere() -> None:
    """A manifest as another tool writes it out; what is said there goes anyway."""
    when = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
    metadata = {"name": "a", "creationTimestamp": when, "managedFields": [{"manager": "x", "time": when}]}
    given = {"objects": [{"metadata": metadata}]}
    (found,) = plain(given)["objects"]
    assert found["metadata"] == {"name": "a", "creationTimestamp": "", "managedFields": [{"manager": "x", "time": ""}]}
    with pytest.raises(InvalidArguments, match=r"annotations\.until"):
        plain({"objects": [{"metadata": {**metadata, "annotations": {"until": when}}}]})
