# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deploying gateways: Envoy behind a Service, from Istio's `gateway` chart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Object
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from . import facts, modes
from .charts import ChartSource, charts_of
from .readiness import await_workloads
from .values import merged

MANAGER = f"{facts.MANAGER_PREFIX}gateway_deployment"
CHART = "gateway"


@dataclass(frozen=True)
class GatewayDeployment:
    """A gateway as it shall be deployed."""

    name: str
    namespace: str
    version: str
    charts: ChartSource
    mode: str = modes.DEDICATED
    revision: str | None = None
    service_type: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    helm: str = "helm"
    wait_timeout: float = 300.0


def run_gateway_deployment(run: Run, wanted: GatewayDeployment) -> Outcome:
    """Bring the gateway to what is wanted, and wait until it is available."""
    modes.require_allowed(modes.DEPLOY_GATEWAY, wanted.mode)
    with charts_of(wanted.charts, wanted.version, wanted.helm) as charts:
        kubernetes = str(run.client.version()["gitVersion"])
        # The chart renders nothing that depends on whether it is an upgrade.
        rendered = charts.render(CHART, wanted.name, wanted.namespace, chart_values(wanted), kubernetes, False)
        warnings = charts.warnings
    objects = [_namespace(wanted), *rendered]
    outcome = reconcile(run, Owner(MANAGER), [Desired(content, source=f"chart {CHART}") for content in objects])
    if not run.check_mode:
        await_workloads(run.wait(wanted.wait_timeout), objects)
    outcome.warnings += warnings
    outcome.extra = {"version": wanted.version, "namespace": wanted.namespace, "name": wanted.name}
    return outcome


def chart_values(wanted: GatewayDeployment) -> dict[str, Any]:
    """The chart's values: what the options say, and over it what the user says."""
    from_options: dict[str, Any] = {
        **({"revision": wanted.revision} if wanted.revision else {}),
        **({"service": {"type": wanted.service_type}} if wanted.service_type else {}),
    }
    return merged(from_options, wanted.values)


def _namespace(wanted: GatewayDeployment) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted.namespace}}
