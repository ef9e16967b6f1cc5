# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one way in which this collection writes: from what is wanted to a plan, and from the plan to the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ..kube.errors import Failure
from .lock import guarded, locked
from .objects import Desired, Key, secrets_of
from .objectset import ObjectSet, OpenSet, open_set
from .order import is_foundation
from .outcome import Outcome
from .plan import Owner, Plan, Validate, make_plan
from .run import Run
from .writing import Gates, OnError, Parent, Writing

Review = Callable[[Plan], Iterable[str]]


def reconcile(
    run: Run,
    owner: Owner,
    present: Sequence[Desired],
    absent: Sequence[Key] = (),
    *,
    on_error: OnError = "rollback",
    review: Review | None = None,
    object_set: ObjectSet | None = None,
    validate: Validate = "server",
    gates: Gates | None = None,
) -> Outcome:
    """Plan, and unless in check mode carry out.

    `review` sees the plan before the first write: it may raise a Failure, and returns warnings.
    With an object set, the objects become its members, and what has left it may be pruned.
    `gates` are passed on the way to what is written in later stages, each once.
    """
    task = _Task(run, owner, present, absent, review, object_set, validate)
    try:
        made = task.planned()
        return _foreseen(run, made) if run.check_mode else _carried_out(task, made, on_error, gates or {})
    except Failure as error:
        error.hide(secrets_of(desired.content for desired in present))
        raise


@dataclass(frozen=True)
class _Made:
    """A plan, the set whose members it is about, and what the person should know of it."""

    plan: Plan
    members: OpenSet | None
    warnings: list[str]

    def parent(self, holder: str) -> Parent | None:
        """How the parent of the set is written, when there is anything to write."""
        if self.members is None or not self.plan.writes:
            return None
        own = next(action for action in self.plan.actions if action.key == self.members.of.parent)
        return Parent.of(own, self.members.live, self.members.widened(holder))


@dataclass(frozen=True)
class _Task:
    """What is wanted. A plan is made of it anew where the cluster may have become another since the last one."""

    run: Run
    owner: Owner
    present: Sequence[Desired]
    absent: Sequence[Key]
    review: Review | None
    object_set: ObjectSet | None
    validate: Validate

    def planned(self) -> _Made:
        client, of = self.run.client, self.object_set
        members = open_set(client, of, self.owner.manager, self.present, self.absent) if of else None
        plan = self._plan(members)
        of_set, reviewed = members.warnings if members else [], self.review(plan) if self.review else ()
        return _Made(plan, members, [*of_set, *plan.warnings, *reviewed])

    def _plan(self, members: OpenSet | None) -> Plan:
        client, owner, planned, validate = self.run.client, self.owner, self.run.planned, self.validate
        if members is None:
            return make_plan(client, owner, self.present, self.absent, planned, validate)
        plan = make_plan(client, owner, members.present, [*self.absent, *members.pruned], planned, validate)
        members.refuse_strangers(plan)
        members.refuse_own_namespace(plan, planned)
        return plan


def _foreseen(run: Run, made: _Made) -> Outcome:
    """Leave what would be written, and others will need, for later tasks of this run."""
    writes = made.plan.writes
    foundations = [action.desired.content for action in writes if is_foundation(action.key) and action.desired]
    if foundations:
        run.planned = run.planned.including(foundations)
    return Outcome(made.plan.actions, warnings=made.warnings)


def _carried_out(task: _Task, made: _Made, on_error: OnError, gates: Gates) -> Outcome:
    run, members = task.run, made.members
    if members is None or not made.plan.writes:
        return Outcome(Writing(run, made.plan, on_error, gates).carry_out(), warnings=made.warnings)
    with locked(run, members.of.name, members.of.namespace, task.owner.manager) as lock:
        if members.has_changed(run.client):
            made = task.planned()  # once is enough: while the lock is held, nobody else writes
        writing = Writing(guarded(lock), made.plan, on_error, gates, made.parent(lock.holder))
        return Outcome(writing.carry_out(), warnings=made.warnings)
