# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plain rolling restart of what runs another proxy than it would get, and waiting until it is over.

What is restarted is decided by the Pods that are there, so a run that was cut off goes on with what is left. A workload
whose old Pods are on their way out already is waited for and not restarted again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from ..kube.client import Object
from ..kube.resources import POD
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired
from ..reconcile.outcome import Outcome
from ..reconcile.ownership import managers
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .facts import MANAGER_PREFIX
from .readiness import await_workloads
from .restarts import Restart, controller, restarts
from .snapshot import Snapshot
from .webhooks import annotations_of
from .workload_kinds import owner_of

MANAGER = f"{MANAGER_PREFIX}restart"
# The annotation of `kubectl rollout restart`, which other tools know as well.
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"


@dataclass(frozen=True)
class Scope:
    """Whose Pods are looked at: those of some namespaces or all, and for how long they are waited for."""

    namespaces: Collection[str] | None
    wait_timeout: float


def run_restarts(
    run: Run, snapshot: Snapshot, versions: Mapping[str, str], scope: Scope
) -> tuple[Outcome, list[Restart]]:
    """Restart and wait. Returns all that was to be renewed, what nobody can restart included."""
    chosen = _within(snapshot, scope.namespaces)
    wanted = restarts(chosen, versions)
    waiting = [one for one in restarts(_without_leaving(chosen), versions) if one.how == "restart"]
    found = _workloads(snapshot, waiting)
    holders = tuple(dict.fromkeys(name for one in found for name in managers(one)))
    outcome = reconcile(run, Owner(MANAGER, take_ownership_from=holders), _restarted(found))
    if not run.check_mode:
        renewed = [one for one in wanted if one.how == "restart"]
        await_workloads(run.wait(scope.wait_timeout), _workloads(snapshot, renewed))
    outcome.warnings += _by_hand(wanted)
    return outcome, wanted


def _within(snapshot: Snapshot, namespaces: Collection[str] | None) -> Snapshot:
    return _with_pods(
        snapshot,
        (pod for pod in snapshot.of(POD) if namespaces is None or pod["metadata"]["namespace"] in namespaces),
    )


def _without_leaving(snapshot: Snapshot) -> Snapshot:
    return _with_pods(snapshot, (pod for pod in snapshot.of(POD) if not is_leaving(snapshot, pod)))


def _with_pods(snapshot: Snapshot, pods: Iterable[Object]) -> Snapshot:
    return replace(snapshot, objects={**snapshot.objects, POD.group_kind: list(pods)})


def is_leaving(snapshot: Snapshot, pod: Object) -> bool:
    """Whether a Pod is from before the last restart of its workload, or is being deleted."""
    if pod["metadata"].get("deletionTimestamp"):
        return True
    kind, name = owner_of(pod)
    found = controller(snapshot, kind, pod["metadata"]["namespace"], name)
    if found is None:
        return False
    restarted = _moment(annotations_of({"metadata": {}, **found["spec"]["template"]}).get(RESTARTED_AT, ""))
    made = _moment(pod["metadata"].get("creationTimestamp") or "")
    return restarted is not None and made is not None and made < restarted


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _workloads(snapshot: Snapshot, chosen: Iterable[Restart]) -> list[Object]:
    found = (controller(snapshot, one.kind, one.namespace, one.name) for one in chosen)
    return [one for one in found if one is not None]


def _restarted(workloads: Iterable[Object]) -> list[Desired]:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return [
        Desired(
            {
                "apiVersion": found["apiVersion"],
                "kind": found["kind"],
                "metadata": {key: found["metadata"][key] for key in ("name", "namespace")},
                "spec": {"template": {"metadata": {"annotations": {RESTARTED_AT: now}}}},
            },
            "a restart",
        )
        for found in workloads
    ]


def _by_hand(wanted: Iterable[Restart]) -> list[str]:
    return [
        f"{one.kind} {one.namespace}/{one.name} is not restarted, because "
        + ("its strategy is OnDelete: delete its Pods" if one.how == "delete_pods" else "nobody makes its Pods again")
        + f" ({one.reason})"
        for one in wanted
        if one.how != "restart"
    ]
