# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Pods run with: injected by which revision, which version of the proxy, and what they would get today.

Sources: pkg/kube/inject (annotations, second filter) and the native sidecars of Kubernetes 1.33.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.resources import MUTATING_WEBHOOKS, NAMESPACE, POD
from .facts import REVISION_LABEL, SYSTEM_NAMESPACES
from .releases import image_tag
from .snapshot import Snapshot
from .webhooks import annotations_of, injecting_revisions, labels_of

PROXY = "istio-proxy"
_STATUS = "sidecar.istio.io/status"
_TEMPLATES = "inject.istio.io/templates"
_OVER = ("Succeeded", "Failed")
_SHOWN = 100


@dataclass(frozen=True)
class Pending:
    """A Pod that a restart would change, and how."""

    namespace: str
    name: str
    owner: str
    reason: str


def proxy_of(pod: Object) -> Mapping[str, Any] | None:
    """The container of the proxy, which may be a native sidecar."""
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return next((container for container in containers if container["name"] == PROXY), None)


def proxy_version(pod: Object) -> str:
    proxy = proxy_of(pod)
    return image_tag(proxy) if proxy else ""


def injected_by(pod: Object) -> str:
    """The revision that injected a Pod, or nothing."""
    annotations = annotations_of(pod)
    if _STATUS not in annotations and proxy_of(pod) is None:
        return ""
    return annotations.get(REVISION_LABEL, "")


def is_gateway(pod_or_template: Mapping[str, Any]) -> bool:
    return annotations_of(pod_or_template).get(_TEMPLATES) == "gateway"


def is_over(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in _OVER


def living(snapshot: Snapshot) -> Iterator[Object]:
    """Pods that still run, or will."""
    return (pod for pod in snapshot.of(POD) if not is_over(pod))


def pods_told(snapshot: Snapshot, versions: Mapping[str, str]) -> dict[str, Any]:
    """Injected and pending Pods in numbers, and the first of those that wait for a restart."""
    pods = list(living(snapshot))
    injected = [pod for pod in pods if proxy_of(pod)]
    waiting = list(pending(snapshot, versions))
    return {
        "total": len(pods),
        "injected": len(injected),
        "versions": dict(sorted(Counter(proxy_version(pod) or "unknown" for pod in injected).items())),
        "revisions": dict(sorted(Counter(injected_by(pod) or "unknown" for pod in injected).items())),
        "pending": len(waiting),
        "pending_pods": [vars(pod) for pod in waiting[:_SHOWN]],
    }


def pending(snapshot: Snapshot, versions: Mapping[str, str]) -> Iterator[Pending]:
    """Pods whose proxy is not the one that they would get today. `versions` are those of the revisions."""
    webhooks = snapshot.of(MUTATING_WEBHOOKS)
    namespaces = {found["metadata"]["name"]: labels_of(found) for found in snapshot.of(NAMESPACE)}
    for pod in living(snapshot):
        place = pod["metadata"]["namespace"]
        if place in SYSTEM_NAMESPACES or pod["spec"].get("hostNetwork"):
            continue  # never injected, whatever a webhook matches
        wanted = injecting_revisions(webhooks, namespaces.get(place, {}), labels_of(pod))
        reason = difference(pod, wanted, versions)
        if reason:
            yield Pending(place, pod["metadata"]["name"], owner_of_pod(pod), reason)


def difference(pod: Object, wanted: Sequence[str], versions: Mapping[str, str]) -> str:
    """How the proxy of a Pod differs from the one that it would get of these revisions, or nothing."""
    has, revision, version = proxy_of(pod) is not None, injected_by(pod), proxy_version(pod)
    if not wanted:
        # A proxy without the mark of an injector was written by hand, or is a gateway that istiod deploys.
        return f"it has a proxy of revision {revision} and would get none" if has and revision else ""
    if not has:
        return f"it has no proxy and would get one of revision {wanted[0]}"
    if revision and revision not in wanted:
        return f"its proxy is of revision {revision}, and would be of {wanted[0]}"
    newest = versions.get(wanted[0], "")
    return f"its proxy is {version}, and would be {newest}" if version and newest and version != newest else ""


def owner_of_pod(pod: Object) -> str:
    """The controller of a Pod, as people know it: a ReplicaSet is told as its Deployment."""
    for owner in pod["metadata"].get("ownerReferences") or []:
        name, suffix = str(owner["name"]), labels_of(pod).get("pod-template-hash")
        if owner["kind"] == "ReplicaSet" and suffix and name.endswith(f"-{suffix}"):
            return f"Deployment {name.removesuffix(f'-{suffix}')}"
        return f"{owner['kind']} {name}"
    return ""
