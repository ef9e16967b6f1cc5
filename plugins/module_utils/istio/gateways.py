# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploying gateways: Envoy behind a Service, from Istio's `gateway` chart; created, changed, upgraded, removed.

One plan brings the gateway to what is wanted. What the chart no longer renders
goes with it, and a proxy of another control plane than asked is renewed by a
change of the Pod template, so that check mode shows that as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..kube.client import Object
from ..kube.resources import AUTOSCALER, SERVICE
from ..kube.wait import Wait
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, Key
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from . import modes
from .adoption import Adoption
from .charts import charts_of
from .desired_gateway import GatewayDeployment, chart_values, port_warnings
from .facts import REPLICAS, SCALER
from .gateway_beside import (
    GONE,
    MOVED,
    old_workloads,
    placed,
    refuse_left_behind,
    selecting,
    stages_of,
)
from .gateway_injection import Injector, injector_of, made_for, outdated, pods_of, restart_of
from .gateway_objects import MANAGER, There, labelled, workload_of
from .gateway_readiness import await_moved, await_workload
from .networks import addresses_of

CHART = "gateway"
_REPLICAS = {"Deployment.apps": [REPLICAS]}


def run_gateway_deployment(run: Run, wanted: GatewayDeployment) -> Outcome:
    """Bring the gateway to what is wanted, and wait until it is available."""
    modes.require_allowed(modes.DEPLOY_GATEWAY, wanted.mode)
    there = There.read(run.client, wanted)
    outcome = _deployed(run, there) if wanted.present else _removed(run, there)
    outcome.extra |= {"version": wanted.version, "namespace": wanted.namespace, "name": wanted.name}
    return outcome


def _removed(run: Run, there: There) -> Outcome:
    """Exactly what was made for the gateway; its namespace stays."""
    ours = [Key.of(found) for found in there.ours]
    there.refuse_foreign(there.namesakes())
    outcome = reconcile(run, Owner(MANAGER), [], ours)
    outcome.warnings += selecting(there, there.workloads)
    outcome.extra = {"workload": "", "addresses": [], "restarts": []}
    return outcome


def _deployed(run: Run, there: There) -> Outcome:
    rendered, warnings = _rendered(run, there)
    there.refuse_foreign(map(Key.of, rendered))
    objects = placed(rendered, there)
    workload, old = workload_of(objects), old_workloads(objects, there)
    injector = injector_of(there, workload, run.check_mode)
    refuse_left_behind(there, workload, old)
    live = next((found for found in there.workloads if Key.of(found) == Key.of(workload)), None)
    pods = pods_of(run.client, workload) if live else []
    planned = made_for(workload, live, pods, injector)
    content = [planned if one is workload else one for one in objects]
    outcome, adopted = _reconciled(run, there, content, old)
    outcome.warnings += [*warnings, *port_warnings(there.wanted), *injector.warnings]
    outcome.warnings += [] if run.check_mode else _still_outdated(run, planned, injector)
    outcome.extra = {
        "workload": workload["metadata"]["name"],
        "addresses": addresses_of(run.client.get(SERVICE, there.wanted.name, there.wanted.namespace)),
        "restarts": restart_of(live, planned, pods, injector),
        **adopted,
    }
    return outcome


def _rendered(run: Run, there: There) -> tuple[list[Object], list[str]]:
    """What the chart makes of the options. It renders nothing that depends on whether it is an upgrade."""
    wanted = there.wanted
    with charts_of(wanted.charts, wanted.version, wanted.helm) as charts:
        kubernetes = str(run.client.version()["gitVersion"])
        rendered = charts.render(CHART, wanted.name, wanted.namespace, chart_values(wanted), kubernetes)
        return [labelled(content, wanted) for content in rendered], charts.warnings


def _reconciled(
    run: Run, there: There, objects: Sequence[Object], old: Sequence[Object]
) -> tuple[Outcome, dict[str, Any]]:
    """Write, and wait: what comes beside an old workload is ready before the Service moves and the old one goes."""
    wanted, workload = there.wanted, workload_of(objects)
    desired = [Desired(content, source=f"chart {CHART}") for content in (_namespace(wanted), *objects)]
    keys = {each.key for each in desired}
    leaving = [Key.of(found) for found in there.ours if Key.of(found) not in keys]
    wait, adoption = run.wait(wanted.wait_timeout), Adoption(run.client, wanted.adopt, wanted.adopt_changes)
    desired = adoption.desired(desired)
    outcome = reconcile(
        run,
        adoption.owner(_owner(wanted, objects, stages_of(objects, old, leaving))),
        desired,
        leaving,
        gates=_gates(wait, wanted, objects) if old else {},
        review=adoption.review,
    )
    if not run.check_mode:
        await_workload(wait, workload)
    return outcome, adoption.told()


def _owner(wanted: GatewayDeployment, objects: Iterable[Object], stages: Mapping[Key, int]) -> Owner:
    """With an autoscaler, the number of replicas is its own; without one it is ours, and taken back from it."""
    if any(content["kind"] == AUTOSCALER.kind for content in objects):
        return Owner(MANAGER, wanted.take_ownership_from, co_owned=_REPLICAS, stages=stages)
    return Owner(MANAGER, (*wanted.take_ownership_from, SCALER), stages=stages)


def _gates(wait: Wait, wanted: GatewayDeployment, objects: Sequence[Object]) -> dict[int, Callable[[], None]]:
    workload = workload_of(objects)
    gates: dict[int, Callable[[], None]] = {MOVED: lambda: await_workload(wait, workload)}
    if any(content["kind"] == SERVICE.kind for content in objects):
        gates[GONE] = lambda: await_moved(wait, wanted.name, workload)
    return gates


def _still_outdated(run: Run, workload: Object, injector: Injector) -> list[str]:
    """Pods that have been made for a proxy and have another one: an image that somebody has set."""
    reasons = outdated(pods_of(run.client, workload), injector)
    return [
        f"Pod {name} of {Key.of(workload)} is not as its control plane says, and a restart does not help: {reason}. "
        "Look for an image of the proxy that is set in the values of istiod or in an annotation"
        for name, reason in reasons.items()
    ]


def _namespace(wanted: GatewayDeployment) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted.namespace}}
