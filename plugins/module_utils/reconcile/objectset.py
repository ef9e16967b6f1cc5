# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Object sets: which objects a task owns together, so that what leaves the input can leave the cluster.

A set follows the Kubernetes ApplySet specification (KEP-3659): a parent
ConfigMap holds the tool and hints where members are, members carry a label.
Before writing the hints are widened to what was and what will be; a run that
prunes makes them exact afterwards, any other leaves members behind that only
the hints lead to. In between the parent names the run that is writing: so each
run that writes changes the parent, and whoever has planned before it notices.
A set of another tool is refused by the tool's name.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import Failure, Forbidden, UnknownKind
from ..kube.resources import CONFIG_MAP, NAMESPACE, Resource
from ..kube.text import listed
from .objects import PART_OF, Desired, Key, label_paths, version_of
from .ownership import manages
from .plan import Plan
from .planned import Planned

(_LABEL,) = label_paths(PART_OF)
_ID = "applyset.kubernetes.io/id"
_TOOLING = "applyset.kubernetes.io/tooling"
_KINDS = "applyset.kubernetes.io/contains-group-kinds"
_NAMESPACES = "applyset.kubernetes.io/additional-namespaces"
_CHANGED_BY = "service-mesh-istio/being-changed-by"
TOOL = "service_mesh.istio"
_TOOL_VERSION = f"{TOOL}/v0"  # the specification wants a version; ours says which form of sets this is

# Taking one of these away takes other things along, or the trust of a mesh.
_NEVER_PRUNED_KINDS = frozenset({"Namespace", "CustomResourceDefinition.apiextensions.k8s.io"})
_NEVER_PRUNED_NAMES = frozenset({("Secret", "cacerts")})


class ForeignSet(Failure):
    """The set belongs to another tool."""

    code = "foreign_set"


class NotInSet(Failure):
    """Objects that exist already and are not in the set."""

    code = "not_in_set"


class SetNamespace(Failure):
    """The set would have to be kept in a namespace that is not there all the time."""

    code = "set_namespace"


class PruneLimit(Failure):
    """More would be pruned than the task allows."""

    code = "prune_limit"


@dataclass(frozen=True)
class ObjectSet:
    """The set of one task."""

    name: str
    namespace: str
    prune: bool = False
    prune_limit: int = 10
    adopt: bool = False

    @property
    def id(self) -> str:
        """As the specification derives it from the parent's name, namespace, kind and group."""
        digest = hashlib.sha256(f"{self.name}.{self.namespace}.ConfigMap.".encode()).digest()
        return f"applyset-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}-v1"

    @property
    def parent(self) -> Key:
        return Key("v1", "ConfigMap", self.namespace, self.name)

    def member(self, desired: Desired) -> Desired:
        """The desired object with the label of a member."""
        metadata = desired.content["metadata"]
        labels = {**(metadata.get("labels") or {}), PART_OF: self.id}
        content = {**desired.content, "metadata": {**metadata, "labels": labels}}
        return replace(desired, content=content)

    def parent_of(self, keys: Iterable[Key], live: Object | None = None, changed_by: str = "") -> Desired:
        """The parent with the hints for some members, beside those that a live one has, and the run that is writing."""
        members = list(keys)
        kinds = {*(key.group_kind for key in members), *_group_kinds(live)}
        namespaces = {*(key.namespace for key in members), *_namespaces(live)} - {"", self.namespace}
        annotations = {
            _TOOLING: _TOOL_VERSION,
            _KINDS: ",".join(sorted(kinds)),
            **({_NAMESPACES: ",".join(sorted(namespaces))} if namespaces else {}),
            **({_CHANGED_BY: changed_by} if changed_by else {}),
        }
        place = {"name": self.name, "namespace": self.namespace}
        metadata = {**place, "labels": {_ID: self.id}, "annotations": annotations}
        return Desired({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}, f"set {self.name}")


@dataclass
class OpenSet:
    """A set as it is in a cluster, and what a task makes of it."""

    of: ObjectSet
    live: Object | None
    members: list[Desired] = field(default_factory=list)
    pruned: list[Key] = field(default_factory=list)

    @property
    def present(self) -> list[Desired]:
        """The members, and the parent as it is when all is done: what was not pruned has to be found another time."""
        left = None if self.of.prune else self.live
        return [*self.members, self.of.parent_of((desired.key for desired in self.members), left)]

    @property
    def warnings(self) -> list[str]:
        """What a task should know about its set."""
        if self.live is not None or not self.of.prune:
            return []
        return [
            f"'prune' has nothing to look at: the set '{self.of.name}' in {self.of.namespace} does not exist yet, "
            "so no object was ours and none is pruned. What this run applies is in the set from now on."
        ]

    def widened(self, holder: str) -> Desired:
        """The parent while a run writes, with hints for what was and what will be."""
        return self.of.parent_of([*(desired.key for desired in self.members), *self.pruned], self.live, holder)

    def has_changed(self, client: Client) -> bool:
        """Whether a run has written since the set was read, or was in the middle of it then."""
        now = client.get(CONFIG_MAP, self.of.name, self.of.namespace)
        return version_of(now) != version_of(self.live) or bool(_annotation(self.live, _CHANGED_BY))

    def refuse_strangers(self, plan: Plan) -> None:
        """Raise NotInSet for objects that exist outside of the set, unless the task adopts them."""
        ours = {desired.key for desired in self.members}
        existing = [action for action in plan.actions if action.key in ours]
        strangers = [action for action in existing if _is_stranger(action.before, self.of.id)]
        if strangers and not self.of.adopt:
            names = ", ".join(str(action.key) for action in strangers[:10])
            raise NotInSet(
                f"There are objects already that are not in the set '{self.of.name}'",
                subject=str(strangers[0].key),
                reason=names,
                hint="Say 'adopt: true' to take them into the set, or leave them out",
            )

    def refuse_own_namespace(self, plan: Plan, planned: Planned) -> None:
        """Raise SetNamespace where the namespace of parent and lock comes or goes with what is written under them."""
        place = self.of.namespace
        home = Key(NAMESPACE.api_version, NAMESPACE.kind, "", place)
        verbs = {action.verb for action in plan.writes if action.key == home}
        coming, going = "create" in verbs, "delete" in verbs
        if going or (coming and place not in planned.namespaces):
            when, what = ("after", "deletes") if going else ("before", "creates")
            raise SetNamespace(
                f"The set '{self.of.name}' cannot be kept in {place}",
                subject=f"Namespace {place}",
                reason=f"the task {what} this namespace itself, and the set and its lock have to be there all the time",
                hint=f"Let a task {when} this one do that, or name another namespace by 'set_namespace'",
            )


def open_set(client: Client, of: ObjectSet, manager: str, desired: Sequence[Desired], absent: Sequence[Key]) -> OpenSet:
    """Read the set, whose members a manager applies, and find what would be pruned. Raises ForeignSet or PruneLimit."""
    live = client.get(CONFIG_MAP, of.name, of.namespace)
    _refuse_foreign(of, live)
    members = [of.member(one) for one in desired]
    staying = {_identity(one.key) for one in members} | {_identity(key) for key in absent}
    pruned = [key for key in _members(client, of, manager, live) if _identity(key) not in staying] if of.prune else []
    if len(pruned) > of.prune_limit:
        raise PruneLimit(
            f"{len(pruned)} objects of the set '{of.name}' would be pruned, and 'prune_limit' is {of.prune_limit}",
            subject=f"set {of.name}",
            reason=listed([str(key) for key in pruned], 10, ", "),
            hint="Look at the list; raise 'prune_limit' if all of them shall go",
        )
    return OpenSet(of, live, members, pruned)


def _refuse_foreign(of: ObjectSet, live: Object | None) -> None:
    if live is None:
        return
    tooling = str((live["metadata"].get("annotations") or {}).get(_TOOLING, ""))
    tool = tooling.rpartition("/")[0] or tooling
    if tool != TOOL:
        raise ForeignSet(
            f"The set '{of.name}' in {of.namespace} is not ours",
            subject=str(of.parent),
            reason=f"it belongs to '{tool}'"
            if tool
            else "a ConfigMap of that name exists, and it is no parent of a set",
            hint="Choose another name for 'set' (or another 'set_namespace')",
        )


def _members(client: Client, of: ObjectSet, manager: str, live: Object | None) -> Iterator[Key]:
    """Everything that has the set's label from us, of the kinds and in the places that the parent names.

    Controllers copy labels to what they make: istiod those of a Gateway to its Deployment and Service, Kubernetes those
    of a Service to its Endpoints. That is theirs.
    """
    for hint in _group_kinds(live):
        if hint in _NEVER_PRUNED_KINDS:
            continue
        for found in _labelled(client, of, live, hint):
            key = Key.of(found)
            if (key.kind, key.name) not in _NEVER_PRUNED_NAMES and manages(found, manager, _LABEL):
                yield key


def _labelled(client: Client, of: ObjectSet, live: Object | None, group_kind: str) -> list[Object]:
    """The members of a kind, in the first version in which it is served; a kind that is gone has none."""
    for resource in client.served(group_kind):
        try:
            return _listed(client, of, live, resource)
        except UnknownKind:
            continue
    return []


def _listed(client: Client, of: ObjectSet, live: Object | None, resource: Resource) -> list[Object]:
    selector = f"{PART_OF}={of.id}"
    try:
        return list(client.list_objects(resource, labels=selector))
    except Forbidden:
        if not resource.namespaced:
            raise
        places = [of.namespace, *_namespaces(live)]
        return [found for place in places for found in client.list_objects(resource, place, labels=selector)]


def _is_stranger(before: Object | None, own: str) -> bool:
    return before is not None and (before["metadata"].get("labels") or {}).get(PART_OF) != own


def _identity(key: Key) -> tuple[str, str, str]:
    return key.group_kind, key.namespace, key.name


def _annotation(live: Object | None, name: str) -> list[str]:
    annotations: dict[str, Any] = ((live or {}).get("metadata") or {}).get("annotations") or {}
    return [part for part in str(annotations.get(name) or "").split(",") if part]


def _group_kinds(live: Object | None) -> list[str]:
    return _annotation(live, _KINDS)


def _namespaces(live: Object | None) -> list[str]:
    return _annotation(live, _NAMESPACES)
