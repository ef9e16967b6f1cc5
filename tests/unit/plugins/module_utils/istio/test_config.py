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
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.yaml_text import InvalidSource
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
    text = 'file of src:["shop.yaml", "shop.yaml"]\n'
    text += "---\napiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
    assert sources(config(src=[text], objects=[service("b")])) == {"a": "shop.yaml, document 1", "b": "objects[0]"}
    assert [key.name for key in config("absent", src=[text]).absent] == ["a"]


def test_nothing_asked_is_nothing_wanted() -> None:
    assert config() == config(objects=None, gateways=None) == Config()
    assert config(objects=[{"kind": "List", "items": []}]) == Config()


PRUNING: dict[str, Any] = {"set": "shop", "set_namespace": None, "prune": True, "prune_limit": 10, "adopt": False}


@pytest.mark.parametrize("text", ["", "# routes\n", "---\n", "---\n# none\n---\nnull\n"])
def test_a_file_without_objects_prunes_nothing(text: str) -> None:
    file = 'file of src:["shop.yaml", "shop.yaml"]\n' + text
    with pytest.raises(InvalidSource) as refusal:
        config(src=[file], objects=[service("a")], **PRUNING)
    assert "'shop.yaml' of 'src' holds no object: there is nothing in it but comments" in str(refusal.value)
    assert "'src: []' says on purpose that nothing is meant" in str(refusal.value)
    assert sources(config(src=[file], objects=[service("a")])) == {"a": "objects[0]"}


def test_an_empty_file_among_others_of_a_folder_is_no_accident() -> None:
    text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"
    full = 'file of src:["routes/a.yaml", "routes"]\n' + text
    empty = 'file of src:["routes/b.yaml", "routes"]\n'
    for files in ([full, empty], [empty, full]):
        assert sources(config(src=files, **PRUNING)) == {"a": "routes/a.yaml, document 1"}
    named_itself = 'file of src:["routes/b.yaml", "routes", "routes/b.yaml"]\n'
    for files, told in (([empty], "'routes' of 'src'"), ([full, named_itself], "'routes/b.yaml' of 'src'")):
        with pytest.raises(InvalidSource, match=told):
            config(src=files, **PRUNING)


def test_saying_nothing_prunes_nothing_and_an_empty_list_says_it() -> None:
    with pytest.raises(InvalidManifest) as refusal:
        config(objects=None, **PRUNING)
    assert "'prune' would delete every member of the set 'shop'" in str(refusal.value)
    for option in ("src", "objects", "gateways"):
        assert config(**{**PRUNING, option: []}).present == ()
    assert config(**{**PRUNING, "prune": False}).present == ()


@pytest.mark.parametrize(("name", "hint"), [("", "A task without one leaves 'set' out"), ("A", "Give the set another")])
@pytest.mark.parametrize("more", [{"adopt": True}, {"prune": True}])
def test_a_set_without_a_name_is_not_no_set(name: str, hint: str, more: dict[str, Any]) -> None:
    with pytest.raises(InvalidManifest) as refusal:
        config(objects=[service("a")], **{**PRUNING, "prune": False, **more, "set": name})
    assert f"'set' is '{name}', which cannot be the name of a set" in str(refusal.value)
    assert hint in str(refusal.value)


def test_a_limit_below_nothing_limits_nothing() -> None:
    with pytest.raises(InvalidManifest, match="'prune_limit' cannot be -1"):
        config(objects=[service("a")], **{**PRUNING, "prune_limit": -1})
    assert config(objects=[service("a")], **{**PRUNING, "prune_limit": 0}).present


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
