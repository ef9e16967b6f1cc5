# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restoring what a failed run has touched, from the before-images of its plan.

Restored means: equal but for uid, resourceVersion, generation and timestamps,
ownership included. It is done in reverse, one object at a time, and only where
nobody else wrote the object since it was planned (a status does not count).
CRDs stay: taking one away takes its objects along. So does a Namespace in which
something is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..kube.client import Object
from ..kube.errors import Failure
from ..kube.resources import CRD
from .images import put_back
from .objects import Key
from .ownership import others_since
from .plan import Action, Owner
from .run import Run
from .withdrawal import withdraw


@dataclass(frozen=True)
class Done:
    """An action that was carried out, and the object as it was then; None when it was deleted.

    Unsure is one that failed, and after which nobody could ask what is there.
    """

    action: Action
    result: Object | None
    unsure: bool = False


def restore(run: Run, owner: Owner, done: Sequence[Done]) -> list[tuple[Key, str]]:
    """Take actions back, the last one first. Returns what could not be restored, and why."""
    left = []
    for one in reversed(done):
        try:
            run.before_write()
            _restore_one(run, owner, one)
        except Failure as error:  # who was interrupted may write nothing more, and says of all the rest that it is left
            left.append((one.action.key, error.reason or error.what))
    return left


def _restore_one(run: Run, owner: Owner, done: Done) -> None:
    action = done.action
    if action.resource.kind == CRD.kind:
        raise Failure("A CRD is never taken back", reason="CRDs are never rolled back")
    if done.unsure:
        raise Failure("Nobody knows what was written", reason="it is not known whether it was written")
    _require_alone(owner, done)
    if action.verb == "create" and done.result:
        withdraw(run.client, owner, action, done.result)
    elif action.before:
        put_back(run.client, action.resource, action.before, done.result, owner.manager)


def _require_alone(owner: Owner, done: Done) -> None:
    """Refuse to take back what somebody else wrote between the plan and the write; exact writes are guarded by it."""
    action, desired = done.action, done.action.desired
    if done.result is None or desired is None or desired.exactly:
        return
    ours = (owner.manager_of(desired), *action.predecessors, *desired.retires)
    others = others_since(action.before, done.result, ours, desired.dropped_of(action.before))
    if others:
        why = f"{', '.join(others)} wrote it as well, after this run had planned it"
        raise Failure(f"{action.key} is not ours alone", reason=why)
