# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a check looks at: the changes of a task, and the objects around them as they will be afterwards.

The same check runs in two worlds. One holds the input alone and asks nobody.
The other lays the planned changes over what the cluster has; each kind is read
when a check first asks for it, in one LIST, and never again.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import Forbidden, NotFound, UnknownKind
from ..kube.resources import POD, Resource
from ..reconcile.objects import Key
from ..reconcile.plan import Action
from .facts import REVISION_LABEL, ROOT_NAMESPACE
from .kinds import KINDS

Keys = Callable[[Object], Iterable[Hashable]]
_RESOURCES: Mapping[str, Resource] = {
    **{kind.resource.group_kind: kind.resource for kind in KINDS},
    POD.group_kind: POD,
}
# With changes in more namespaces than this, one LIST of the whole cluster is cheaper.
_FEW = 3


@dataclass(frozen=True)
class Change:
    """An object that is written or deleted: as it was, and as it will be."""

    key: Key
    before: Object | None
    after: Object | None
    source: str = ""

    @classmethod
    def of(cls, action: Action) -> Change:
        desired = action.desired.content if action.desired else None
        after = None if action.verb == "delete" else action.after or desired
        return cls(action.key, action.before, after, action.desired.source if action.desired else "")

    @property
    def means(self) -> bool:
        """Whether it changes what an object says, or which istiod reads it.

        Any other label that is put back is no reason to judge the rest.
        """
        if self.before is None or self.after is None or spec_of(self.before) != spec_of(self.after):
            return True
        return _revision(self.before) != _revision(self.after)


class World:
    """The objects of the changes, and nothing else: the input alone."""

    partial = False  # whether a part of the cluster could not be read

    def __init__(self, changes: Iterable[Change], root: str = ROOT_NAMESPACE) -> None:
        self.root = root
        self.changes: dict[str, list[Change]] = {}
        for change in changes:
            self.changes.setdefault(change.key.group_kind, []).append(change)
        self._places = {kind: {(c.key.namespace, c.key.name) for c in found} for kind, found in self.changes.items()}
        self._indices: dict[tuple[str, Keys], dict[Hashable, list[Object]]] = {}

    def live(self, group_kind: str, namespace: str = "") -> Sequence[Object]:
        """Objects as they are now; of one namespace, or all."""
        del group_kind, namespace
        return ()

    def objects(self, group_kind: str, namespace: str = "") -> list[Object]:
        """Objects as they will be; of one namespace, or all."""
        found = {identity(item): item for item in self.live(group_kind, namespace)}
        for change in self.changes.get(group_kind, ()):
            place = (change.key.namespace, change.key.name)
            if change.after is None:
                found.pop(place, None)
            elif namespace in ("", change.key.namespace):
                found[place] = change.after
        return list(found.values())

    def index(self, group_kind: str, keys: Keys) -> Mapping[Hashable, list[Object]]:
        """All objects of a kind by what a function finds in them: comparing each with each would take too long."""
        if (group_kind, keys) not in self._indices:
            index: dict[Hashable, list[Object]] = {}
            for item in self.objects(group_kind):
                for key in dict.fromkeys(keys(item)):
                    index.setdefault(key, []).append(item)
            self._indices[group_kind, keys] = index
        return self._indices[group_kind, keys]

    def sharing(self, change: Change, keys: Keys) -> Iterator[tuple[Hashable, Object]]:
        """Other objects of the kind with a key in common, that one istiod may read beside it.

        Of two changes, only the second names the first.
        """
        if change.after is None:
            return
        index, own = self.index(change.key.group_kind, keys), identity(change.after)
        changed = self._places[change.key.group_kind]
        for key in dict.fromkeys(keys(change.after)):
            for other in index.get(key, ()):
                place = identity(other)
                told_by_it = place in changed and place > own
                if place != own and not told_by_it and not _read_apart(change.after, other):
                    yield key, other


class ClusterWorld(World):
    """The cluster with the changes laid over it."""

    def __init__(self, client: Client, changes: Sequence[Change], root: str) -> None:
        super().__init__(changes, root)
        self._client = client
        self._namespaces = sorted({change.key.namespace for change in changes if change.key.namespace})
        self._read: dict[tuple[str, str], list[Object]] = {}

    def live(self, group_kind: str, namespace: str = "") -> Sequence[Object]:
        """Raises Forbidden when not even the namespaces of the changes may be read."""
        scope = namespace if len(self._namespaces) <= _FEW and (group_kind, "") not in self._read else ""
        if (group_kind, scope) not in self._read:
            self._read[group_kind, scope] = self._listed(_RESOURCES[group_kind], scope)
        found = self._read[group_kind, scope]
        return found if scope == namespace else [item for item in found if identity(item)[0] == namespace]

    def _listed(self, resource: Resource, namespace: str) -> list[Object]:
        try:
            return list(self._client.list_objects(resource, namespace or None))
        except (NotFound, UnknownKind):  # its CRD is only planned
            return []
        except Forbidden:
            if namespace or not self._namespaces:
                raise
            self.partial = True
            return [item for own in self._namespaces for item in self._client.list_objects(resource, own)]


def _read_apart(one: Object, other: Object) -> bool:
    """Whether both are for a revision each: an istiod reads what has no such label, and what has its own.

    The label is compared letter by letter, a tag means nothing there (Istio: pkg/config/model.go, LabelsInRevision).
    """
    revisions = {_revision(one), _revision(other)}
    return len(revisions) > 1 and "" not in revisions


def _revision(found: Object) -> str:
    return str(mapping(found["metadata"].get("labels")).get(REVISION_LABEL) or "")


def identity(found: Object) -> tuple[str, str]:
    return found["metadata"].get("namespace") or "", found["metadata"]["name"]


def named(found: Object) -> str:
    """An object in words."""
    return f"{found['kind']} {'/'.join(part for part in identity(found) if part)}"


def spec_of(found: Object | None) -> Mapping[str, Any]:
    return mapping((found or {}).get("spec"))


# Nobody has validated the input: a check takes what has the right shape and leaves the rest to the server.
def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def mappings(value: Any) -> list[Mapping[str, Any]]:
    return [mapping(item) for item in value] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def labels(value: Any) -> frozenset[tuple[str, str]]:
    return frozenset((key, str(item)) for key, item in mapping(value).items())
