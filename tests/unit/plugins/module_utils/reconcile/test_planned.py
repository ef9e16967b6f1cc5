"""The planned world travels as a host fact: whole, small, and without prose."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import Resource
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.planned import (
    RUN,
    Planned,
    PlannedWorlds,
)
from hypothesis import given
from hypothesis import strategies as st

CACHE = Path(os.environ.get("SERVICE_MESH_ISTIO_CACHE") or Path.home() / ".cache" / "service_mesh.istio")
BUILDS = CACHE / "builds"
EAST, WEST = "https://east:6443", "https://west:6443"
PROSE = "A sentence that explains, and explains again, what nobody reads. "
SCHEMA = {
    "type": "object",
    "description": PROSE,
    "properties": {
        "spec": {
            "type": "object",
            "required": ["description"],
            "properties": {
                "description": {"type": "string", "description": PROSE},
                "ports": {"type": "array", "items": {"type": "integer", "description": PROSE}},
            },
        }
    },
}
ESSENCE = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["description"],
            "properties": {
                "description": {"type": "string"},
                "ports": {"type": "array", "items": {"type": "integer"}},
            },
        }
    },
}


def crd(kind: str = "Widget", group: str = "example.com", scope: str = "Namespaced") -> dict[str, Any]:
    names = {"kind": kind, "plural": f"{kind.lower()}s"}
    versions = [
        {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": SCHEMA}},
        {"name": "v1old", "served": False, "storage": False, "schema": {"openAPIV3Schema": SCHEMA}},
    ]
    spec = {"group": group, "names": names, "scope": scope, "versions": versions}
    metadata = {"name": f"{names['plural']}.{group}"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": metadata,
        "spec": spec,
    }


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def crds_of_istio() -> list[dict[str, Any]]:
    """Those of the real charts where the bed has built them; else as many that weigh as much."""
    files = sorted(BUILDS.glob("charts-*/base/files/crd-all.gen.yaml"))
    if not files:
        return [crd(f"Widget{number}") for number in range(15)]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [document for document in yaml.load_all(files[-1].read_text(), Loader=loader) if document]


def test_a_kind_is_planned_in_the_versions_that_its_crd_serves() -> None:
    world = Planned().including([crd()])
    assert world.resource("example.com/v1", "Widget")
    assert [world.resource(f"example.com/{version}", "Widget") for version in ("v1old", "v9")] == [None, None]


def test_an_empty_world_is_an_empty_fact_and_back() -> None:
    assert PlannedWorlds().as_fact() == {"by_server": {}, "run": RUN}
    assert PlannedWorlds.of_this_run(PlannedWorlds().as_fact()) == PlannedWorlds.of_this_run(None) == PlannedWorlds()


def test_a_world_that_another_run_left_in_a_cache_is_forgotten() -> None:
    fact = PlannedWorlds().with_world(EAST, Planned({"a"})).as_fact()
    assert PlannedWorlds.of_this_run(fact).of(EAST).namespaces == {"a"}
    for old in ({**fact, "run": "another"}, {"namespaces": ["a"]}):
        assert PlannedWorlds.of_this_run(old) == PlannedWorlds()


def test_what_is_planned_for_one_cluster_is_not_for_another() -> None:
    """Tasks of one host may name several, by their contexts."""
    worlds = PlannedWorlds().with_world(EAST, Planned({"a"})).with_world(WEST, Planned({"b"}).including([crd()]))
    worlds = PlannedWorlds.of_this_run(json.loads(json.dumps(worlds.as_fact())))
    assert (worlds.of(EAST).namespaces, worlds.of(WEST).namespaces) == ({"a"}, {"b"})
    assert worlds.of(EAST).resource("example.com/v1", "Widget") is None
    assert worlds.of(WEST).resource("example.com/v1", "Widget")
    assert worlds.of("https://north") == Planned()
    assert worlds.with_world(EAST, Planned({"c"})).of(EAST).namespaces == {"c"}


def test_a_module_of_its_own_plans_in_the_run_that_called_it() -> None:
    """Its process has another number than the controller's, and hands back the one it was given."""
    worlds = PlannedWorlds.from_fact({**PlannedWorlds().as_fact(), "run": "the-controllers"})
    assert worlds.with_world(EAST, Planned({"a"})).as_fact()["run"] == "the-controllers"


@given(st.sets(st.text(alphabet="abc-", min_size=1)), st.sets(st.sampled_from(["Widget", "Gadget", "Thing"])))
def test_a_world_survives_its_journey_as_json(namespaces: set[str], kinds: set[str]) -> None:
    world = Planned().including([*map(namespace, namespaces), *map(crd, kinds)])
    assert Planned.from_fact(json.loads(json.dumps(world.as_fact()))) == world


def test_the_same_world_is_the_same_fact_in_every_order() -> None:
    names = ["b", "a", "c"]
    facts = [Planned().including(map(namespace, order)).as_fact() for order in (names, sorted(names))]
    assert facts[0] == facts[1]


def test_a_world_grows_without_changing_the_one_it_came_from() -> None:
    first = Planned().including([namespace("a")])
    second = first.including([namespace("b"), crd(), {"kind": "Service", "metadata": {"name": "s"}}])
    assert first.namespaces == {"a"}
    assert first.crds == {}
    assert second.namespaces == {"a", "b"}
    assert list(second.crds) == ["Widget.example.com"]


def without(content: Any, path: tuple[Any, ...], put: Any = None) -> Any:
    """A copy in which a field is absent, or another value."""
    changed = copy.deepcopy(content)
    inner = changed
    for step in path[:-1]:
        inner = inner[step]
    del inner[path[-1]]
    if put is not None:
        inner[path[-1]] = put
    return changed


_VERSION = ("spec", "versions", 0)
_SCHEMA = (*_VERSION, "schema", "openAPIV3Schema")
_NEEDED = [("spec",), ("spec", "group"), ("spec", "names"), ("spec", "names", "kind"), ("spec", "names", "plural")]
_ALSO_NEEDED = [("spec", "scope"), ("spec", "versions"), (*_VERSION, "name"), (*_VERSION, "schema"), _SCHEMA]


@pytest.mark.parametrize("path", [*_NEEDED, *_ALSO_NEEDED])
@pytest.mark.parametrize("put", [None, "y", 5, ["y"], [None]])
def test_a_crd_that_cannot_be_right_is_left_to_the_server(path: tuple[Any, ...], put: Any) -> None:
    """Whatever stands in it, nothing breaks: a text may well stand where the server wants another text."""
    world = Planned().including([without(crd(), path, put)])
    assert world.crds == {} or put is not None
    assert world.resource("example.com/v1", "Gadget") is None
    assert world.schema("example.com/v1", "Gadget") is None
    assert Planned.from_fact(json.loads(json.dumps(world.as_fact()))) == world


def test_a_version_is_served_only_where_the_crd_says_so() -> None:
    world = Planned().including([without(crd(), (*_VERSION, "served"))])
    assert world.resource("example.com/v1", "Widget") is None
    assert world.schema("example.com/v1", "Widget") is None


def test_a_planned_kind_has_a_place() -> None:
    world = Planned().including([crd(), crd("Globe", scope="Cluster")])
    assert world.resource("example.com/v1", "Widget") == Resource("example.com/v1", "Widget", "widgets")
    assert world.resource("example.com/v1", "Globe") == Resource("example.com/v1", "Globe", "globes", namespaced=False)
    assert world.resource("example.com/v1", "Other") is None
    assert world.resource("other.com/v1", "Widget") is None


def test_descriptions_are_dropped_but_a_property_of_that_name_is_kept() -> None:
    content = crd()
    before = copy.deepcopy(content)
    assert Planned().including([content]).schema("example.com/v1", "Widget") == ESSENCE
    assert content == before


def test_a_version_that_is_not_served_has_no_schema() -> None:
    world = Planned().including([crd()])
    assert world.schema("example.com/v1old", "Widget") is None
    assert world.schema("example.com/v2", "Widget") is None
    assert world.schema("example.com/v1", "Other") is None


def test_the_crds_of_istio_are_a_small_fact() -> None:
    """It travels with every task of a check-mode run."""
    crds = crds_of_istio()
    world = Planned().including(crds)
    assert len(world.crds) >= 14
    assert len(json.dumps(world.as_fact())) < 40_000
    spec = crds[0]["spec"]
    assert world.schema(f"{spec['group']}/{spec['versions'][0]['name']}", spec["names"]["kind"])
