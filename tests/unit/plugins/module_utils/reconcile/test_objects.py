"""Objects: what differs is found, what is nobody's is left out, what is secret is never shown."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import (
    Desired,
    Key,
    changed_fields,
    comparable,
    secrets_of,
    shown,
)
from hypothesis import given
from hypothesis import strategies as st

LEAF = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3)
NAME = st.sampled_from(["spec", "hosts", "a.b", "x/y", "labels", "metadata", "0"])
VALUE = st.recursive(LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3))


def same(one: Any, other: Any) -> bool:
    """Equal as JSON, which is what the server stores."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@given(VALUE)
def test_nothing_differs_from_itself(value: Any) -> None:
    assert list(changed_fields(value, copy.deepcopy(value))) == []


@given(VALUE, VALUE)
def test_there_is_a_field_exactly_when_there_is_a_difference(one: Any, other: Any) -> None:
    assert bool(list(changed_fields(one, other))) == (not same(one, other))


@given(VALUE, VALUE)
def test_both_directions_name_the_same_fields(one: Any, other: Any) -> None:
    assert list(changed_fields(one, other)) == list(changed_fields(other, one))


@given(VALUE, VALUE)
def test_no_field_is_named_twice(one: Any, other: Any) -> None:
    fields = list(changed_fields(one, other))
    assert len(set(fields)) == len(fields)


@pytest.mark.parametrize(
    ("before", "after", "fields"),
    [
        ({"spec": {"a": 1}}, {"spec": {"a": 2}}, ["spec.a"]),
        ({"spec": {"a": 1}}, {"spec": {}}, ["spec.a"]),
        ({}, {"spec": {"a": 1}}, ["spec"]),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, ["a", "b"]),
        ({"http": [{"w": 1}, {"w": 2}]}, {"http": [{"w": 1}, {"w": 3}]}, ["http[1].w"]),
        ({"http": [1]}, {"http": [1, 2]}, ["http"]),
        ({"http": [1]}, {"http": {"a": 1}}, ["http"]),
        (
            {"metadata": {"labels": {"istio.io/rev": "a"}}},
            {"metadata": {"labels": {"istio.io/rev": "b"}}},
            ["metadata.labels.[istio.io/rev]"],
        ),
        ({"a": None}, {}, ["a"]),
        ({"a": 0}, {"a": False}, ["a"]),
        ({"a": "1"}, {"a": 1}, ["a"]),
    ],
)
def test_fields_are_named_by_their_paths(before: Any, after: Any, fields: list[str]) -> None:
    assert list(changed_fields(before, after)) == fields


def desired(content: Any) -> Any:
    return Desired(content).content


def empty_marks(value: Any) -> Iterator[str]:
    """Empty labels and annotations of any metadata inside a value."""
    if isinstance(value, dict):
        metadata = value.get("metadata")
        if isinstance(metadata, dict):
            yield from (key for key in ("labels", "annotations") if key in metadata and not metadata[key])
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from empty_marks(inner)


@given(VALUE)
def test_tidying_leaves_no_empty_labels_and_finds_nothing_the_second_time(value: Any) -> None:
    once = desired({"spec": value})
    assert list(empty_marks(once)) == []
    assert same(desired(once), once)


def test_tidying_touches_nothing_else_and_not_the_input() -> None:
    content = {"metadata": {"name": "a", "labels": {}, "annotations": None}, "spec": {"labels": {}, "list": [{}]}}
    before = copy.deepcopy(content)
    assert desired(content) == {"metadata": {"name": "a"}, "spec": {"labels": {}, "list": [{}]}}
    assert content == before


def test_labels_of_pod_templates_are_tidied_too() -> None:
    template = {"template": {"metadata": {"labels": {"app": "a"}, "annotations": {}}}}
    assert desired({"spec": template}) == {"spec": {"template": {"metadata": {"labels": {"app": "a"}}}}}


LIVE = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {
        "name": "a",
        "namespace": "web",
        "uid": "1",
        "resourceVersion": "2",
        "generation": 3,
        "creationTimestamp": "now",
        "selfLink": "/a",
        "managedFields": [{}],
        "labels": {"app": "a"},
    },
    "data": {"key": "value"},
    "status": {"ready": True},
}


def test_what_the_server_keeps_for_itself_is_not_compared() -> None:
    before = copy.deepcopy(LIVE)
    assert comparable(LIVE) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "web", "labels": {"app": "a"}},
        "data": {"key": "value"},
    }
    assert before == LIVE


def test_what_does_not_exist_is_shown_as_nothing() -> None:
    assert (comparable(None), shown(None)) == ({}, {})


def test_a_config_map_is_shown_as_it_is() -> None:
    assert shown(LIVE)["data"] == {"key": "value"}


def secret(**parts: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "web"}, **parts}


SECRET_TEXT = st.text(alphabet="GHIJKLMNOPQRSTUVWXYZ", min_size=4)


@given(value=SECRET_TEXT, part=st.sampled_from(["data", "stringData"]))
def test_no_part_of_a_secret_is_shown(value: str, part: str) -> None:
    """Four letters are short enough to catch a leak, and capitals cannot occur in a hash."""
    text = json.dumps(shown(secret(**{part: {"key": value}})))
    assert [value[start : start + 4] for start in range(len(value) - 3) if value[start : start + 4] in text] == []


@given(SECRET_TEXT)
def test_the_copy_that_kubectl_keeps_is_not_shown_either(value: str) -> None:
    content = secret(data={"key": value})
    applied = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(content)}
    content["metadata"]["annotations"] = applied
    assert value not in json.dumps(shown(content))


def test_every_form_of_a_secret_is_known_to_whoever_hides_it() -> None:
    contents = [
        secret(data={"a": "cGFzcw==", "broken": "%"}, stringData={"b": "word", "deep": {"c": ["list", 5, None]}}),
        {"kind": "ConfigMap", "data": {"a": "open"}},
        secret(data=None),
    ]
    assert secrets_of(contents) - {""} == {"cGFzcw==", "pass", "%", "word", "list", "5"}


def test_a_changed_secret_is_seen_without_its_value() -> None:
    before, after = (shown(secret(data={"same": "QUFB", "other": value})) for value in ("QkJC", "Q0ND"))
    assert list(changed_fields(before, after)) == ["data.other"]


def test_showing_a_secret_does_not_change_it() -> None:
    content = secret(data={"key": "QUFB"})
    shown(content)
    assert content["data"] == {"key": "QUFB"}


@pytest.mark.parametrize(
    ("content", "key", "text"),
    [
        (LIVE, Key("v1", "ConfigMap", "web", "a"), "ConfigMap web/a"),
        (
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "b", "namespace": None}},
            Key("apps/v1", "Deployment", "", "b"),
            "Deployment b",
        ),
    ],
)
def test_keys(content: dict[str, Any], key: Key, text: str) -> None:
    assert Key.of(content) == key
    assert str(key) == text


def test_a_kind_is_known_by_its_group() -> None:
    assert Key("apps/v1", "Deployment", "", "b").group_kind == "Deployment.apps"
    assert Key("v1", "Secret", "", "b").group_kind == "Secret"
