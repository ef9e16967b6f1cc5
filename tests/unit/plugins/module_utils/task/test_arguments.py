"""Argument specs: composed without loss, true to Ansible's rules, and one connection for all."""

from __future__ import annotations

from dataclasses import fields

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kind import Kind
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.task.arguments import (
    CONNECTION,
    ArgumentSpec,
    spec_of_kind,
    spec_of_lists,
)


def test_specs_are_added_with_their_rules() -> None:
    one = ArgumentSpec({"a": {}}, {"mutually_exclusive": [("a", "b")]})
    two = ArgumentSpec({"b": {}}, {"mutually_exclusive": [("b", "c")], "required_together": [("a", "c")]})
    assert one + two == ArgumentSpec(
        {"a": {}, "b": {}}, {"mutually_exclusive": [("a", "b"), ("b", "c")], "required_together": [("a", "c")]}
    )


def test_the_connections_options_are_those_of_the_layer_below() -> None:
    assert set(CONNECTION.options) == {field.name for field in fields(ConnectionOptions)}
    defaults = {field.name: field.default for field in fields(ConnectionOptions)}
    assert {name: option.get("default") for name, option in CONNECTION.options.items()} == defaults


def test_every_secret_of_the_connection_is_kept_out_of_logs() -> None:
    assert {name for name, option in CONNECTION.options.items() if option.get("no_log")} == {
        "api_key",
        "password",
        "proxy_headers",
    }


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_entry_of_a_list_takes_what_the_kind_takes_and_a_state(kind: Kind) -> None:
    entry = dict(spec_of_lists().options[kind.plural_name]["options"])
    assert entry.pop("state") == {"type": "str", "choices": ["present", "absent"]}
    assert entry == spec_of_kind(kind).options
    assert {"name", "namespace", "labels", "annotations"} <= set(entry)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_options_may_have_other_names_and_stay_the_same(kind: Kind) -> None:
    first = next(iter(kind.options))
    plain, renamed = spec_of_kind(kind).options, spec_of_kind(kind, {first: "other"}).options
    assert renamed["other"] == plain[first]
    assert set(plain) ^ set(renamed) == {first, "other"}
