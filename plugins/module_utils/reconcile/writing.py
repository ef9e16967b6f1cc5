# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out a plan: what is written, in which order, and what becomes of it when something fails.

Objects of one rank are written side by side, ranks one after the other.
Namespaces and CRDs come first; what could not be verified before them is then
dry-run like everything else, before the first of it is written. When something
fails, the policy decides: restore what was touched, stop, or go on. A wait between
two stages that ends in vain always stops: what is there already is no mistake, and
the next run goes on from it.

The parent of a set leads to its members, so it is widened before the first of them
is written and becomes exact after the last one. On the way back it is the last one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import groupby
from typing import Literal

from ..kube.client import Client, Object
from ..kube.errors import IN_DOUBT, ApiError, Conflict, Failure, Interrupted, UnknownKind
from ..kube.resources import CRD
from ..kube.text import listed
from ..kube.wait import NotReady, crd_established
from .handover import claim, retire
from .images import is_same, put_back, says_the_same
from .lock import Locked
from .objects import Desired, Key, is_ending, version_of
from .order import is_foundation
from .ownership import has_applied_since, others_since
from .parallel import each
from .plan import Action, Owner, Plan, make_plan
from .renewal import planned_anew, renewed
from .rollback import Done, restore
from .run import Run

OnError = Literal["rollback", "stop", "continue"]
ON_ERROR: tuple[OnError, ...] = ("rollback", "stop", "continue")
# What has to be waited for before anything of a stage (or of a later one) is written.
Gates = Mapping[int, Callable[[], None]]

# Who meets one of these may write nothing more.
_NO_MORE = (Interrupted, Locked)
_CRD_SECONDS = 60.0
_SHOWN = 10
# How often a write is planned anew that is guarded by the version of what was planned.
_AGAIN = 3


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


@dataclass(frozen=True)
class Parent:
    """The parent of the set whose members a plan writes: as it was, while members are written, and afterwards."""

    action: Action
    wide: Desired

    @classmethod
    def of(cls, action: Action, live: Object | None, wide: Desired) -> Parent:
        """The parent is written whatever the plan says of it: who has planned before this run shall notice."""
        return cls(replace(action, verb="update" if live else "create", before=live), wide)

    @property
    def widening(self) -> Action:
        return replace(self.action, desired=self.wide)

    @property
    def exact(self) -> Action:
        """What had to be taken over by force is ours by then."""
        return replace(self.action, force=False)


@dataclass
class Writing:
    """One plan being carried out."""

    run: Run
    plan: Plan
    on_error: OnError
    gates: Gates = field(default_factory=dict)
    parent: Parent | None = None
    done: list[Done] = field(default_factory=list)
    done_to_parent: list[Done] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    passed: set[int] = field(default_factory=set)
    may_be_exact: bool = False

    def carry_out(self) -> list[Action]:
        """Write everything. Raises the first failure, with an account of what became of the rest."""
        try:
            if self.parent:
                self._attempt(self.parent.widening, self.done_to_parent)
            self._write_members()
            if self.parent and not self.failures:  # its hints have to lead to whatever was not pruned
                self.may_be_exact = True
                self._attempt(self.parent.exact, self.done_to_parent)
        except Failure as error:
            raise self._ended(error) from error
        if self.failures:
            raise self._ended(self.failures[0])
        return self.plan.actions

    def _write_members(self) -> None:
        first = [action for action in self.plan.writes if is_foundation(action.key) and action.desired]
        self._write_waves(first)
        self._await_crds(first)
        self._verify()
        own = self.parent.action.key if self.parent else None
        self._write_waves([action for action in self.plan.writes if action not in first and action.key != own])

    def _write_waves(self, actions: Sequence[Action]) -> None:
        for wave in _waves(actions, self.plan.owner):
            self._pass_gates(self.plan.owner.stages.get(wave[0].key, 0))
            for _written in each(self._write_one, wave):
                pass

    def _pass_gates(self, stage: int) -> None:
        for number in sorted(number for number in self.gates if number <= stage and number not in self.passed):
            self.gates[number]()
            self.passed.add(number)

    def _write_one(self, action: Action) -> None:
        try:
            self._attempt(action, self.done)
        except Failure as error:
            if self.on_error != "continue" or isinstance(error, _NO_MORE):
                raise
            self.failures.append(error)

    def _attempt(self, action: Action, done: list[Done], again: int = _AGAIN) -> None:
        self.run.before_write()
        try:
            result = _write(self.run, self.plan.owner, action)
        except Failure as error:
            error.stands_in(action.desired.source if action.desired else "")
            has_effect = self._notice_effect(action, error, done)
            newer = renewed(self.run.client, self.plan.owner, action, error) if again else None
            if newer is None or (has_effect and newer.writes):
                raise
            if newer.writes:
                self._attempt(newer, done, again - 1)
            return
        with self.lock:
            done.append(Done(action, result))

    def _notice_effect(self, action: Action, error: Failure, done: list[Done]) -> bool:
        """A write may have taken effect whatever it ended with: an answer was lost, and what came next is the error."""
        try:
            effect = _effect(self.plan.owner, action, _found(self.run.client, action))
        except Failure:
            effect = Done(action, None, unsure=True) if _is_in_doubt(error) else None
        if effect:
            with self.lock:
                done.append(effect)
        return bool(effect)

    def _await_crds(self, actions: Sequence[Action]) -> None:
        wait = self.run.wait(_CRD_SECONDS)
        for action in actions:
            if action.resource.kind == CRD.kind:
                wait.until(CRD, action.key.name, None, crd_established)

    def _verify(self) -> None:
        """Ask the server what it could not be asked before namespaces and CRDs were there."""
        open_ones = [action for action in self.plan.actions if not action.verified]
        questions = [action.desired for action in open_ones if action.desired]
        if not questions:
            return
        wait = self.run.wait(_CRD_SECONDS)
        for resource in dict.fromkeys(action.resource for action in open_ones):
            wait.until_served(resource)
        owner, validate = self.plan.owner, self.plan.validate
        answered = wait.until_taken_up(partial(make_plan, self.run.client, owner, questions, validate=validate)).actions
        answers = {action.key: action for action in answered}
        self.plan = Plan(owner, [answers.get(action.key, action) for action in self.plan.actions], validate)

    def _ended(self, error: Failure) -> Failure:
        """The error, with an account of what happened to the rest."""
        if not self.done:
            self._put_parent_back()  # it leads to nothing that was not there before
        touched = [*self.done_to_parent[-1:], *self.done]
        if not touched and len(self.failures) < 2:
            return error
        if self.on_error == "rollback" and not isinstance(error, (*_NO_MORE, NotReady)):
            return self._taken_back(error, touched)
        left = len(self.plan.writes) - len(self.done)
        sure, unsure = ([done.action.key for done in touched if done.unsure is doubt] for doubt in (False, True))
        open_ones = f". Nobody knows of: {_named(unsure)}" if unsure else ""
        account = f"Done: {_named(sure)}{open_ones}. Not done: {left}{self._failed_beside(error)}"
        return PartlyDone(error, account, changed=bool(touched))

    def _failed_beside(self, error: Failure) -> str:
        """Who goes on after a failure is told of every one, so that nobody has to run a task once for each."""
        others = [failure.line for failure in self.failures if failure is not error]
        count = f" ({len(self.failures)} failed)" if self.failures else ""
        return f"{count}. Failed as well: {listed(others, _SHOWN - 1)}" if others else count

    def _taken_back(self, error: Failure, touched: Sequence[Done]) -> Failure:
        left = self._put_members_back()
        if left and self.parent:
            left.append((self.parent.action.key, "it has to lead to what is not restored"))
        left = left or self._put_parent_back()
        account = f"What this run had changed before is restored: {len(touched) - len(left)} of {len(touched)}"
        if left:
            account += f". Not restored: {_with_reasons(left)}"
        return PartlyDone(error, account, changed=bool(left))

    def _put_members_back(self) -> list[tuple[Key, str]]:
        """What could not be restored. A parent that may be exact already has to lead to what comes back."""
        try:
            if self.parent and self.may_be_exact:
                self._attempt(replace(self.parent.widening, force=False), self.done_to_parent)
        except Failure as error:
            return [(one.action.key, error.reason or error.what) for one in self.done]
        return restore(self.run, self.plan.owner, self.done)

    def _put_parent_back(self) -> list[tuple[Key, str]]:
        left = restore(self.run, self.plan.owner, self.done_to_parent[-1:])
        if not left:
            self.done_to_parent.clear()
        return left


def _is_in_doubt(error: Failure) -> bool:
    """Whether an error leaves open what became of a write; any other is a refusal."""
    return isinstance(error, IN_DOUBT) or (isinstance(error, ApiError) and error.was_repeated)


def _waves(actions: Sequence[Action], owner: Owner) -> Iterator[list[Action]]:
    """Actions that may be written side by side: the plan is in order already."""
    for _turn, wave in groupby(actions, key=owner.turn):
        yield list(wave)


def _found(client: Client, action: Action) -> Object | None:
    """What is there now; of a kind that is not served there is nothing."""
    try:
        return client.get(action.resource, action.key.name, action.key.namespace or None)
    except UnknownKind:
        return None


def _effect(owner: Owner, action: Action, now: Object | None) -> Done | None:
    """What a failed write has done, by what is there now; what only somebody else has done is not taken back."""
    before, desired = action.before, action.desired
    if version_of(now) == version_of(before):
        return None
    if desired is None:  # what waits for its finalizers cannot be brought back: that will be said
        deleted = now is None or is_ending(now)
        return Done(action, None) if deleted else None
    if now is None or (before and is_same(now, before)):
        return None
    if desired.exactly:  # what is neither as it was nor as it shall be has been written by somebody, too
        return Done(action, now, unsure=not says_the_same(now, desired.content))
    return Done(action, now) if _is_ours(owner, action, desired, now) else None


def _is_ours(owner: Owner, action: Action, desired: Desired, now: Object) -> bool:
    """Whether an object is another one because we wrote it, alone or among others."""
    manager = owner.manager_of(desired)
    if has_applied_since(action.before, now, manager):
        return True
    ours = (manager, *action.predecessors, *desired.retires)
    return not others_since(action.before, now, ours, desired.dropped_of(action.before))


def _write(run: Run, owner: Owner, action: Action) -> Object | None:
    """Carry out one action; return the object as it is now, None when it is gone."""
    client, namespace = run.client, action.key.namespace or None
    if action.verb == "delete" and action.before:
        uid = action.before["metadata"]["uid"]
        version = version_of(action.before)
        client.delete(action.resource, action.key.name, namespace, uid=uid, version=version, dry_run=False)
        return None
    desired = action.desired or Desired({})
    manager = owner.manager_of(desired)
    if desired.exactly:
        return put_back(client, action.resource, desired.content, action.before, manager)
    has_claimed = claim(client, action, desired, manager)
    if action.force:
        written = _taken_over(client, owner, action, desired, has_claimed)
    else:
        written = client.apply(action.resource, desired.content, manager, dry_run=False)
    return retire(client, action, desired, manager, written)


def _taken_over(client: Client, owner: Owner, action: Action, desired: Desired, has_claimed: bool) -> Object:
    """Apply by force; where that is no more than the second half of a write, also when a status comes in between."""
    for attempt in range(_AGAIN):
        seen = planned_anew(client, owner, action).before if has_claimed else action.before
        content = _at_version(desired.content, seen)
        try:
            return client.apply(action.resource, content, owner.manager_of(desired), dry_run=False, force=True)
        except Conflict:
            if not has_claimed or attempt == _AGAIN - 1:
                raise
    raise AssertionError("the last attempt has raised")


def _at_version(content: Object, seen: Object | None) -> Object:
    """What is applied by force, guarded by the version of which the server has said whose fields that takes over."""
    return {**content, "metadata": {**content["metadata"], "resourceVersion": version_of(seen)}}


def _with_reasons(left: Sequence[tuple[Key, str]]) -> str:
    """What is left, every reason once."""
    by_reason: dict[str, list[Key]] = {}
    for key, why in left:
        by_reason.setdefault(why, []).append(key)
    return "; ".join(f"{', '.join(map(str, keys))} ({why})" for why, keys in by_reason.items())


def _named(keys: Iterable[Key]) -> str:
    return listed([str(key) for key in keys], _SHOWN, ", ") or "nothing"
