# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A single action planned anew, because its object has changed since the plan was made.

What takes something away from others is written at the version that was planned, and no other. When somebody was
faster, the object is looked at once more: what is planned of it now has the newer before-image.
"""

from __future__ import annotations

from ..kube.client import Client, Object
from ..kube.errors import Conflict, Failure
from .objects import PART_OF, label_paths
from .ownership import manages
from .plan import Action, Owner, make_plan

(_LABEL,) = label_paths(PART_OF)


def renewed(client: Client, owner: Owner, action: Action, error: Failure) -> Action | None:
    """The action as it is planned now; None where no version was the error. Raises Failure where it may not be done."""
    if not isinstance(error, Conflict) or not is_guarded(action):
        return None
    newer = planned_anew(client, owner, action)
    if action.before and newer.before and newer.verb == "delete":
        _require_same(owner, action, action.before, newer.before)
    return newer


def is_guarded(action: Action) -> bool:
    """Whether an action is carried out only at the version that was planned."""
    return action.verb == "delete" or action.force


def planned_anew(client: Client, owner: Owner, action: Action) -> Action:
    wanted = action.desired
    plan = make_plan(client, owner, [wanted] if wanted else [], [] if wanted else [action.key])
    return plan.actions[0]


def _require_same(owner: Owner, action: Action, before: Object, now: Object) -> None:
    """Refuse to delete what is another object by now, or has left the set or come into one."""
    if before["metadata"]["uid"] != now["metadata"]["uid"]:
        why = "somebody has deleted it and created another one"
    elif _membership(owner, before) != _membership(owner, now):
        why = "somebody has changed in which set it is"
    else:
        return
    raise Conflict(f"{action.key} is not what was to be deleted any more", subject=str(action.key), reason=why)


def _membership(owner: Owner, found: Object) -> tuple[str, bool]:
    label = (found["metadata"].get("labels") or {}).get(PART_OF) or ""
    return str(label), manages(found, owner.manager, _LABEL)
