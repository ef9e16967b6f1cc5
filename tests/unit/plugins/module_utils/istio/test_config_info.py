"""Asking for objects: which kinds a request names, and what no answer may tell."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.config_info import (
    BlankEntry,
    InvalidKindName,
    Query,
    _plain,
    query,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from hypothesis import given
from hypothesis import strategies as st

NOTHING: dict[str, Any] = {
    "kinds": [],
    "namespaces": [],
    "names": [],
    "label_selectors": [],
    "managed_fields": False,
}
FIELDS = [{"manager": "kubectl", "fieldsV1": {"f:data": {"f:a-key": {}}}}]


def test_nothing_named_is_everything() -> None:
    assert query(NOTHING) == Query()


def test_every_kind_of_istio_has_a_name() -> None:
    asked = query({**NOTHING, "kinds": [kind.name for kind in KINDS]})
    assert asked.kinds == tuple((kind.resource.api_version, kind.resource.kind) for kind in KINDS)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("HTTPRoute/gateway.networking.k8s.io/v1", ("gateway.networking.k8s.io/v1", "HTTPRoute")),
        ("Service/v1", ("v1", "Service")),
        ("VirtualService/networking.istio.io/v1beta1", ("networking.istio.io/v1beta1", "VirtualService")),
    ],
)
def test_any_other_kind_is_named_with_its_version(name: str, kind: tuple[str, str]) -> None:
    assert query({**NOTHING, "kinds": [name]}).kinds == (kind,)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("virtual_services", "virtual_service"),
        ("VirtualService", "virtual_service"),
        ("v1/Service", ""),
        ("Service", ""),
        ("service/v1", ""),
        ("Service/../v1", ""),
        ("", ""),
    ],
)
def test_what_names_no_kind_is_refused(name: str, near: str) -> None:
    with pytest.raises(InvalidKindName, match=f"There is no kind '{name}'") as refused:
        query({**NOTHING, "kinds": ["gateway", name]})
    assert (f"did you mean '{near}'" in str(refused.value)) == bool(near)


def test_what_is_named_twice_is_read_once() -> None:
    twice = {**NOTHING, "kinds": ["gateway", "gateway"], "namespaces": ["b", "a", "b"], "names": ["x", "x"]}
    asked = query(twice)
    assert (len(asked.kinds), asked.namespaces, asked.names) == (1, ("b", "a"), ("x",))


def test_all_conditions_on_labels_have_to_hold() -> None:
    assert query({**NOTHING, "label_selectors": ["team=shop", "stage in (a, b)"]}).labels == "team=shop,stage in (a, b)"


@pytest.mark.parametrize("option", ["namespaces", "names", "label_selectors"])
@pytest.mark.parametrize("blank", ["", " "])
def test_an_entry_without_text_is_not_everything(option: str, blank: str) -> None:
    with pytest.raises(BlankEntry, match=rf"^{option}\[1\] is empty: .* without '{option}' everything is read"):
        query({**NOTHING, option: ["a", blank]})


@pytest.mark.parametrize("managed_fields", [True, False])
@given(value=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=24, max_size=64))
def test_secrets_are_never_told(managed_fields: bool, value: str) -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps({"data": {"password": value}})}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a", "annotations": annotations, "managedFields": FIELDS},
        "data": {"password": value},
    }
    told = _plain(secret, managed_fields)
    assert value not in json.dumps(told)
    assert (told["metadata"]["name"], list(told["data"])) == ("a", ["password"])


@pytest.mark.parametrize("managed_fields", [True, False])
def test_any_other_object_is_told_as_it_is(managed_fields: bool) -> None:
    found = {"kind": "Gateway", "metadata": {"name": "a", "uid": "1", "managedFields": FIELDS}, "status": {"x": 1}}
    told = _plain(found, managed_fields)
    assert told["metadata"].pop("managedFields", None) == (FIELDS if managed_fields else None)
    assert told == {"kind": "Gateway", "metadata": {"name": "a", "uid": "1"}, "status": {"x": 1}}
