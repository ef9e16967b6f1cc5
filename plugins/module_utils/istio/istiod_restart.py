# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts istiods that take up a Secret only when they start.

Who has to is told by the server's own clock: a run that was cut off between the Secret and the end of the restart goes
on from there, and none restarts twice for the same Secret.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..kube.client import Client, Object
from ..kube.pods import Pods, selector_of, stays
from ..kube.resources import DEPLOYMENT, POD
from ..kube.wait import deployment_available
from ..reconcile.engine import reconcile
from ..reconcile.outcome import Outcome
from ..reconcile.run import Run
from .restart_marker import is_older, marked, next_mark, owner_of_mark, restarted_on

_DATA = "f:data"


def outdated(client: Client, istiods: Iterable[Object], secret: Object) -> list[Object]:
    """The Deployments with a Pod from before a Secret was changed in place; one as it was made is old to nobody."""
    written = _written_on(secret)
    if not is_older(str(secret["metadata"].get("creationTimestamp") or ""), written):
        return []
    return [found for found in istiods if any(is_older(made, written) for made in _pods_made(client, found))]


def _pods_made(client: Client, found: Object) -> list[str]:
    pods = client.list_objects(POD, found["metadata"]["namespace"], labels=selector_of(found))
    return [str(pod["metadata"]["creationTimestamp"]) for pod in pods if stays(pod)]


def _written_on(secret: Object) -> str:
    entries = [one for one in secret["metadata"].get("managedFields") or [] if _DATA in (one.get("fieldsV1") or {})]
    return max((str(entry.get("time") or "") for entry in entries), default="")


def due(istiods: Iterable[Object], secret: Object) -> list[Object]:
    """Those whose restart has not been begun since the Secret was written."""
    written = _written_on(secret)
    return [found for found in istiods if not restarted_on(found) or is_older(restarted_on(found), written)]


def mark(run: Run, istiods: Iterable[Object]) -> Outcome:
    """Their restart: planned in check mode, otherwise begun."""
    done = [reconcile(run, owner_of_mark(found), [marked(found, next_mark(found))]) for found in istiods]
    return Outcome([action for one in done for action in one.actions])


def await_restarted(run: Run, istiods: Iterable[Object], seconds: float) -> None:
    """Until the new Pods are there, and the old ones are not. Raises NotReady."""
    wait = run.wait(seconds)
    for found in istiods:
        place = found["metadata"]
        wait.until(DEPLOYMENT, place["name"], place["namespace"], deployment_available, Pods(run.client))
