"""Bad input of the config module, each with the place, the field and the reason that a person must be told.

What files alone can have wrong (tabs, bytes, duplicate keys) is in test_sources.py.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import yaml

from .failing import Options, Row, World

_ROUTE = {"destination": {"host": "reviews"}}


def _file(world: World, name: str, *documents: dict[str, Any]) -> Options:
    """Manifests in a file beside the playbook."""
    (world.folder / f"{name}.yaml").write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return {"src": f"{name}.yaml"}


def _crd(**parts: Any) -> dict[str, Any]:
    crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    return {**crd, "metadata": {"name": "widgets.example.com"}, **parts}


def _row(world: World, id: str, options: Options, code: str, *told: str) -> Row:
    return Row(id, "config", {**world.kubeconfig, **options}, code, told)


def _after_a_good_one(world: World, id: str, bad: dict[str, Any], code: str, *told: str) -> Row:
    """The second document of a file is bad; the first one must not be written."""
    good = world.manifest(f"good-{id.replace('_', '-')}", hosts=["good"])
    return _row(world, id, _file(world, id, good, bad), code, f"{id}.yaml, document 2", *told)


def kind_rows(world: World) -> list[Row]:
    """Kinds and versions that the server does not serve, and objects where they cannot be."""
    row = partial(_after_a_good_one, world)
    metadata = {"name": "subject", "namespace": world.ending}
    ending = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    homeless = {**ending, "metadata": {"name": "subject"}}
    return [
        row("kind", {**world.manifest(), "kind": "VirtualServce"}, "unknown_kind", "did you mean 'VirtualService'"),
        row(
            "version",
            {**world.manifest(), "apiVersion": "networking.istio.io/v2"},
            "unknown_kind",
            "the kind VirtualService of networking.istio.io/v2",
            "did you mean apiVersion 'networking.istio.io/v1'",
        ),
        row("no_place", homeless, "invalid", "objects of this kind live in a namespace", "Set its namespace"),
        row(
            "ending",
            ending,
            "namespace_terminating",
            f"ConfigMap {world.ending}/subject",
            "because it is being terminated",
            "when the namespace is gone",
        ),
        row(
            "ending_itself",
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.ending}},
            "being_deleted",
            f"Namespace {world.ending} on",
            "when it is gone",
        ),
        _row(world, "no_place_absent", {"objects": [homeless], "state": "absent"}, "invalid", "Set its namespace"),
        _row(
            world,
            "wanted_and_not",
            {"virtual_services": [{**metadata, "hosts": ["a"]}, {**metadata, "state": "absent"}]},
            "duplicate",
            "virtual_services[0] and virtual_services[1]",
        ),
    ]


def type_rows(world: World) -> list[Row]:
    """Values of a type that does not belong there, some of which only the server knows."""
    row = partial(_after_a_good_one, world)
    exact = [{"match": [{"uri": {"exact": 8080}}], "route": [_ROUTE]}]
    weighed = [{"route": [{**_ROUTE, "weight": "50"}, {**_ROUTE, "weight": "50"}]}]
    metadata = {**world.manifest()["metadata"], "labels": {"version": 0.10}}
    return [
        row("crd_without_spec", _crd(), "invalid", "spec.group: Required value"),
        row("crd_without_versions", _crd(spec={"versions": "y"}), "invalid", ".spec.versions", "expected list"),
        row("mapping_for_list", world.manifest(http={"route": []}), "invalid", ".spec.http", "expected list"),
        row("list_for_mapping", world.manifest(http=[{"retries": [1]}]), "invalid", ".spec.http[0].retries"),
        row(
            "number_deep", world.manifest(http=exact), "invalid", ".spec.http[0].match[0].uri.exact", "expected string"
        ),
        row("weights", world.manifest(http=weighed), "invalid", "spec.http[0].route[0].weight", "expected numeric"),
        row("number", world.manifest(hosts=[8080]), "invalid_manifest", "spec.hosts[0]", "put it in quotes"),
        row(
            "number_of_spec", world.manifest(exportTo=[0.10]), "invalid_manifest", "spec.exportTo[0]", "the number 0.1"
        ),
        row("label", {**world.manifest(), "metadata": metadata}, "invalid_manifest", "metadata.labels.version"),
        row("null", world.manifest(http=None), "invalid_manifest", "spec.http is null", "leave the field out"),
        row("null_deep", world.manifest(http=[{"timeout": None}]), "invalid_manifest", "spec.http[0].timeout is null"),
    ]


def option_rows(world: World) -> list[Row]:
    """The same in options, of which Ansible would make texts."""
    place = {"name": "subject", "namespace": world.namespace}
    told = ("must be text, but YAML reads it as the number 0.1", "in quotes")
    lists = {"virtual_services": [{**place, "hosts": ["good"]}, {**place, "name": "bad", "hosts": [0.10]}]}
    return [
        _row(world, "number_in_list", lists, "invalid_arguments", "'virtual_services[1].hosts[0]'", *told),
        Row(
            "number_in_kind",
            "virtual_service",
            {**world.kubeconfig, **place, "hosts": [0.10]},
            "invalid_arguments",
            ("'hosts[0]'", *told),
        ),
    ]


def size_rows(world: World) -> list[Row]:
    """What is too long or too large, from variables as from files."""

    def row(id: str, code: str, *told: str, **options: Any) -> Row:
        return _row(world, id, options, code, *told)

    long, large = world.manifest("a" * 254), world.manifest(hosts=["a" * 1_100_000])
    named = {"name": "b" * 254, "namespace": world.namespace, "hosts": ["a"]}
    told = "metadata.name has 254 characters, and a name has at most 253"
    return [
        row("long_name", "invalid_manifest", "objects[1]", told, objects=[world.manifest(), long]),
        row("long_name_in_list", "invalid_manifest", "virtual_services[0]", told, virtual_services=[named]),
        row("large", "invalid_manifest", "objects[0]", "an object may have 1 MB", objects=[large]),
    ]


def set_rows(world: World) -> list[Row]:
    """Sets that cannot be ours."""

    def row(id: str, code: str, *told: str, **options: Any) -> Row:
        one = {"objects": [world.manifest()], "set_namespace": world.namespace}
        return _row(world, id, {**one, **options}, code, *told)

    return [
        row("foreign_set", "foreign_set", "'kubectls'", "it belongs to 'kubectl'", "another name", set="kubectls"),
        row("no_set", "foreign_set", "'settings'", "it is no parent of a set", set="settings"),
        row("set_name", "invalid_manifest", "'set' is 'My Shop'", "lower-case", set="My Shop"),
        row("empty_set_name", "invalid_manifest", "'set' is ''", "leaves 'set' out", set=""),
        row("long_set_name", "invalid_manifest", "at most 90", set="a" * 91),
        row("prune_without_set", "invalid_manifest", "'prune' needs 'set'", prune=True),
        row("no_home", "not_found", "no-such-place", set="shop", set_namespace="no-such-place"),
    ]


TABLES = (kind_rows, type_rows, option_rows, size_rows, set_rows)
