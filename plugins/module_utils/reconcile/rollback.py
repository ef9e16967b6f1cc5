# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restoring what a failed run has touched, from the before-images of its plan.

Restored means: equal but for uid, resourceVersion, generation and timestamps,
ownership included. It is done in reverse, one object at a time, and only where
the object is still as this run left it. CRDs stay: taking one away takes its objects along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.errors import Conflict, Failure, Interrupted, ServerError, TimedOut, Unreachable
from ..kube.resources import CRD
from .objects import Key, comparable
from .plan import Action, Owner
from .run import Run

_ASSIGNED = ("uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "deletionTimestamp")


@dataclass(frozen=True)
class Done:
    """An action that was carried out, and the object as it was then; None when it was deleted."""

    action: Action
    result: Object | None


def restore(run: Run, owner: Owner, done: Sequence[Done]) -> list[tuple[Key, str]]:
    """Take actions back, the last one first. Returns what could not be restored, and why."""
    left = []
    for one in reversed(done):
        try:
            run.before_write()
            _restore_one(run, owner, one)
        except Interrupted:
            raise
        except Failure as error:
            left.append((one.action.key, error.reason or error.what))
    return left


def _restore_one(run: Run, owner: Owner, done: Done) -> None:
    action = done.action
    if action.resource.kind == CRD.kind:
        raise Failure("A CRD is never taken back", reason="CRDs are never rolled back")
    namespace = action.key.namespace or None
    if action.verb == "create" and done.result:
        uid = done.result["metadata"]["uid"]
        run.client.delete(action.resource, action.key.name, namespace, uid=uid, dry_run=False)
    elif action.before:
        _put_back(run, owner, action, action.before, done.result)


def _put_back(run: Run, owner: Owner, action: Action, before: Object, now: Object | None) -> None:
    """Content first, then ownership: a write always makes its own manager the owner of what it changes."""
    manager = owner.manager
    if now is None:
        written = _once(run, action, before, lambda: run.client.create(action.resource, _assignable(before), manager))
    else:
        content = _at_version(before, now)
        written = _once(run, action, before, lambda: run.client.replace(action.resource, content, manager))
    owned = _at_version(before, written)
    _once(run, action, before, lambda: run.client.replace(action.resource, owned, manager))


def _once(run: Run, action: Action, before: Object, write: Callable[[], Object]) -> Object:
    """The written object; a write whose answer was lost has been done when the object is as it shall be."""
    try:
        return write()
    except (Conflict, Unreachable, TimedOut, ServerError):
        there = run.client.get(action.resource, action.key.name, action.key.namespace or None)
        if there is None or comparable(there) != comparable(before):
            raise
        return there


def _assignable(before: Object) -> Object:
    metadata = {key: value for key, value in before["metadata"].items() if key not in _ASSIGNED}
    return {**before, "metadata": metadata}


def _at_version(before: Object, now: Object) -> Object:
    """The old object with the identity of the current one, so that a change by somebody else in between is noticed."""
    identity: dict[str, Any] = {key: now["metadata"][key] for key in ("uid", "resourceVersion")}
    content = _assignable(before)
    return {**content, "metadata": {**content["metadata"], **identity}}
