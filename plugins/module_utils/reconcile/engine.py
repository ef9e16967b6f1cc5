# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out a plan, and telling what was done.

Namespaces and CRDs come first; what could not be verified before them is then
dry-run like everything else, before the first of it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Object
from ..kube.errors import Failure
from ..kube.resources import CRD
from ..kube.wait import crd_established
from .objects import Desired, Key, secrets_of, shown
from .order import is_foundation
from .plan import Action, Owner, Plan, make_plan
from .run import Run

_CRD_SECONDS = 60.0
_SHOWN = 10
VERBS = ("create", "update", "delete", "unchanged")


@dataclass
class Outcome:
    """What a task did, or in check mode would do; every module's result is made of it."""

    actions: list[Action] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return any(action.writes for action in self.actions)

    def plan(self) -> list[dict[str, Any]]:
        return [_row(action) for action in self.actions if action.writes]

    def summary(self) -> dict[str, int]:
        counts = Counter(str(action.verb) for action in self.actions)
        return {verb: counts[verb] for verb in VERBS}

    def diff(self) -> list[dict[str, Any]]:
        return [
            {
                "before_header": _header(action, action.before),
                "after_header": _header(action, action.after),
                "before": shown(action.before),
                "after": shown(action.after),
            }
            for action in self.actions
            if action.writes
        ]


class PartlyDone(Failure):
    """A run that stopped in the middle: what was done and what was not."""

    code = "partly_done"
    changed = True

    def __init__(self, error: Failure, done: Sequence[Action], left: Sequence[Action]) -> None:
        made = ", ".join(f"{action.verb} {action.key}" for action in done[-_SHOWN:])
        made = f"{len(done) - _SHOWN} and {made}" if len(done) > _SHOWN else made
        onwards = error.hint or "Run the task again: it goes on from here"
        hint = f"Done before it: {made}. Not done: {len(left)} more. {onwards}"
        super().__init__(error.what, subject=error.subject, reason=error.reason, hint=hint)
        self.cause = error

    def as_dict(self) -> dict[str, str]:
        return {**super().as_dict(), "code": self.cause.code}


def reconcile(run: Run, owner: Owner, present: Sequence[Desired], absent: Iterable[Key] = ()) -> Outcome:
    """Plan, and unless in check mode carry out; the one way in which this collection writes."""
    try:
        return _reconcile(run, owner, present, absent)
    except Failure as error:
        error.hide(secrets_of(desired.content for desired in present))
        raise


def _reconcile(run: Run, owner: Owner, present: Sequence[Desired], absent: Iterable[Key]) -> Outcome:
    plan = make_plan(run.client, owner, present, absent, run.planned)
    if run.check_mode:
        created = [action.desired.content for action in plan.writes if action.verb == "create" and action.desired]
        foundations = [content for content in created if is_foundation(Key.of(content))]
        run.planned = run.planned.including(foundations) if foundations else run.planned
        return Outcome(plan.actions)
    return Outcome(_carry_out(run, plan))


def _carry_out(run: Run, plan: Plan) -> list[Action]:
    done: list[Action] = []
    first = [action for action in plan.writes if is_foundation(action.key) and action.verb == "create"]
    try:
        _write_all(run, plan.owner, first, done)
        _await_crds(run, first)
        plan = _verified(run, plan)
        rest = [action for action in plan.writes if action not in first]
        _write_all(run, plan.owner, rest, done)
    except Failure as error:
        if not done:
            raise
        written = {action.key for action in done}
        raise PartlyDone(error, done, [action for action in plan.writes if action.key not in written]) from error
    return plan.actions


def _write_all(run: Run, owner: Owner, actions: Sequence[Action], done: list[Action]) -> None:
    for action in actions:
        run.before_write()
        _write(run, owner, action)
        done.append(action)


def _write(run: Run, owner: Owner, action: Action) -> None:
    namespace = action.key.namespace or None
    if action.verb == "delete" and action.before:
        uid = action.before["metadata"]["uid"]
        run.client.delete(action.resource, action.key.name, namespace, uid=uid, dry_run=False)
        return
    if action.desired is None:
        return
    dropped = _labels_to_drop(action)
    if dropped:
        patch = {"metadata": {"labels": dict.fromkeys(dropped)}}
        run.client.merge(action.resource, action.key.name, namespace, patch, owner.manager, dry_run=False)
        run.before_write()
    run.client.apply(action.resource, action.desired.content, owner.manager, dry_run=False, force=action.force)


def _labels_to_drop(action: Action) -> list[str]:
    labels = (action.before or {}).get("metadata", {}).get("labels", {})
    return [name for name in (action.desired.drop_labels if action.desired else ()) if name in labels]


def _await_crds(run: Run, actions: Sequence[Action]) -> None:
    wait = run.wait(_CRD_SECONDS)
    for action in actions:
        if action.resource.kind == CRD.kind:
            wait.until(CRD, action.key.name, None, crd_established)


def _verified(run: Run, plan: Plan) -> Plan:
    """The plan with the server's word on what it could not be asked before."""
    open_questions = [action.desired for action in plan.actions if not action.verified and action.desired]
    if not open_questions:
        return plan
    answered = {action.key: action for action in make_plan(run.client, plan.owner, open_questions).actions}
    return Plan(plan.owner, [answered.get(action.key, action) for action in plan.actions])


def _row(action: Action) -> dict[str, Any]:
    return {
        "action": action.verb,
        "kind": action.key.kind,
        "namespace": action.key.namespace,
        "name": action.key.name,
        "fields": list(action.fields),
        "reason": action.reason,
    }


def _header(action: Action, found: Object | None) -> str:
    return str(action.key) if found else f"{action.key} (does not exist)"
