# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An upgrade's move in waves: the labels of a wave's namespaces, then its workloads; and the way back of a wave."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from ..kube.resources import NAMESPACE
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, Key
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .before_images import namespaces_again
from .going_back import is_of
from .restarts import CONTROLLERS, laid_over, moved
from .rollout import How, Mover, roll_out
from .rollout_plan import RolloutPlan, plan_rollout
from .rollout_pods import Judge
from .rollout_waves import Claims, Known, Place, require_known
from .rollout_world import claims_of, world_of
from .shift import Selection, move
from .snapshot import Ask, Snapshot, read
from .status import versions_of
from .upgrade_record import IN_PLACE, MANAGER, Upgrade


@dataclass(frozen=True)
class Shift:
    """Moves namespaces to the new revision. `place` is the root namespace, and from whom labels are taken over."""

    run: Run
    snapshot: Snapshot
    upgrade: Upgrade
    selection: Selection
    place: tuple[str, tuple[str, ...]]

    def in_waves(self, names: Collection[str], how: How) -> Outcome:
        """Wave by wave. A tag moves with the first: it is one object, whoever bears it."""
        claims = claims_of(self.run.client, how.waves)
        seen = self._moved(names, claims)
        versions = {**versions_of(self.snapshot), self.upgrade.after.revision: self.upgrade.after.version}
        judge = Judge.of(seen, versions, is_of(self.upgrade.before))
        plan = planned_waves(self.run, seen, judge, how, claims, names)
        return roll_out(self.run, plan, how, judge, self._mover())

    def _mover(self) -> Mover | None:
        if self.upgrade.strategy == IN_PLACE:
            return None
        return TagMove(self) if self.selection.tag else self

    def _moved(self, names: Collection[str], claims: Claims) -> Snapshot:
        """The cluster when all waves have moved; in place nothing has to."""
        if self.upgrade.strategy == IN_PLACE:
            return self.snapshot
        if self.selection.tag:
            return after_plan(self.snapshot, self._planned(list(names)))
        waves = range(len(claims.waves))
        inside = {name for number in waves for name in claims.namespaces_of(number, names)}
        return moved(self.snapshot, inside, self.upgrade.after.revision)

    def _planned(self, names: Sequence[str]) -> Outcome:
        return replace(self, run=replace(self.run, check_mode=True)).enter(names)

    def due(self, names: Sequence[str]) -> bool:
        """Whether any of them is not injected by the new revision yet."""
        return self._planned(names).changed

    def enter(self, names: Sequence[str]) -> Outcome:
        """Let them be injected by the new revision, from their next restart on."""
        return move(self.run, self.upgrade, self.selection, names, self.place)

    def leave(self, names: Sequence[str]) -> tuple[Outcome, Judge]:
        """With the labels of before the upgrade, and whoever managed these."""
        now = read(self.run.client, [Ask(NAMESPACE, name=name, required=True) for name in names])
        before = [one for one in self.upgrade.namespaces if one["name"] in names]
        images = namespaces_again(now, before)
        wanted = [Desired(image, "as before the upgrade", exactly=True) for image in images]
        outcome = reconcile(self.run, Owner(MANAGER), wanted)
        versions = {**versions_of(self.snapshot), self.upgrade.before.revision: self.upgrade.before.version}
        return outcome, Judge.of(laid_over(self.snapshot, images), versions, is_of(self.upgrade.after))


@dataclass
class TagMove:
    """A tag that moves once, for all who bear it; it goes back by a rollback, not for one wave."""

    shift: Shift
    moved: bool = False

    def due(self, names: Sequence[str]) -> bool:
        """Whether it has not moved yet."""
        return not self.moved and self.shift.due(names)

    def enter(self, names: Sequence[str]) -> Outcome:
        """With the first wave."""
        outcome = Outcome() if self.moved else self.shift.enter(names)
        self.moved = True
        return outcome

    def leave(self, _names: Sequence[str]) -> None:
        """Earlier waves need it."""


def planned_waves(
    run: Run, snapshot: Snapshot, judge: Judge, how: How, claims: Claims, names: Collection[str] | None = None
) -> RolloutPlan:
    """The plan for some namespaces, or all, of a cluster that has been read. Raises RolloutError."""
    spaces = {found["metadata"]["name"] for found in snapshot.of(NAMESPACE)}
    require_known(how.waves, Known(spaces, _workloads(snapshot), run.client.name))
    world = world_of(snapshot, names)
    return plan_rollout(world, judge, claims, how.allow_downtime)


def _workloads(snapshot: Snapshot) -> set[Place]:
    found = (one for resource in CONTROLLERS.values() for one in snapshot.of(resource))
    return {Place(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in found}


def after_plan(snapshot: Snapshot, outcome: Outcome) -> Snapshot:
    """The cluster as it is, or in check mode as it would be, after a plan."""
    gone = {action.key for action in outcome.actions if action.verb == "delete"}
    objects = {
        kind: [found for found in there if not gone or Key.of(found) not in gone]
        for kind, there in snapshot.objects.items()
    }
    changed = [action.after for action in outcome.actions if action.writes and action.after]
    return laid_over(replace(snapshot, objects=objects), changed)
