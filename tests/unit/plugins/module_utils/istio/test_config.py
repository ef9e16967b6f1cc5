"""The request of the config module: manifests and lists become objects, or a sentence that says why not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.config import (
    Config,
    config_of_kind,
    config_of_many,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import GATEWAY, KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.manifests import InvalidManifest
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Key


def service(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "web"}}


def config(state: str = "present", **params: Any) -> Config:
    return config_of_many({"state": state, **params})


def sources(wanted: Config) -> dict[str, str]:
    return {desired.key.name: desired.source for desired in wanted.present}


def test_each_object_knows_where_in_the_input_it_stands() -> None:
    items = [service("b"), {"kind": "ServiceList", "items": [service("c")]}]
    wanted = config(
        objects=[service("a"), {"apiVersion": "v1", "kind": "List", "items": items}],
        gateways=[{"name": "d", "namespace": "web"}, {"name": "e", "namespace": "web"}],
    )
    assert sources(wanted) == {
        "a": "objects[0]",
        "b": "objects[1], items[0]",
        "c": "objects[1], items[1], items[0]",
        "d": "gateways[0]",
        "e": "gateways[1]",
    }


def test_what_is_no_object_is_refused_wherever_it_stands() -> None:
    with pytest.raises(InvalidManifest) as refusal:
        config(objects=[service("a"), {"kind": "List", "items": [{}]}], gateways=[{"name": "g", "namespace": "B"}])
    assert refusal.value.reason.startswith("objects[1], items[0]: apiVersion is missing; ")
    assert "gateways[0]: metadata.namespace is 'B', which cannot be the name of a namespace" in refusal.value.reason


def test_files_come_with_the_others() -> None:
    text = "file of src:shop.yaml\n---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
    assert sources(config(src=[text], objects=[service("b")])) == {"a": "shop.yaml, document 1", "b": "objects[0]"}
    assert [key.name for key in config("absent", src=[text]).absent] == ["a"]


def test_nothing_asked_is_nothing_wanted() -> None:
    assert config() == config(objects=None, gateways=None) == Config()
    assert config(objects=[{"kind": "List", "items": []}]) == Config()


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
