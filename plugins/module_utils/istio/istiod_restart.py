# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts istiods that take up a Secret only when they start.

What is due is told by the server's own clock: a run that was killed between the Secret and the restart goes on from
there, and none restarts twice for the same Secret.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..kube.client import Object
from ..kube.pods import Pods
from ..kube.resources import DEPLOYMENT
from ..kube.wait import deployment_available
from ..reconcile.engine import reconcile
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .restart_marker import MANAGER, holders, is_older, marked, now, restarted_on

_DATA = "f:data"


def due(istiods: Iterable[Object], secret: Object) -> list[Object]:
    """The Deployments that have not been restarted since a Secret was written."""
    entries = [one for one in secret["metadata"].get("managedFields") or [] if _DATA in (one.get("fieldsV1") or {})]
    written = max((str(entry.get("time") or "") for entry in entries), default="")
    return [found for found in istiods if not restarted_on(found) or is_older(restarted_on(found), written)]


def mark(run: Run, istiods: Iterable[Object]) -> Outcome:
    """Their restart: planned in check mode, otherwise begun."""
    done = [reconcile(run, _owner(found), [marked(found, now())]) for found in istiods]
    return Outcome([action for one in done for action in one.actions])


def _owner(found: Object) -> Owner:
    return Owner(MANAGER, take_ownership_from=tuple(name for name in holders(found) if name != MANAGER))


def await_restarted(run: Run, istiods: Iterable[Object], seconds: float) -> None:
    """Until the new Pods are there, and the old ones are not. Raises NotReady."""
    wait = run.wait(seconds)
    for found in istiods:
        place = found["metadata"]
        wait.until(DEPLOYMENT, place["name"], place["namespace"], deployment_available, Pods(run.client))
