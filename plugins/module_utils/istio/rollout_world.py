# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout reads of a cluster: pages of Pods one at a time, of which little is kept."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import Forbidden
from ..kube.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    POD,
    Resource,
)
from ..reconcile.parallel import each
from .desired_proxies import desired_asks, istiod_asks
from .remote_record import Remote, record_asks, remotes_of
from .restart_marker import restarted_on
from .restarts import CONTROLLERS
from .rollout_pods import Essences, SeenPod, essential_spec, seen_pods
from .rollout_waves import Claims, Known, Place, RolloutError, Wave, unknown_namespace
from .snapshot import Ask, Snapshot, read, read_more
from .status import proxy_versions

# Fewer namespaces are cheaper to read one by one than among all others.
_ONE_BY_ONE = 10
_KEPT = ("name", "namespace", "generation", "labels", "deletionTimestamp")
_OF_SPEC = ("replicas", "selector", "strategy", "updateStrategy", "paused", "minReadySeconds")


@dataclass(frozen=True)
class Scope:
    """Whose Pods are looked at: those of some namespaces, of those with some labels, or all."""

    namespaces: tuple[str, ...] | None = None
    selector: str = ""
    allow_partial: bool = False

    @property
    def is_limited(self) -> bool:
        return self.namespaces is not None or bool(self.selector)


@dataclass
class World:
    """What there is, in the namespaces of a scope."""

    snapshot: Snapshot
    namespaces: dict[str, Object] = field(default_factory=dict)
    workloads: dict[Place, Object] = field(default_factory=dict)
    pods: list[SeenPod] = field(default_factory=list)
    budgets: dict[str, list[Object]] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    unversioned: tuple[Remote, ...] = ()

    def budgets_in(self, namespace: str) -> Sequence[Object]:
        return self.budgets.get(namespace, ())


def world_of(snapshot: Snapshot, names: Collection[str] | None = None) -> World:
    """The same, of a cluster that has been read for another purpose."""
    spaces = {found["metadata"]["name"]: found for found in snapshot.of(NAMESPACE)}
    chosen = {name: found for name, found in spaces.items() if names is None or name in names}

    def inside(resource: Resource) -> Iterator[Object]:
        return (found for found in snapshot.of(resource) if found["metadata"]["namespace"] in chosen)

    world = World(snapshot, chosen)
    for resource in CONTROLLERS.values():
        _add_workloads(world, inside(resource))
    _add_budgets(world, inside(DISRUPTION_BUDGET))
    world.pods += seen_pods(inside(POD), Essences())
    return world


def read_world(client: Client, scope: Scope) -> World:
    """Everything that a plan needs. Raises RolloutError for namespaces that may not be read."""
    first = read(client, [Ask(MUTATING_WEBHOOKS, required=True)])
    second = read_more(client, first, [*istiod_asks(first), *desired_asks(first)])
    snapshot = read_more(client, second, record_asks(second))
    unversioned = tuple(one for one in remotes_of(snapshot) if not one.version)
    _require_versions(snapshot, unversioned, scope)
    world = World(snapshot, _namespaces(client, scope), versions=proxy_versions(snapshot), unversioned=unversioned)
    _fill(client, world, scope)
    world.snapshot = replace(snapshot, objects={**snapshot.objects, **_objects(world)})
    return world


def _require_versions(snapshot: Snapshot, unversioned: Iterable[Remote], scope: Scope) -> None:
    """Without the istiods, or what is recorded of those elsewhere, nothing would differ by its version.

    Nobody would know why nothing restarts.
    """
    lacking = {(DEPLOYMENT, one.namespace) for one in snapshot.unread}
    lacking |= {(CONFIG_MAP, one.namespace) for one in unversioned}
    unread = next((one for one in snapshot.unread if (one.resource, one.namespace) in lacking), None)
    if unread and not scope.allow_partial:
        raise RolloutError(
            f"Which version new proxies would have is not known on {snapshot.cluster}",
            subject=f"Namespace {unread.namespace}",
            reason=f"{unread} is forbidden ({unread.reason})",
            hint="Grant it (examples/rbac/rollout.yaml), or say 'allow_partial: true' to compare all else",
        )


def _objects(world: World) -> dict[str, Sequence[Object]]:
    """What has been read page by page, for those who judge a snapshot."""
    kinds = {
        resource.group_kind: [found for place, found in world.workloads.items() if place.kind == resource.kind]
        for resource in CONTROLLERS.values()
    }
    return {NAMESPACE.group_kind: list(world.namespaces.values()), **kinds}


def claims_of(client: Client, waves: Sequence[Wave]) -> Claims:
    """What waves claim; which namespaces their selectors mean, says the server. Raises RolloutError."""
    selectors = dict.fromkeys(wave.selector for wave in waves if wave.selector)
    matching = {
        one: {found["metadata"]["name"] for found in client.list_objects(NAMESPACE, labels=one)} for one in selectors
    }
    return Claims(tuple(waves), matching)


def _namespaces(client: Client, scope: Scope) -> dict[str, Object]:
    """Namespaces of the scope; where they may not be listed, those that are named."""
    try:
        found = {one["metadata"]["name"]: one for one in client.list_objects(NAMESPACE, labels=scope.selector)}
    except Forbidden:
        if scope.namespaces is None or scope.selector:
            raise
        there = {name: client.get(NAMESPACE, name) for name in scope.namespaces}
        found = {name: one for name, one in there.items() if one}
    if scope.namespaces is None:
        return found
    for name in scope.namespaces:
        if name not in found and not scope.selector:
            raise unknown_namespace(name, Known(found, (), client.name), "'namespaces'")
    return {name: one for name, one in found.items() if name in scope.namespaces}


Take = Callable[[Iterable[Object]], None]


def _fill(client: Client, world: World, scope: Scope) -> None:
    """Workloads, Pods and budgets: of all namespaces by one LIST of each kind, or namespace by namespace."""
    essences = Essences()
    takers: dict[Resource, Take] = {
        **{resource: lambda found: _add_workloads(world, found) for resource in CONTROLLERS.values()},
        DISRUPTION_BUDGET: lambda found: _add_budgets(world, found),
        POD: lambda found: world.pods.extend(seen_pods(_inside(world, found), essences)),
    }
    if _is_small(scope, world):
        _one_by_one(client, world, takers, scope)
        return
    try:
        for resource, take in takers.items():
            take(client.list_objects(resource))
    except Forbidden:
        world.workloads, world.pods, world.budgets = {}, [], {}
        _one_by_one(client, world, takers, scope)


def _is_small(scope: Scope, world: World) -> bool:
    return scope.is_limited and len(world.namespaces) <= _ONE_BY_ONE


def _one_by_one(client: Client, world: World, takers: Mapping[Resource, Take], scope: Scope) -> None:
    """What one namespace refuses is no end of it where that is allowed: it is told, and left alone."""

    def of_namespace(name: str) -> list[tuple[Take, list[Object]]] | Forbidden:
        try:
            return [(take, list(client.list_objects(resource, name))) for resource, take in takers.items()]
        except Forbidden as error:
            return error

    refused: dict[str, Forbidden] = {}
    names = list(world.namespaces)
    for name, answer in zip(names, each(of_namespace, names), strict=True):
        if isinstance(answer, Forbidden):
            refused[name] = answer
        else:
            for take, found in answer:
                take(found)
    if refused and not scope.allow_partial:
        raise _may_not_read(client.name, refused)
    world.unread = tuple(sorted(refused))
    world.namespaces = {name: found for name, found in world.namespaces.items() if name not in refused}


def _may_not_read(where: str, refused: Mapping[str, Forbidden]) -> RolloutError:
    names = sorted(refused)
    return RolloutError(
        f"Not every namespace may be read on {where}: {', '.join(names[:10])}{' and more' if len(names) > 10 else ''}",
        subject=f"Namespace {names[0]}",
        reason=refused[names[0]].reason,
        hint="Grant it (examples/rbac/rollout.yaml), leave these namespaces out, or say 'allow_partial: true' to go on "
        "with the rest",
    )


def _inside(world: World, found: Iterable[Object]) -> Iterator[Object]:
    return (one for one in found if one["metadata"]["namespace"] in world.namespaces)


def _add_workloads(world: World, found: Iterable[Object]) -> None:
    for one in _inside(world, found):
        metadata = one["metadata"]
        world.workloads[Place(one["kind"], metadata["namespace"], metadata["name"])] = slim(one)


def slim(workload: Object) -> Object:
    """What of a workload decides whether and how it restarts; most of it is the Pods' own business."""
    template: Mapping[str, Any] = workload["spec"]["template"]
    metadata = {key: value for key, value in workload["metadata"].items() if key in _KEPT}
    spec = {key: value for key, value in workload["spec"].items() if key in _OF_SPEC}
    essential = {"metadata": template.get("metadata") or {}, "spec": essential_spec(template["spec"])}
    return {
        **{key: workload[key] for key in ("apiVersion", "kind")},
        "metadata": {**metadata, "restarted": restarted_on(workload)},
        "spec": {**spec, "template": essential},
        "status": workload.get("status") or {},
    }


def _add_budgets(world: World, found: Iterable[Object]) -> None:
    for one in _inside(world, found):
        world.budgets.setdefault(one["metadata"]["namespace"], []).append(one)
