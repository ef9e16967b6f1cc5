# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removing a control plane: what nobody needs any more, in an order in which nothing ever points to what is gone.

What goes is what our field managers apply (removal.py). It goes backwards by rank, so webhooks go before the istiod
that answers them, and configuration before all. The namespace stays, because nobody knows what else it is for; so do
the CRDs, and what istiod has written itself, unless that is said.
Source of the order: the outages that users of Istio report of webhooks without a Service.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..kube.client import Object
from ..kube.resources import CRD, NAMESPACE, POD
from ..kube.wait import gone
from ..reconcile.engine import reconcile
from ..reconcile.objects import Key
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from . import facts, modes
from .control_plane import MANAGER
from .desired_control_plane import ISTIOD
from .kinds import RANKS
from .leftovers import leftovers
from .precheck_facts import UNINSTALL, Target, read_facts
from .prechecks import checked, require
from .removal import Removal, Uninstall, removal_of
from .removed_crds import crds_that_go
from .revisions import shown

_OWNER = Owner(MANAGER, co_owned=facts.CO_OWNED, ranks=RANKS, keyed_lists=facts.KEYED_LISTS)


def run_uninstall(run: Run, wanted: Uninstall) -> Outcome:
    """Remove a control plane, and end when its istiod is gone."""
    modes.require_allowed(modes.UNINSTALL, wanted.mode)
    removal = removal_of(run.client, wanted)
    crds = crds_that_go(run.client, wanted, removal)
    warnings = _prechecked(run, wanted) if removal.going else []
    absent = [Key.of(found) for found in [*crds, *removal.going]]
    outcome = reconcile(run, _OWNER, removal.moved, absent)
    if not run.check_mode:
        _await_end(run, wanted, [found for found in crds if found["kind"] == CRD.kind])
    swept, left, unread = _swept(run, wanted, removal)
    outcome.actions += swept.actions
    outcome.warnings += [*warnings, *unread]
    outcome.extra = {
        "namespace": wanted.namespace,
        "revision": shown(wanted.revision),
        "removed": list(removal.components),
        "left": [*_kept(wanted, removal), *left],
    }
    return outcome


def _prechecked(run: Run, wanted: Uninstall) -> list[str]:
    """What is worth to be known. Raises PrecheckFailed with all that stands in the way."""
    target = Target(UNINSTALL, revision=shown(wanted.revision), namespace=wanted.namespace)
    found = read_facts(run.client, target)
    findings = checked(found, wanted.ignored)
    require(found, findings)
    return list(map(str, findings))


def _await_end(run: Run, wanted: Uninstall, crds: Sequence[Object]) -> None:
    """Until no istiod of it runs, which would still write, and CRDs have taken their objects along."""
    wait = run.wait(wanted.wait_timeout)
    for crd in crds:
        wait.until(CRD, crd["metadata"]["name"], None, gone(crd))
    if ISTIOD not in wanted.components:
        return
    labels = f"app=istiod,{facts.REVISION_LABEL}={shown(wanted.revision)}"
    for pod in list(run.client.list_objects(POD, wanted.namespace, labels=labels)):
        wait.until(POD, pod["metadata"]["name"], wanted.namespace, gone(pod))


def _swept(run: Run, wanted: Uninstall, removal: Removal) -> tuple[Outcome, list[dict[str, Any]], list[str]]:
    """What istiod has written itself: removed, or told; and what of it may not be read."""
    if ISTIOD not in wanted.components:
        return Outcome(), [], []
    found = leftovers(run.client, wanted.namespace, wanted.revision, not removal.staying)
    unread = [f"What istiod has left of {item.resource.plural} is not known: {item.reason}" for item in found.unread]
    objects = [item for listed in found.objects.values() for item in listed]
    if wanted.remove_leftovers:
        return reconcile(run, _OWNER, [], [Key.of(item) for item in objects]), [], unread
    return Outcome(), [_left(item, "istiod has written it: 'remove_leftovers: true'") for item in objects], unread


def _kept(wanted: Uninstall, removal: Removal) -> list[dict[str, Any]]:
    """What is not removed, and why."""
    namespace = {"kind": NAMESPACE.kind, "metadata": {"name": wanted.namespace}}
    told = [_left(namespace, "a namespace is never removed: others may have something in it")]
    if not wanted.remove_crds:
        crds = {"kind": CRD.kind, "metadata": {"name": "*.istio.io"}}
        told.append(_left(crds, "all configuration would go with them: 'remove_crds: true'"))
    shared = [name for name in wanted.components if name not in removal.components]
    for component in shared:
        revisions = ", ".join(removal.staying)
        entry = {"kind": "component", "metadata": {"name": component}}
        told.append(_left(entry, f"other revisions share it: {revisions}"))
    return told


def _left(found: Object, why: str) -> dict[str, Any]:
    metadata = found["metadata"]
    return {"kind": found["kind"], "namespace": metadata.get("namespace", ""), "name": metadata["name"], "reason": why}
