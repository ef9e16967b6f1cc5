"""The request of the config module: manifests and lists become objects, or a sentence that says why not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.config import (
    Config,
    InvalidManifest,
    config_of_kind,
    config_of_many,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import GATEWAY, KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Key


def service(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "web"}}


def config(state: str = "present", **params: Any) -> Config:
    return config_of_many({"state": state, **params})


def sources(wanted: Config) -> dict[str, str]:
    return {desired.key.name: desired.source for desired in wanted.present}


def refused(content: Any) -> str:
    with pytest.raises(InvalidManifest) as refusal:
        config(objects=[service("a"), content])
    return str(refusal.value)


def test_each_object_knows_where_in_the_input_it_stands() -> None:
    items = [service("b"), {"kind": "ServiceList", "items": [service("c")]}]
    wanted = config(
        objects=[service("a"), {"apiVersion": "v1", "kind": "List", "items": items}],
        gateways=[{"name": "d", "namespace": "web"}, {"name": "e", "namespace": "web"}],
    )
    assert sources(wanted) == {
        "a": "objects[0]",
        "b": "objects[1]",
        "c": "objects[1]",
        "d": "gateways[0]",
        "e": "gateways[1]",
    }


def test_nothing_asked_is_nothing_wanted() -> None:
    assert config() == config(objects=None, gateways=None) == Config()
    assert config(objects=[{"kind": "List", "items": []}]) == Config()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({}, "it has no apiVersion, no kind, no metadata.name (text)"),
        ({"apiVersion": "v1", "kind": "Service"}, "it has no metadata.name (text)"),
        ({"apiVersion": "v1", "kind": "Service", "metadata": "a"}, "it has no metadata.name (text)"),
        ({"apiVersion": "v1", "kind": "Service", "metadata": {"name": 8080}}, "it has no metadata.name (text)"),
        ({"apiVersion": "v1", "kind": "", "metadata": {"name": "a"}}, "it has no kind (text)"),
        ({"apiVersion": 1, "kind": "Service", "metadata": {"name": "a"}}, "it has no apiVersion (text)"),
        ({"apiVersion": "v1", "kind": "List"}, "it has no metadata.name (text)"),
    ],
)
def test_a_manifest_that_is_none_says_what_is_missing(content: dict[str, Any], reason: str) -> None:
    assert refused(content) == (
        f"objects[1] is not an object of Kubernetes: {reason}. Every object needs apiVersion, kind and metadata.name."
    )


@pytest.mark.parametrize("item", ["text", None, 5, ["list"]])
def test_an_item_of_a_list_that_is_no_mapping_is_named(item: Any) -> None:
    content = {"kind": "List", "items": [service("b"), item]}
    assert refused(content).startswith("objects[1].items[1] is not an object of Kubernetes: it is no mapping")


def test_an_entrys_state_beats_the_tasks() -> None:
    entries = [
        {"name": "gone", "namespace": "web", "state": "absent"},
        {"name": "here", "namespace": "web", "state": "present"},
        {"name": "as-the-task-says", "namespace": "web", "state": None},
    ]
    present, absent = config("present", gateways=entries), config("absent", gateways=entries)
    assert list(sources(present)) == ["here", "as-the-task-says"]
    assert [key.name for key in present.absent] == ["gone"]
    assert list(sources(absent)) == ["here"]
    assert [key.name for key in absent.absent] == ["gone", "as-the-task-says"]


def test_manifests_can_be_asked_to_be_absent() -> None:
    assert config("absent", objects=[service("a")]).absent == (Key("v1", "Service", "web", "a"),)


def test_every_kind_has_its_list() -> None:
    params: dict[str, Any] = {kind.plural_name: [{"name": kind.name, "namespace": "web"}] for kind in KINDS}
    wanted = config(**params)
    assert {desired.key.kind for desired in wanted.present} == {kind.resource.kind for kind in KINDS}


def test_a_module_of_one_kind_asks_for_one_object() -> None:
    params = {"name": "a", "namespace": "web", "selector": {"istio": "ingress"}, "take_ownership_from": ["helm"]}
    wanted = config_of_kind(GATEWAY, {**params, "state": "present"})
    (desired,) = wanted.present
    assert (str(desired.key), desired.content["spec"]) == ("Gateway web/a", {"selector": {"istio": "ingress"}})
    assert wanted.take_ownership_from == ("helm",)
    assert [str(key) for key in config_of_kind(GATEWAY, {**params, "state": "absent"}).absent] == ["Gateway web/a"]
