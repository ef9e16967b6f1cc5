"""The table of kinds against the CRDs of every Istio that the bed has, both ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kind import Kind
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from integration.support import crds as istio
from integration.support.crds import VERSIONS, YOUNGEST, Crd

TYPES = {"string": "str", "integer": "int", "object": "dict", "array": "list"}
CRDs = Mapping[str, Mapping[str, Crd]]


@pytest.fixture(scope="module")
def crds() -> CRDs:
    return istio.crds()


def name_of(kind: Kind) -> str:
    return f"{kind.resource.plural}.{kind.resource.group}"


def specs(kind: Kind, crds: CRDs) -> Iterator[dict[str, Any]]:
    """The schema of the kind's spec in every Istio that has it."""
    for found in (crds[version][name_of(kind)] for version in VERSIONS if name_of(kind) in crds[version]):
        version = kind.resource.api_version.rpartition("/")[2]
        (served,) = (entry for entry in found["spec"]["versions"] if entry["name"] == version and entry["served"])
        yield served["schema"]["openAPIV3Schema"]["properties"]["spec"]


def keys(kind: Kind, crds: CRDs) -> dict[str, dict[str, Any]]:
    """What any of these schemas says of each first-level key."""
    return {key: schema for spec in specs(kind, crds) for key, schema in spec["properties"].items()}


by_name = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


def test_every_crd_is_a_kind(crds: CRDs) -> None:
    assert {name for version in VERSIONS for name in crds[version]} == {name_of(kind) for kind in KINDS}


def test_the_youngest_kind_is_as_young_as_we_say(crds: CRDs) -> None:
    assert [YOUNGEST in crds[version] for version in VERSIONS] == [False, False, True]
    older = {name_of(kind) for kind in KINDS} - {YOUNGEST}
    assert [older <= set(crds[version]) for version in VERSIONS] == [True, True, True]


@by_name
def test_a_kind_lives_where_the_crd_says(kind: Kind, crds: CRDs) -> None:
    found = crds[VERSIONS[-1]][name_of(kind)]["spec"]
    assert (found["names"]["kind"], found["scope"]) == (kind.resource.kind, "Namespaced")


@by_name
def test_options_are_exactly_the_first_level_keys(kind: Kind, crds: CRDs) -> None:
    assert sorted(option.field for option in kind.options.values()) == sorted(keys(kind, crds))


@by_name
def test_types_and_choices_fit(kind: Kind, crds: CRDs) -> None:
    for spec in specs(kind, crds):
        for option in (option for option in kind.options.values() if option.field in spec["properties"]):
            schema = spec["properties"][option.field]
            elements = schema.get("items", {}).get("type")
            assert (option.type, option.elements) == (TYPES[schema["type"]], elements and TYPES[elements])
            assert set(schema.get("enum", ())) <= set(option.choices)


@by_name
def test_every_choice_is_one_of_a_crd(kind: Kind, crds: CRDs) -> None:
    known = {key: set(schema.get("enum", ())) for key, schema in keys(kind, crds).items()}
    assert {option.field: set(option.choices) for option in kind.options.values()} == known


@by_name
def test_what_is_required_is_known(kind: Kind, crds: CRDs) -> None:
    for spec in specs(kind, crds):
        assert {option.field for option in kind.options.values() if option.required} == set(spec.get("required", ()))


def test_options_are_as_many_as_documented() -> None:
    assert sum(len(kind.options) for kind in KINDS) == 87
