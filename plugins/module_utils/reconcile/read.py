# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what is there, once.

Objects are identified by name, never by label. Many objects of a kind are read
by one paged LIST (one for each namespace where a cluster-wide LIST is
forbidden); a few, and Secrets always, one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..kube.client import Client, Object
from ..kube.errors import Forbidden, UnknownKind
from ..kube.resources import Resource
from .objects import Key
from .parallel import each

# From how many objects on a list is cheaper than asking for each: of a namespace, of the whole cluster.
_MANY = 5
_MANY_EVERYWHERE = 20
# Secrets that nobody asked for are never read; a list of CRDs brings the schemas of all other tools along.
_ALWAYS_BY_NAME = frozenset({"CustomResourceDefinition", "Secret"})

Keep = Callable[[Key, Object], bool]


@dataclass(frozen=True)
class _Reading:
    """One request, and the objects that are wanted of its answer: by name, or by listing a namespace or all of them."""

    resource: Resource
    keys: frozenset[Key]
    by_name: bool = False
    namespace: str | None = None


def read(client: Client, wanted: Mapping[Key, Resource], keep: Keep) -> dict[Key, Object]:
    """The live objects by key, without those that `keep` does not want to keep.

    A kind that is not served has no objects; who needs it finds out by writing.
    """
    readings = [reading for resource, keys in _by_resource(wanted).items() for reading in _readings(resource, keys)]
    found: dict[Key, Object] = {}
    for objects in each(lambda reading: _read(client, reading, keep), readings):
        found.update(objects)
    return found


def _by_resource(wanted: Mapping[Key, Resource]) -> dict[Resource, list[Key]]:
    grouped: dict[Resource, list[Key]] = defaultdict(list)
    for key, resource in wanted.items():
        grouped[resource].append(key)
    return grouped


def _readings(resource: Resource, keys: Sequence[Key]) -> Iterator[_Reading]:
    namespaces = {key.namespace for key in keys}
    many = _MANY if len(namespaces) == 1 else _MANY_EVERYWHERE
    if len(keys) < many or resource.kind in _ALWAYS_BY_NAME:
        yield from (_Reading(resource, frozenset({key}), by_name=True) for key in keys)
        return
    yield _Reading(resource, frozenset(keys), namespace=namespaces.pop() or None if len(namespaces) == 1 else None)


def _read(client: Client, reading: _Reading, keep: Keep) -> dict[Key, Object]:
    objects = _named(client, reading) if reading.by_name else _listed(client, reading)
    try:
        return {key: live for key, live in objects if keep(key, live)}
    except UnknownKind:
        return {}


def _named(client: Client, reading: _Reading) -> Iterator[tuple[Key, Object]]:
    for key in reading.keys:
        live = client.get(reading.resource, key.name, key.namespace or None)
        if live is not None:
            yield key, live


def _listed(client: Client, reading: _Reading) -> Iterator[tuple[Key, Object]]:
    try:
        yield from _list(client, reading, reading.namespace)
    except Forbidden:
        if reading.namespace or not reading.resource.namespaced:
            raise
        for namespace in sorted({key.namespace for key in reading.keys}):
            yield from _list(client, reading, namespace)


def _list(client: Client, reading: _Reading, namespace: str | None) -> Iterator[tuple[Key, Object]]:
    for live in client.list_objects(reading.resource, namespace):
        key = Key.of(live)
        if key in reading.keys:
            yield key, live
