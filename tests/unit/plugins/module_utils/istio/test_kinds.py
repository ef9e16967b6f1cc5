"""The table of kinds: well-formed, true to itself, and mapping first-level names only."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kind import Kind, manifest, module_options
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import (
    DESTINATION_RULE,
    GATEWAY_API_RANKS,
    KINDS,
    PEER_AUTHENTICATION,
    RANKS,
    RESOURCES,
    WORKLOAD_ENTRY,
)
from hypothesis import given
from hypothesis import strategies as st

# What every object has beside its spec: an option of that name would hide it.
BESIDE = {"name", "namespace", "labels", "annotations", "state"}
# Pairs of a safe order: what stands first has to be there before what stands second.
BEFORE = (
    ("ServiceEntry", "DestinationRule"),
    ("WorkloadGroup", "DestinationRule"),
    ("WorkloadEntry", "DestinationRule"),
    ("DestinationRule", "VirtualService"),
    ("Gateway", "VirtualService"),
    ("RequestAuthentication", "AuthorizationPolicy"),
    ("AuthorizationPolicy", "PeerAuthentication"),
    ("PeerAuthentication", "Sidecar"),
)
USERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def snake(camel: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in camel).lstrip("_")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
class TestEveryKind:
    """What holds for each row."""

    def test_names_follow_from_the_kind(self, kind: Kind) -> None:
        assert kind.name == snake(kind.resource.kind)
        assert kind.resource.plural == kind.plural_name.replace("_", "")
        assert kind.resource.plural.startswith(kind.resource.kind.lower()[:-1])
        assert kind.resource.namespaced
        assert kind.resource.group.endswith(".istio.io")

    def test_options_are_the_first_level_in_snake_case(self, kind: Kind) -> None:
        """A name that every object has beside its spec is another one's: `spec_labels`."""
        rule = {name: snake(option.field) for name, option in kind.options.items()}
        assert list(rule) == [f"spec_{name}" if name in BESIDE else name for name in rule.values()]

    def test_options_are_typed(self, kind: Kind) -> None:
        assert [name for name, option in kind.options.items() if (option.type == "list") != bool(option.elements)] == []
        assert [name for name, option in kind.options.items() if option.choices and option.type != "str"] == []

    def test_nothing_given_is_an_empty_spec(self, kind: Kind) -> None:
        assert manifest(kind, {"name": "a", "namespace": "b", **dict.fromkeys(kind.options)}) == {
            "apiVersion": kind.resource.api_version,
            "kind": kind.resource.kind,
            "metadata": {"name": "a", "namespace": "b"},
            "spec": {},
        }


def test_names_and_resources_are_each_unique() -> None:
    names, plurals = {kind.name for kind in KINDS}, {kind.plural_name for kind in KINDS}
    assert len(names) == len(plurals) == len(RESOURCES) == len(RANKS) - len(GATEWAY_API_RANKS) == len(KINDS) == 15


@pytest.mark.parametrize(("first", "second"), BEFORE)
def test_what_is_needed_comes_first(first: str, second: str) -> None:
    ranks = {kind.resource.kind: kind.rank for kind in KINDS}
    assert ranks[first] < ranks[second]


@given(st.data())
def test_what_stands_below_the_first_level_is_never_converted(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    values = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(kind.options, USERS)))
    before = copy.deepcopy(values)
    spec = manifest(kind, {"name": "a", "namespace": "b", **values})["spec"]
    assert spec == {kind.options[name].field: value for name, value in before.items() if value is not None}
    assert values == before


@pytest.mark.parametrize("value", [False, 0, "", [], {}])
def test_what_is_given_and_empty_is_sent(value: Any) -> None:
    """`mtls: {}` is not the same as no mtls at all."""
    assert manifest(PEER_AUTHENTICATION, {"name": "a", "namespace": "b", "mtls": value})["spec"] == {"mtls": value}


def test_labels_and_annotations_go_into_the_metadata() -> None:
    values = {"name": "a", "namespace": "b", "labels": {"x": "y"}, "annotations": {}, "host": "h", "unknown": 1}
    assert manifest(DESTINATION_RULE, values) == {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "a", "namespace": "b", "labels": {"x": "y"}, "annotations": {}},
        "spec": {"host": "h"},
    }


def test_an_option_that_the_connection_has_is_renamed() -> None:
    names = module_options(DESTINATION_RULE, {"host", "context"})
    assert names["host"] == "spec_host"
    assert {name for name, renamed in names.items() if name != renamed} == {"host"}


def test_labels_of_a_workload_are_not_those_of_its_object() -> None:
    found = manifest(WORKLOAD_ENTRY, {"name": "a", "namespace": "b", "labels": {"x": "y"}, "spec_labels": {"app": "c"}})
    assert (found["metadata"]["labels"], found["spec"]) == ({"x": "y"}, {"labels": {"app": "c"}})
