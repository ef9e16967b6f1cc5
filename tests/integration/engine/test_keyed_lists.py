"""The table of lists and maps that is behind every proof says what the API server says of its kinds."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.facts import KEYED_LISTS
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Path
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.proof import WHOLE
from integration.engine.samples import KUBERNETES_SAMPLES, Sample
from integration.support.bed import Cluster

Schemas = Mapping[str, Any]
ATOMIC = "x-kubernetes-map-type"


@pytest.mark.parametrize("sample", KUBERNETES_SAMPLES, ids=lambda sample: sample.id)
def test_lists_and_maps_are_owned_as_the_server_says(cluster: Cluster, sample: Sample) -> None:
    group, _, version = sample.resource.api_version.rpartition("/")
    described = cluster.kubectl(
        "get", "--raw", f"/openapi/v3/apis/{group}/{version}" if group else "/openapi/v3/api/v1"
    )
    schemas = json.loads(described)["components"]["schemas"]
    told = dict(_owned_apart(schemas, _of_kind(schemas, sample.id, group, version), ()))
    kept = {path: keys for path, keys in told.items() if path[0] not in ("metadata", "status")}
    assert kept == KEYED_LISTS[f"{sample.id}.{group}" if group else sample.id]


def _of_kind(schemas: Schemas, kind: str, group: str, version: str) -> Schemas:
    wanted = {"group": group, "kind": kind, "version": version}
    (found,) = (schema for schema in schemas.values() if wanted in schema.get("x-kubernetes-group-version-kind", []))
    return dict(found)


def _owned_apart(schemas: Schemas, schema: Schemas, path: Path) -> Iterator[tuple[Path, Sequence[str]]]:
    """Lists with keys, and maps that are owned as a whole; into these nobody has to look."""
    schema = _resolved(schemas, schema)
    keys = schema.get("x-kubernetes-list-map-keys")
    if schema.get(ATOMIC) == "atomic":
        yield path, WHOLE
    elif schema.get("type") == "array":
        if keys:
            yield path, tuple(keys)
            item = {key: value for key, value in _resolved(schemas, schema["items"]).items() if key != ATOMIC}
            yield from _owned_apart(schemas, item, path)
    else:
        for name, value in (schema.get("properties") or {}).items():
            yield from _owned_apart(schemas, value, (*path, name))


def _resolved(schemas: Schemas, schema: Schemas) -> dict[str, Any]:
    """With what it refers to, on which it lays its own marks."""
    references = [schema, *schema.get("allOf", [])]
    named = [entry["$ref"].rpartition("/")[2] for entry in references if "$ref" in entry]
    return {**(schemas[named[0]] if named else {}), **{key: value for key, value in schema.items() if key != "allOf"}}
