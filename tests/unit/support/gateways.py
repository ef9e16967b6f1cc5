"""A gateway and what a cluster has of it, in a few words."""

from __future__ import annotations

from typing import Any, cast

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.charts import ChartSource
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.desired_gateway import GatewayDeployment
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.gateway_objects import (
    GATEWAY_LABEL,
    MANAGER,
    There,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client

from .clusters import Made, made, snapshot


class Named:
    """A cluster of which only the name is asked."""

    name = "east"


def wanted(**more: Any) -> GatewayDeployment:
    return GatewayDeployment("ingress", "web", "1.29.1", ChartSource(directory="charts"), **more)


def workload(name: str = "ingress", app: str = "ingress", istio: str = "ingress", **more: Any) -> Made:
    """What the chart renders, as far as it is looked at."""
    labels = {"app": app, "istio": istio}
    pod = {**labels, "sidecar.istio.io/inject": "true", **more.pop("labels", {})}
    template = {"metadata": {"labels": pod, "annotations": more.pop("annotations", {})}, "spec": {"containers": []}}
    spec = {"selector": {"matchLabels": labels}, "template": template, **more}
    return made("Deployment", f"web/{name}", spec=spec)


def live(content: Made, manager: str = MANAGER, label: str = "ingress") -> Made:
    """The same as the server has it, applied by a manager."""
    entry = {"manager": manager, "operation": "Apply", "fieldsV1": {"f:spec": {}}}
    labels = {GATEWAY_LABEL: label} if label else {}
    return {**content, "metadata": {**content["metadata"], "labels": labels, "managedFields": [entry]}}


def there(*objects: Made, **more: Any) -> There:
    return There(cast("Client", Named()), wanted(**more), snapshot(*objects))
