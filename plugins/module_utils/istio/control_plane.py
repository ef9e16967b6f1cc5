# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Installing a control plane from the official charts.

The charts are rendered here and everything they render goes through one plan:
nobody else's Istio is touched, and a second run finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Client, Object
from ..kube.resources import DEPLOYMENT
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from . import facts, modes
from .charts import Charts, ChartSource, charts_of
from .kinds import RANKS
from .owners import refuse_foreign
from .readiness import await_control_plane
from .values import merged, refuse_unknown

MANAGER = f"{facts.MANAGER_PREFIX}control_plane"
COMPONENTS = ("base", "istiod")


@dataclass(frozen=True)
class ControlPlane:
    """A control plane as it shall be."""

    version: str
    charts: ChartSource
    mode: str = modes.DEDICATED
    namespace: str = facts.ROOT_NAMESPACE
    profile: str | None = None
    image_hub: str = "docker.io/istio"
    mesh_id: str | None = None
    cluster_name: str | None = None
    network: str | None = None
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    helm: str = "helm"
    wait_timeout: float = 300.0


def run_control_plane(run: Run, wanted: ControlPlane) -> Outcome:
    """Bring the control plane to what is wanted, and wait until it works."""
    modes.require_allowed(modes.INSTALL, wanted.mode)
    with charts_of(wanted.charts, wanted.version, wanted.helm) as charts:
        for component in COMPONENTS:
            refuse_unknown(component, charts.path(component), wanted.values.get(component) or {})
        refuse_foreign(run.client)
        objects = [_namespace(wanted), *_rendered(run.client, charts, wanted)]
    owner = Owner(MANAGER, co_owned=facts.CO_OWNED, ranks=RANKS)
    outcome = reconcile(run, owner, [Desired(content, source=_source(content)) for content in objects])
    if not run.check_mode:
        await_control_plane(run.wait(wanted.wait_timeout), objects, wanted.namespace)
    outcome.extra = {"version": wanted.version, "namespace": wanted.namespace}
    return outcome


def chart_values(wanted: ControlPlane, component: str) -> dict[str, Any]:
    """The values of one chart: what the options say, and over it what the user says."""
    from_options: dict[str, Any] = {
        "global": {
            "istioNamespace": wanted.namespace,
            "hub": wanted.image_hub,
            "tag": wanted.version,
            **({"meshID": wanted.mesh_id} if wanted.mesh_id else {}),
            **({"network": wanted.network} if wanted.network else {}),
            **({"multiCluster": {"clusterName": wanted.cluster_name}} if wanted.cluster_name else {}),
        },
        **({"profile": wanted.profile} if wanted.profile else {}),
    }
    return merged(from_options, wanted.values.get(component) or {})


def _rendered(client: Client, charts: Charts, wanted: ControlPlane) -> list[Object]:
    kubernetes = str(client.version()["gitVersion"])
    installed = client.get(DEPLOYMENT, "istiod", wanted.namespace) is not None
    return [
        content
        for component in COMPONENTS
        for content in charts.render(
            component, f"istio-{component}", wanted.namespace, chart_values(wanted, component), kubernetes, installed
        )
    ]


def _namespace(wanted: ControlPlane) -> Object:
    labels = {"labels": {facts.NETWORK_LABEL: wanted.network}} if wanted.network else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted.namespace, **labels}}


def _source(content: Object) -> str:
    return str((content["metadata"].get("labels") or {}).get("helm.sh/chart", ""))
