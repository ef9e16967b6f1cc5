# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster has, read once: a kind by one LIST, one object by one GET, a few at a time.

What may not be read is no end of it: it is remembered, and whoever judges the
snapshot says what could not be judged. A kind that is not served has no objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..kube.client import Client, Object
from ..kube.errors import Forbidden, NotFound, UnknownKind
from ..kube.resources import Resource
from ..reconcile.parallel import each


@dataclass(frozen=True)
class Ask:
    """One question: a LIST, or with a name a GET. `required` objects must be readable.

    `keep` makes less of an object as soon as it has come, where there may be very many.
    """

    resource: Resource
    namespace: str | None = None
    labels: str = ""
    name: str = ""
    required: bool = field(default=False, compare=False)
    keep: Callable[[Object], Object] | None = None


@dataclass(frozen=True)
class Unread:
    """What was asked for and may not be read."""

    verb: str
    resource: Resource
    namespace: str
    reason: str

    def __str__(self) -> str:
        where = f" in {self.namespace}" if self.namespace else ""
        return f"'{self.verb}' on {self.resource.plural}{where}"


@dataclass(frozen=True)
class Snapshot:
    """The objects of a cluster by their kind, and what could not be read."""

    cluster: str
    kubernetes: str
    objects: Mapping[str, Sequence[Object]] = field(default_factory=dict)
    unread: tuple[Unread, ...] = ()
    asked: frozenset[Ask] = frozenset()

    def of(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        """The objects of a kind, of one namespace or all."""
        found = self.objects.get(resource.group_kind, ())
        return [item for item in found if namespace in (None, item["metadata"].get("namespace"))]

    def named(self, resource: Resource, name: str, namespace: str | None = None) -> Object | None:
        """The object of that name, in a namespace or in any."""
        if namespace is None:
            return next((item for item in self.of(resource) if item["metadata"]["name"] == name), None)
        return self._places.get(resource.group_kind, {}).get((namespace, name))

    @cached_property
    def _places(self) -> dict[str, dict[tuple[str, str], Object]]:
        """A cluster may have so many of a kind that a search for each would take minutes."""
        return {kind: {space_and_name(item): item for item in reversed(found)} for kind, found in self.objects.items()}

    def is_readable(self, resource: Resource) -> bool:
        return all(unread.resource != resource for unread in self.unread)


def read(client: Client, asks: Iterable[Ask]) -> Snapshot:
    """A first snapshot."""
    return read_more(client, Snapshot(client.name, str(client.version()["gitVersion"])), asks)


def read_more(client: Client, before: Snapshot, asks: Iterable[Ask]) -> Snapshot:
    """A snapshot with more in it; nothing is asked twice. Raises Forbidden for what is required."""
    todo = [ask for ask in dict.fromkeys(asks) if ask not in before.asked]
    objects = {kind: list(found) for kind, found in before.objects.items()}
    unread = list(before.unread)
    for ask, answer in zip(todo, each(lambda ask: _answer(client, ask), todo), strict=True):
        if isinstance(answer, Unread):
            unread.append(answer)
        else:
            there = objects.setdefault(ask.resource.group_kind, [])
            seen = {space_and_name(item) for item in there}
            there.extend(item for item in answer if space_and_name(item) not in seen)
    return Snapshot(before.cluster, before.kubernetes, objects, tuple(unread), before.asked | {*todo})


def _answer(client: Client, ask: Ask) -> list[Object] | Unread:
    try:
        if not ask.name:
            found = client.list_objects(ask.resource, ask.namespace, ask.labels)
            return list(map(ask.keep, found)) if ask.keep else list(found)
        one = client.get(ask.resource, ask.name, ask.namespace)
        return [one] if one else []
    except (NotFound, UnknownKind):
        return []
    except Forbidden as error:
        if ask.required:
            raise
        return Unread("get" if ask.name else "list", ask.resource, ask.namespace or "", error.reason)


def space_and_name(found: Object) -> tuple[str, str]:
    """Namespace and name."""
    return found["metadata"].get("namespace") or "", found["metadata"]["name"]
