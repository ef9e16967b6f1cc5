# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workloads restart, in which wave, and what cannot or shall not restart: computed from what has been read.

What is restarted is decided by the Pods that are there, so a run that was cut off goes on with what is left. A workload
whose old Pods are on their way out already is waited for and not restarted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..kube.client import Object
from ..reconcile.objects import Key, is_ending
from ..reconcile.plan import Action
from .disruption import budgets_of, hindrance, takes_down
from .pods import is_gateway
from .readiness import WORKLOADS
from .restart_marker import FIELD, RESTARTED_AT, is_older, mark_of
from .restarts import CONTROLLERS, ON_DELETE
from .rollout_pods import Judge, SeenPod
from .rollout_waves import Claims, Place, Wave
from .rollout_world import World
from .webhooks import labels_of

FREEZE = "service-mesh-istio/freeze"
State = Literal["waiting", "restarting", "restarted", "left", "failed", "undone"]
_SHOWN = 200
# Why nothing of ours renews such Pods; of every other kind, what makes them may well restart, but not by us.
_BY_HAND = {
    "Pod": "nobody makes its Pods again",
    "Job": "a Job does not restart",
    **dict.fromkeys(CONTROLLERS, "it is gone, and its Pods are still there"),
}


@dataclass
class Item:
    """A workload of a wave: why it restarts, how far it is, and what it was before."""

    place: Place
    workload: Object
    pods: int
    reason: str
    state: State = "waiting"
    budgets: tuple[str, ...] = ()
    error: str = ""
    before: str = ""
    written: bool = False

    @property
    def gateway(self) -> bool:
        return is_gateway({"metadata": {}, **self.workload["spec"]["template"]})

    def action(self) -> Action:
        """The one field that a restart changes."""
        key = Key(self.workload["apiVersion"], *vars(self.place).values())
        before, after = self._image(mark_of(self.workload)), self._image("(the time of the restart)")
        return Action("update", key, CONTROLLERS[self.place.kind], (FIELD,), self.reason, before=before, after=after)

    def _image(self, mark: str) -> Object:
        identity = {"apiVersion": self.workload["apiVersion"], "kind": self.place.kind}
        metadata = {"name": self.place.name, "namespace": self.place.namespace}
        annotations = {"metadata": {"annotations": {RESTARTED_AT: mark}}} if mark else {}
        return {**identity, "metadata": metadata, "spec": {"template": annotations}}

    def told(self) -> dict[str, Any]:
        error = {"error": self.error} if self.error else {}
        return {**vars(self.place), "pods": self.pods, "reason": self.reason, "state": self.state, **error}


@dataclass(frozen=True)
class Left:
    """What runs another proxy than it would get, and is not restarted."""

    place: Place
    pods: int
    reason: str
    how: str
    why: str

    def __str__(self) -> str:
        return f"{self.place} is not restarted, because {self.why} ({self.reason})"

    def told(self) -> dict[str, Any]:
        told = {"pods": self.pods, "reason": self.reason, "how": self.how, "why": self.why}
        return {**vars(self.place), **told}


@dataclass
class PlannedWave:
    """A wave with its namespaces and its workloads."""

    wave: Wave
    namespaces: list[str]
    items: list[Item] = field(default_factory=list)
    state: str = "waiting"

    def told(self) -> dict[str, Any]:
        shown = [item.told() for item in self.items[:_SHOWN]]
        return {"name": self.wave.name, "state": self.state, "count": len(self.items), "workloads": shown}


@dataclass
class RolloutPlan:
    """All waves, and what is left."""

    claims: Claims
    waves: list[PlannedWave]
    left: list[Left]

    @property
    def items(self) -> Iterator[Item]:
        return (item for planned in self.waves for item in planned.items)

    def told(self, state: str) -> dict[str, Any]:
        """For a result."""
        return {
            "state": state,
            "waves": [planned.told() for planned in self.waves],
            "left": {"count": len(self.left), "workloads": [one.told() for one in self.left[:_SHOWN]]},
        }


@dataclass
class _Pending:
    """Pods of one workload that differ; those that are leaving count only when there is nothing else."""

    differing: list[SeenPod] = field(default_factory=list)
    reason: str = ""


def plan_rollout(world: World, judge: Judge, claims: Claims, allow_downtime: bool = False) -> RolloutPlan:
    """The plan."""
    numbers = range(len(claims.waves))
    spaces = sorted(world.namespaces)
    plan = RolloutPlan(
        claims, [PlannedWave(claims.waves[one], claims.namespaces_of(one, spaces)) for one in numbers], []
    )
    for place, pending in sorted(_pending(world, judge).items()):
        workload = world.workloads.get(place)
        how, why = _obstacle(world, place, workload, allow_downtime)
        number = claims.wave_of(place)
        if number is None and not how:
            how, why = "no_wave", "no wave is for it"
        if how or workload is None or number is None:
            plan.left.append(Left(place, len(pending.differing), pending.reason, how, why))
            continue
        plan.waves[number].items.append(_item(world, workload, place, pending))
    for planned in plan.waves:
        planned.items.sort(key=lambda item: (item.gateway, item.place.namespace, item.place))
    return plan


def _pending(world: World, judge: Judge) -> Mapping[Place, _Pending]:
    """Decided once for all Pods that are alike: they share their essence."""
    found: dict[Place, _Pending] = {}
    reasons: dict[int, str] = {}
    for pod in world.pods:
        known = id(pod.essence)
        if known not in reasons:
            reasons[known] = judge(pod.essence)
        reason = reasons[known] or judge.why_named(pod)
        if reason:
            pending = found.setdefault(pod.place, _Pending(reason=reason))
            pending.differing.append(pod)
    return found


def _item(world: World, workload: Object, place: Place, pending: _Pending) -> Item:
    item = Item(place, workload, len(pending.differing), pending.reason)
    if not due(workload, pending.differing):
        item.state = "restarting"
    if takes_down(workload):
        budgets = budgets_of(workload, world.budgets_in(place.namespace))
        item.budgets = tuple(sorted(budget["metadata"]["name"] for budget in budgets))
    return item


def due(workload: Object, differing: Iterable[SeenPod]) -> bool:
    """Whether a restart is due: some Pod differs that is not being replaced already."""
    _resource, judge = WORKLOADS[workload["kind"]]
    restarted = workload["metadata"].get("restarted", "")
    if judge(workload).ready:
        return any(True for _pod in differing)
    return any(not is_older(pod.made, restarted) for pod in differing)


def _obstacle(world: World, place: Place, workload: Object | None, allow_downtime: bool) -> tuple[str, str]:
    """Why a workload is not restarted: a word for playbooks, and the reason for people."""
    if workload is None:
        return "by_hand", _BY_HAND.get(place.kind, f"only its own tools restart a {place.kind}")
    space = world.namespaces.get(place.namespace) or {"metadata": {}}
    if (space.get("status") or {}).get("phase") == "Terminating" or is_ending(space):
        return "terminating", "its namespace is being deleted"
    if _is_frozen(space):
        return "frozen", f"its namespace has the label {FREEZE}"
    how, why = held_back(workload)
    if how or allow_downtime:
        return how, why
    why = hindrance(workload, world.budgets_in(place.namespace))
    return ("downtime", f"{why}; 'allow_downtime: true' restarts it all the same") if why else ("", "")


def _is_frozen(found: Object) -> bool:
    return labels_of(found).get(FREEZE, "false") != "false"


def held_back(workload: Object) -> tuple[str, str]:
    """Why somebody does not want a workload restarted, by itself alone."""
    if _is_frozen(workload):
        return "frozen", f"it has the label {FREEZE}"
    spec = workload["spec"]
    update = spec.get("updateStrategy") or {}
    if spec.get("paused"):
        return "paused", "it is paused"
    if update.get("type") == ON_DELETE:
        return "delete_pods", "its strategy is OnDelete: delete its Pods"
    if (update.get("rollingUpdate") or {}).get("partition"):
        return "partition", "its update is held back by a partition"
    return "", ""
