"""An object is proved unchanged, or the server has to say: never the other way round."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import (
    Desired,
    annotation_paths,
    label_paths,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.proof import (
    WHOLE,
    KeyedLists,
    asks_nothing,
    is_unchanged,
)

MANAGER = "service_mesh.istio/config"
KEYED: KeyedLists = {("spec", "ports"): ("name",)}
CONTENT: dict[str, Any] = {
    "apiVersion": "networking.istio.io/v1",
    "kind": "ServiceEntry",
    "metadata": {"name": "shop", "namespace": "web", "labels": {"app.io/name": "shop"}},
    "spec": {"hosts": ["a", "b"], "ports": [{"name": "http", "number": 80}], "selector": {}, "flag": True},
}
# As the API server wrote it for the object above.
OWNED = {
    "f:metadata": {"f:labels": {"f:app.io/name": {}}},
    "f:spec": {
        "f:flag": {},
        "f:hosts": {},
        "f:ports": {'k:{"name":"http"}': {".": {}, "f:name": {}, "f:number": {}}},
        "f:selector": {},
    },
}


def live(**changes: Any) -> dict[str, Any]:
    """The object as the server has it: with what others and defaults have added."""
    entry = {"manager": MANAGER, "operation": "Apply", "apiVersion": "networking.istio.io/v1", "fieldsV1": OWNED}
    found = copy.deepcopy(CONTENT)
    found["metadata"] |= {"uid": "1", "managedFields": [{**entry, **changes}]}
    found["metadata"]["labels"]["other"] = "theirs"
    found["spec"]["exportTo"] = ["*"]
    found["spec"]["ports"].insert(0, {"name": "theirs", "number": 1})
    found["status"] = {}
    return found


def proved(desired: dict[str, Any], found: dict[str, Any], *drop: str) -> bool:
    return is_unchanged(Desired(desired, drops=label_paths(*drop)), found, MANAGER, KEYED)


def test_what_is_as_it_shall_be_is_proved() -> None:
    assert proved(CONTENT, live())


@pytest.mark.parametrize(
    "path",
    [("metadata", "labels", "app.io/name"), ("spec", "hosts"), ("spec", "ports", 0, "number"), ("spec", "flag")],
)
def test_any_other_value_is_not(path: tuple[str | int, ...]) -> None:
    desired = copy.deepcopy(CONTENT)
    place: Any = desired
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = 1 if path[-1] == "flag" else ["a"] if path[-1] == "hosts" else 81 if path[-1] == "number" else "x"
    assert not proved(desired, live())


@pytest.mark.parametrize("left_out", ["hosts", "ports", "selector", "flag"])
def test_what_the_inventory_drops_has_to_go(left_out: str) -> None:
    desired = copy.deepcopy(CONTENT)
    del desired["spec"][left_out]
    assert not proved(desired, live())


@pytest.mark.parametrize(
    "changes",
    [
        {"manager": "kubectl"},
        {"operation": "Update"},
        {"subresource": "status"},
        {"apiVersion": "networking.istio.io/v1beta1"},
        {"fieldsV1": {}},
    ],
)
def test_fields_have_to_be_ours_in_the_same_version(changes: dict[str, Any]) -> None:
    assert not proved(CONTENT, live(**changes))


def test_what_cannot_be_known_is_left_to_the_server() -> None:
    with_null, without_key = copy.deepcopy(CONTENT), copy.deepcopy(CONTENT)
    with_null["spec"]["flag"] = None
    without_key["spec"]["ports"] = [{"number": 80}]
    assert not proved(with_null, live())
    assert not proved(without_key, live())


def test_a_label_that_has_to_go_is_a_change() -> None:
    assert not proved(CONTENT, live(), "other")
    assert proved(CONTENT, live(), "absent")


def test_a_map_of_objects_is_owned_object_by_object() -> None:
    spec = {"portLevelMtls": {"8081": {"mode": "STRICT"}}}
    desired = {**CONTENT, "spec": spec}
    found = live(fieldsV1={**OWNED, "f:spec": {"f:portLevelMtls": {"f:8081": {".": {}, "f:mode": {}}}}})
    found["spec"] = spec
    assert is_unchanged(Desired(desired), found, MANAGER, {})


def test_another_shape_is_no_error() -> None:
    desired = copy.deepcopy(CONTENT)
    desired["spec"]["hosts"] = [{"a": ""}, 5]
    assert not proved(desired, live())


def test_what_is_to_be_dropped_or_retired_is_no_proof() -> None:
    """An object that says everything right is still to be written when another manager shall have no part in it."""
    found = live()
    found["metadata"]["annotations"] = {"theirs": "1"}
    found["metadata"]["managedFields"].append({"manager": "theirs", "operation": "Update", "fieldsV1": {}})
    assert is_unchanged(Desired(CONTENT), found, MANAGER, KEYED)
    for named, is_proved in (("theirs", False), ("gone", True)):
        assert is_unchanged(Desired(CONTENT, drops=annotation_paths(named)), found, MANAGER, KEYED) == is_proved
        assert is_unchanged(Desired(CONTENT, retires=(named,)), found, MANAGER, KEYED) == is_proved


def test_a_map_that_is_owned_as_a_whole_has_to_be_equal_as_a_whole() -> None:
    desired = {**CONTENT, "spec": {"selector": {"app": "shop"}}}
    owned = live(fieldsV1={**OWNED, "f:spec": {"f:selector": {}}})
    owned["spec"] = {"selector": {"app": "shop"}}
    keyed: KeyedLists = {("spec", "selector"): WHOLE}
    assert is_unchanged(Desired(desired), owned, MANAGER, keyed)
    assert not is_unchanged(Desired(desired), owned, MANAGER, {}), "field by field it would be owned otherwise"
    owned["spec"]["selector"]["version"] = "v1"
    assert not is_unchanged(Desired(desired), owned, MANAGER, keyed)


@pytest.mark.parametrize("name", ["finalizers", "ownerReferences"])
def test_metadata_whose_items_are_owned_one_by_one_is_left_to_the_server(name: str) -> None:
    desired, found = copy.deepcopy(CONTENT), live()
    desired["metadata"][name] = found["metadata"][name] = []
    found["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"][f"f:{name}"] = {}
    assert not proved(desired, found)


def test_items_have_an_order_and_stand_there_once() -> None:
    """Others' items may stand between them."""
    ports = [{"name": "http", "number": 80}, {"name": "tls", "number": 443}]
    fields: dict[str, Any] = {
        'k:{"name":"http"}': {"f:name": {}, "f:number": {}},
        'k:{"name":"tls"}': {"f:name": {}, "f:number": {}},
    }
    found = live(fieldsV1={"f:spec": {"f:ports": fields}})
    found["spec"]["ports"] = [ports[0], {"name": "theirs", "number": 1}, ports[1]]
    head = {key: CONTENT[key] for key in ("apiVersion", "kind")}
    for wanted, is_proved in ((ports, True), (ports[::-1], False), ([*ports, ports[0]], False)):
        desired = {**head, "metadata": {"name": "shop", "namespace": "web"}, "spec": {"ports": wanted}}
        assert proved(desired, found) == is_proved


def test_an_object_whose_managers_nobody_has_written_down_is_not_proved() -> None:
    """Even applying nothing writes down who has managed it before."""
    found = live()
    found["metadata"]["managedFields"] = []
    assert not proved({key: CONTENT[key] for key in ("apiVersion", "kind")} | {"metadata": {"name": "shop"}}, found)


def test_who_has_nothing_to_apply_and_owns_nothing_asks_nothing() -> None:
    """Whoever manages the object, and whether anybody does; but not while something of it is still ours, or goes."""
    identity = {"apiVersion": CONTENT["apiVersion"], "kind": CONTENT["kind"], "metadata": {"name": "shop"}}
    theirs, ours = live(manager="somebody"), live()
    unmanaged = live()
    unmanaged["metadata"]["managedFields"] = []
    assert [asks_nothing(Desired(identity), found, MANAGER) for found in (theirs, unmanaged, ours)] == [
        True,
        True,
        False,
    ]
    assert not asks_nothing(Desired(identity, drops=label_paths("other")), theirs, MANAGER)
    assert not asks_nothing(Desired(CONTENT), theirs, MANAGER)
