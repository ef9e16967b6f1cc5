# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who manages what of an object, changed around an apply: what is handed over before it, who retires after it.

Server-side apply alone can do neither. The version of what was seen guards such a patch, so that nobody's write in
between is undone; but one whose answer was lost cannot be sent again blindly: the object itself says what became of it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import IN_DOUBT, Conflict
from .objects import Desired, version_of
from .ownership import claimed, handed_over, retired, without_managers
from .plan import Action

Entries = Iterable[Mapping[str, Any]]


def claim(client: Client, action: Action, desired: Desired, manager: str) -> bool:
    """Make this manager the only one of what is handed over or shall go, so that the apply takes it away.

    The apply is then the only request that changes what the object says: a workload renews its Pods once.
    Whether there was anything to claim.
    """

    def entries(found: Object) -> Entries:
        heir = claimed(handed_over(found, action.predecessors, manager), dropped, manager)
        managed: Entries = heir["metadata"]["managedFields"]
        return managed

    dropped = desired.dropped_of(action.before)
    found = _read(client, action) if action.predecessors or dropped else None
    if found is None:
        return False
    if action.force and version_of(found) != version_of(action.before):
        raise Conflict(f"{action.key} has changed since it was planned", subject=str(action.key))
    _managed_by(client, action, manager, found, entries)
    return True


def retire(client: Client, action: Action, desired: Desired, manager: str, written: Object) -> Object:
    """Take managers off an object that shall manage nothing of it any more."""
    if not retired(written, desired.retires):
        return written
    return _managed_by(client, action, manager, written, lambda found: without_managers(found, desired.retires))


def _managed_by(
    client: Client, action: Action, manager: str, found: Object, entries: Callable[[Object], Entries]
) -> Object:
    """The object with these managedFields, made of those that it has."""
    try:
        return _patched(client, action, manager, found, entries)
    except IN_DOUBT:
        there = _read(client, action)
        if there is None:
            raise
        return _patched(client, action, manager, there, entries)


def _patched(
    client: Client, action: Action, manager: str, found: Object, entries: Callable[[Object], Entries]
) -> Object:
    wanted = list(entries(found))
    if _alike(wanted, found["metadata"].get("managedFields") or ()):
        return found
    patch = {"metadata": {"resourceVersion": version_of(found), "managedFields": wanted}}
    return client.merge(action.resource, action.key.name, action.key.namespace or None, patch, manager, dry_run=False)


def _alike(some: Entries, others: Entries) -> bool:
    """Whether they say the same: the server puts them into an order of its own."""
    return sorted(json.dumps(one, sort_keys=True) for one in some) == sorted(
        json.dumps(one, sort_keys=True) for one in others
    )


def _read(client: Client, action: Action) -> Object | None:
    return client.get(action.resource, action.key.name, action.key.namespace or None)
