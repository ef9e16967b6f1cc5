# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an upgrade means beside its objects: behaviours that change, and workloads that have to restart.

Told by the task that upgrades, before it writes; a task that changes no version reads nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..kube.client import Client, Object
from ..kube.resources import DAEMON_SET, DEPLOYMENT, MUTATING_WEBHOOKS, NAMESPACE, POD, STATEFUL_SET
from .behaviour import Change, asks_of, changes_between, environment
from .behaviour_checks import ChangeFacts
from .desired_control_plane import ISTIOD, ControlPlane
from .installed import Installed
from .releases import Version, version_of_tag
from .restarts import Restart, laid_over, moved, restarts
from .revisions import shown
from .snapshot import Ask, Snapshot, read
from .status import versions_of
from .usage import named_by
from .webhooks import labels_of

_SHOWN = 200
_RESTARTS_ASKS = tuple(Ask(resource) for resource in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, NAMESPACE, POD))


def upgrade_of(
    client: Client, found: Installed, wanted: ControlPlane, objects: Sequence[Object]
) -> tuple[dict[str, Any], list[str]]:
    """An upgrade for a result, empty when no version changes, and a warning for each behaviour that changes."""
    current, target = _current(found, wanted), version_of_tag(wanted.version)
    if current is None or target is None or current.order >= target.order or ISTIOD not in wanted.components:
        return {}, []
    asks = [Ask(MUTATING_WEBHOOKS), *_RESTARTS_ASKS, *asks_of(current, target)]
    return told(read(client, asks), current, target, wanted, objects)


def _current(found: Installed, wanted: ControlPlane) -> Version | None:
    """The version that is left: of this revision, or beside a new one the oldest that there is."""
    here = found.istiods.get(wanted.revision)
    others = [here] if here else list(found.istiods.values())
    versions = [version for version in (version_of_tag(other.record.version) for other in others) if version]
    return min(versions, key=lambda version: version.order, default=None)


def told(
    snapshot: Snapshot, current: Version, target: Version, wanted: ControlPlane, objects: Sequence[Object]
) -> tuple[dict[str, Any], list[str]]:
    """The same, of a cluster that has been read."""
    facts = ChangeFacts(snapshot, environment(objects), environment(_istiods(snapshot)), wanted.namespace)
    changes = changes_between(current, target, facts)
    waiting = _restarts(snapshot, wanted, objects)
    upgrade = {
        "from": str(current),
        "to": str(target),
        "changes": [change.told() for change in changes],
        "restarts": {"count": len(waiting), "workloads": [restart.told() for restart in waiting[:_SHOWN]]},
        "not_judged": [str(unread) for unread in snapshot.unread],
    }
    return upgrade, [
        *map(_warning, changes),
        *(f"May not be read, and is not judged: {one}" for one in snapshot.unread),
    ]


def _istiods(snapshot: Snapshot) -> Iterator[Object]:
    return (found for found in snapshot.of(DEPLOYMENT) if labels_of(found).get("app") == "istiod")


def _restarts(snapshot: Snapshot, wanted: ControlPlane, objects: Sequence[Object]) -> list[Restart]:
    """What restarts until the whole data plane is of the new version; namespaces have moved by then."""
    revision = shown(wanted.revision)
    versions: Mapping[str, str] = versions_of(snapshot)
    planned = laid_over(snapshot, [content for content in objects if content["kind"] == MUTATING_WEBHOOKS.kind])
    if revision not in versions:
        injected = [found["metadata"]["name"] for found in snapshot.of(NAMESPACE) if named_by(labels_of(found))]
        planned = moved(planned, injected, revision)
    return restarts(planned, {**versions, revision: wanted.version})


def _warning(change: Change) -> str:
    first, reason = change.objects[0]
    more = f" and {change.count - 1} more" if change.count > 1 else ""
    if change.kept_by:
        return f"{change.code}: kept as it was by {change.kept_by}, but from {change.since} on {change.sentence}"
    return (
        f"{change.code}: from {change.since} on {change.sentence}. You use it: {first} ({reason}){more}. {change.hint}"
    )
