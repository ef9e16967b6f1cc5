# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out a plan.

Objects of one rank are written side by side, ranks one after the other.
Namespaces and CRDs come first; what could not be verified before them is then
dry-run like everything else, before the first of it is written. When something
fails, the policy decides: restore what was touched, stop, or go on. A wait between
two stages that ends in vain always stops: what is there already is no mistake, and
the next run goes on from it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from ..kube.client import Client, Object
from ..kube.errors import Failure, Interrupted, ServerError, TimedOut, Unreachable
from ..kube.resources import CONFIG_MAP, CRD
from ..kube.wait import NotReady, crd_established
from .images import put_back
from .lock import Lock, locked
from .objects import Desired, Key, secrets_of
from .objectset import ObjectSet, OpenSet, open_set
from .order import is_foundation
from .outcome import Outcome
from .ownership import claimed, handed_over, retired, without_managers
from .parallel import each
from .plan import Action, Owner, Plan, Validate, make_plan
from .rollback import Done, restore
from .run import Run

OnError = Literal["rollback", "stop", "continue"]
ON_ERROR: tuple[OnError, ...] = ("rollback", "stop", "continue")
Review = Callable[[Plan], Iterable[str]]
# What has to be waited for before anything of a stage (or of a later one) is written.
Gates = Mapping[int, Callable[[], None]]

_CRD_SECONDS = 60.0
_SHOWN = 10


class PartlyDone(Failure):
    """A run that failed in the middle: what was done, what was taken back, what is left."""

    code = "partly_done"

    def __init__(self, error: Failure, account: str, changed: bool) -> None:
        onwards = error.hint or "Run the task again: it goes on from here"
        super().__init__(error.what, subject=error.subject, reason=error.reason, hint=f"{account}. {onwards}")
        self.cause = error
        self.changed = changed

    def as_dict(self) -> dict[str, str]:
        return {**super().as_dict(), "code": self.cause.code}


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
    """Plan, and unless in check mode carry out; the one way in which this collection writes.

    `review` sees the plan before the first write: it may raise a Failure, and returns warnings.
    With an object set, the objects become its members, and what has left it may be pruned.
    `gates` are passed on the way to what is written in later stages, each once.
    """
    try:
        members = open_set(run.client, object_set, present, absent) if object_set else None
        plan = _plan(run, owner, present, absent, members, validate)
        warnings = [*(members.warnings if members else ()), *(review(plan) if review else ())]
        actions = _planned(run, plan) if run.check_mode else _carry_out(run, plan, on_error, members, gates or {})
        return Outcome(actions, warnings=warnings)
    except Failure as error:
        error.hide(secrets_of(desired.content for desired in present))
        raise


def _plan(
    run: Run,
    owner: Owner,
    present: Sequence[Desired],
    absent: Sequence[Key],
    members: OpenSet | None,
    validate: Validate,
) -> Plan:
    if members is None:
        return make_plan(run.client, owner, present, absent, run.planned, validate)
    plan = make_plan(run.client, owner, members.present, [*absent, *members.pruned], run.planned, validate)
    members.refuse_strangers(plan)
    return plan


def _carry_out(run: Run, plan: Plan, on_error: OnError, members: OpenSet | None, gates: Gates) -> list[Action]:
    if members is None or not plan.writes:
        return _Writing(run, plan, on_error, gates).carry_out()
    with locked(run, members.of.name, members.of.namespace, plan.owner.manager) as lock:
        run.before_write()
        parent = next(action for action in plan.actions if action.key == members.of.parent)
        run.client.apply(CONFIG_MAP, members.widened().content, plan.owner.manager, dry_run=False, force=parent.force)
        return _Writing(run, plan, on_error, gates, lock, members.of.parent).carry_out()


def _planned(run: Run, plan: Plan) -> list[Action]:
    """Leave what would be written, and others will need, for later tasks of this run."""
    foundations = [action.desired.content for action in plan.writes if is_foundation(action.key) and action.desired]
    if foundations:
        run.planned = run.planned.including(foundations)
    return plan.actions


@dataclass
class _Writing:
    """One plan being carried out."""

    run: Run
    plan: Plan
    on_error: OnError
    gates: Gates = field(default_factory=dict)
    lock_of_set: Lock | None = None
    last: Key | None = None
    done: list[Done] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    passed: set[int] = field(default_factory=set)

    def carry_out(self) -> list[Action]:
        first = [action for action in self.plan.writes if is_foundation(action.key) and action.desired]
        try:
            self._write_waves(first)
            self._await_crds(first)
            self._verify()
            rest = [action for action in self.plan.writes if action not in first]
            self._write_waves([action for action in rest if action.key != self.last])
            if not self.failures:  # the parent's hints have to lead to whatever was not pruned
                self._write_waves([action for action in rest if action.key == self.last])
        except Failure as error:
            raise self._ended(error) from error
        if self.failures:
            raise self._ended(self.failures[0])
        return self.plan.actions

    def _write_waves(self, actions: Sequence[Action]) -> None:
        for wave in _waves(actions, self.plan.owner):
            self._pass_gates(self.plan.owner.stages.get(wave[0].key, 0))
            if self.lock_of_set:
                self.lock_of_set.renew()
            for _written in each(self._write_one, wave):
                pass

    def _pass_gates(self, stage: int) -> None:
        for number in sorted(number for number in self.gates if number <= stage and number not in self.passed):
            self.gates[number]()
            self.passed.add(number)

    def _write_one(self, action: Action) -> None:
        self.run.before_write()
        try:
            result = _write(self.run, self.plan.owner, action)
        except Failure as error:
            self._notice_effect(action, error)
            if self.on_error != "continue" or isinstance(error, Interrupted):
                raise
            self.failures.append(error)
            return
        with self.lock:
            self.done.append(Done(action, result))

    def _notice_effect(self, action: Action, error: Failure) -> None:
        """A write may have taken effect although it failed: what is there then has to be taken back, too."""
        desired = action.desired
        more = desired and (desired.dropped_of(action.before) or desired.retires or desired.exactly)
        in_two_requests = bool(action.predecessors or more)
        if not in_two_requests and not isinstance(error, (Unreachable, TimedOut, ServerError)):
            return
        try:
            now = self.run.client.get(action.resource, action.key.name, action.key.namespace or None)
        except Failure:
            return
        if _version(now) != _version(action.before):
            with self.lock:
                self.done.append(Done(action, now))

    def _await_crds(self, actions: Sequence[Action]) -> None:
        wait = self.run.wait(_CRD_SECONDS)
        for action in actions:
            if action.resource.kind == CRD.kind:
                wait.until(CRD, action.key.name, None, crd_established)

    def _verify(self) -> None:
        """Ask the server what it could not be asked before namespaces and CRDs were there."""
        questions = [action.desired for action in self.plan.actions if not action.verified and action.desired]
        if not questions:
            return
        owner, validate = self.plan.owner, self.plan.validate
        answered = make_plan(self.run.client, owner, questions, validate=validate).actions
        answers = {action.key: action for action in answered}
        self.plan = Plan(owner, [answers.get(action.key, action) for action in self.plan.actions], validate)

    def _ended(self, error: Failure) -> Failure:
        """The error, with an account of what happened to the rest."""
        if not self.done and len(self.failures) < 2:
            return error
        if self.on_error == "rollback" and not isinstance(error, (Interrupted, NotReady)):
            return self._taken_back(error)
        left = len(self.plan.writes) - len(self.done)
        also = f" ({len(self.failures)} failed)" if self.failures else ""
        account = f"Done: {_named(done.action.key for done in self.done)}. Not done: {left}{also}"
        return PartlyDone(error, account, changed=bool(self.done))

    def _taken_back(self, error: Failure) -> Failure:
        left = restore(self.run, self.plan.owner, self.done)
        restored = len(self.done) - len(left)
        account = f"What this run had changed before is restored: {restored} of {len(self.done)}"
        if left:
            account += f". Not restored: {'; '.join(f'{key} ({why})' for key, why in left)}"
        return PartlyDone(error, account, changed=bool(left))


def _version(found: Object | None) -> str:
    return str(found["metadata"]["resourceVersion"]) if found else ""


def _waves(actions: Sequence[Action], owner: Owner) -> Iterator[list[Action]]:
    """Actions that may be written side by side: the plan is in order already."""
    for _turn, wave in groupby(actions, key=lambda action: owner.turn(action.key, action.verb)):
        yield list(wave)


def _write(run: Run, owner: Owner, action: Action) -> Object | None:
    """Carry out one action; return the object as it is now, None when it is gone."""
    client, namespace = run.client, action.key.namespace or None
    if action.verb == "delete" and action.before:
        uid = action.before["metadata"]["uid"]
        client.delete(action.resource, action.key.name, namespace, uid=uid, dry_run=False)
        return None
    desired = action.desired or Desired({})
    manager = owner.manager_of(desired)
    if desired.exactly:
        return put_back(client, action.resource, desired.content, action.before, manager)
    _claim(client, action, desired, manager)
    written = client.apply(action.resource, desired.content, manager, dry_run=False, force=action.force)
    return _retire(client, action, desired, manager, written)


def _retire(client: Client, action: Action, desired: Desired, manager: str, written: Object) -> Object:
    """Take managers off an object that shall manage nothing of it any more."""
    if not retired(written, desired.retires):
        return written
    # Somebody else's write in between would be undone by this list: the version that was written guards it.
    version, left = written["metadata"]["resourceVersion"], without_managers(written, desired.retires)
    patch = {"metadata": {"resourceVersion": version, "managedFields": left}}
    return client.merge(action.resource, action.key.name, action.key.namespace or None, patch, manager, dry_run=False)


def _claim(client: Client, action: Action, desired: Desired, manager: str) -> None:
    """Make this manager the only one of what is handed over or shall go, so that the apply takes it away.

    The apply is then the only request that changes what the object says: a workload renews its Pods once.
    """
    namespace, dropped = action.key.namespace or None, desired.dropped_of(action.before)
    asked = bool(action.predecessors or dropped)
    found = client.get(action.resource, action.key.name, namespace) if asked else None
    if found is None:
        return
    heir = claimed(handed_over(found, action.predecessors, manager), dropped, manager)
    patch = {"metadata": {"resourceVersion": _version(found), "managedFields": heir["metadata"]["managedFields"]}}
    client.merge(action.resource, action.key.name, namespace, patch, manager, dry_run=False)


def _named(keys: Iterable[Key]) -> str:
    names = [str(key) for key in keys]
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown or "nothing"
