# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is installed and whether it works, read from the cluster alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..kube.client import Client, Object
from ..kube.resources import DEPLOYMENT, MUTATING_WEBHOOKS, POD, VALIDATING_WEBHOOKS
from ..kube.wait import Verdict, deployment_available
from .facts import REVISION_LABEL, TAG_LABEL
from .owners import owner_of
from .readiness import validator_fails_closed, webhook_has_ca

_PROXY = "istio-proxy"
_GATEWAY_TEMPLATES = "inject.istio.io/templates"


def mesh_status(client: Client) -> dict[str, Any]:
    """Control planes, gateways and webhooks of a cluster, each with its state in words.

    `ready` is true when a control plane exists and every component is ready.
    """
    control_planes = [_control_plane(found) for found in client.list_objects(DEPLOYMENT, labels="app=istiod")]
    webhooks = [
        *(
            _webhook(found, webhook_has_ca(found))
            for found in client.list_objects(MUTATING_WEBHOOKS, labels=REVISION_LABEL)
        ),
        *(
            _webhook(found, validator_fails_closed(found))
            for found in client.list_objects(VALIDATING_WEBHOOKS, labels=REVISION_LABEL)
        ),
    ]
    gateways = [_gateway(client, found) for found in client.list_objects(DEPLOYMENT) if _is_gateway(found)]
    components: list[Mapping[str, Any]] = [*control_planes, *webhooks, *gateways]
    return {
        "cluster": client.name,
        "kubernetes": client.version()["gitVersion"],
        "versions": sorted({plane["version"] for plane in control_planes}),
        "ready": bool(control_planes) and all(component["ready"] for component in components),
        "control_planes": control_planes,
        "gateways": gateways,
        "webhooks": webhooks,
    }


def _control_plane(found: Object) -> dict[str, Any]:
    labels = found["metadata"].get("labels") or {}
    version = _tag(found["spec"]["template"]["spec"]["containers"][0])
    revision = labels.get(REVISION_LABEL, "default")
    return {**_component(found), "version": version, "revision": revision, "owner": owner_of(found).name}


def _judged(found: Object) -> Verdict:
    """To wait for no replicas is over at once; to run none is not to work."""
    verdict = deployment_available(found)
    return verdict if found["spec"].get("replicas", 1) else Verdict(state="scaled to zero")


def _gateway(client: Client, found: Object) -> dict[str, Any]:
    """A gateway's version is that of its Pods: the Deployment leaves the image to the injector."""
    selector = ",".join(f"{key}={value}" for key, value in found["spec"]["selector"]["matchLabels"].items())
    pods = client.list_objects(POD, found["metadata"]["namespace"], labels=selector)
    proxies = [container for pod in pods for container in pod["spec"]["containers"] if container["name"] == _PROXY]
    return {**_component(found), "versions": sorted({_tag(proxy) for proxy in proxies}), "owner": owner_of(found).name}


def _component(found: Object) -> dict[str, Any]:
    verdict, status = _judged(found), found.get("status") or {}
    return {
        "name": found["metadata"]["name"],
        "namespace": found["metadata"]["namespace"],
        "ready": verdict.ready,
        "state": verdict.state,
        "replicas": found["spec"].get("replicas", 1),
        "available": status.get("availableReplicas", 0),
    }


def _tag(container: Mapping[str, Any]) -> str:
    """The tag of a container's image, which is the version of Istio in it."""
    name = str(container.get("image") or "").partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]


def _is_gateway(found: Object) -> bool:
    annotations = found["spec"]["template"]["metadata"].get("annotations") or {}
    return annotations.get(_GATEWAY_TEMPLATES) == "gateway"


def _webhook(found: Object, verdict: Verdict) -> dict[str, Any]:
    labels = found["metadata"].get("labels") or {}
    return {
        "name": found["metadata"]["name"],
        "kind": found["kind"],
        "revision": labels.get(REVISION_LABEL, ""),
        "tag": labels.get(TAG_LABEL, ""),
        "ready": verdict.ready,
        "state": verdict.state,
        "owner": owner_of(found).name,
    }
