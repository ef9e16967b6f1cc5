# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Pods run with: injected by which revision, and which proxy.

Sources: pkg/kube/inject (annotations) and the native sidecars of Kubernetes 1.33.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..kube.client import Object
from ..kube.pods import is_over
from ..kube.resources import POD
from .facts import REVISION_LABEL
from .releases import image_tag
from .snapshot import Snapshot
from .webhooks import annotations_of

PROXY = "istio-proxy"
INJECTED_CONTAINERS = (PROXY, "istio-init", "istio-validation", "enable-core-dump")
STATUS = "sidecar.istio.io/status"  # what an injector writes on a Pod, and nobody else
_TEMPLATES = "inject.istio.io/templates"


def proxy_of(pod: Object) -> Mapping[str, Any] | None:
    """The container of the proxy, which may be a native sidecar."""
    spec = pod["spec"]
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return next((container for container in containers if container["name"] == PROXY), None)


def is_native(pod: Object) -> bool:
    """Whether the proxy is a sidecar of Kubernetes' own kind, which starts before and ends after the application."""
    return any(container["name"] == PROXY for container in pod["spec"].get("initContainers") or [])


def authority_of(pod: Object) -> str:
    """Where the proxy of a Pod asks for its certificate (`host:port`), as the injector has told it; or nothing."""
    told = (proxy_of(pod) or {}).get("env") or ()
    return next((str(one.get("value", "")) for one in told if one["name"] == "CA_ADDR"), "")


def proxy_version(pod: Object) -> str:
    proxy = proxy_of(pod)
    return image_tag(proxy) if proxy else ""


def injected_by(pod: Object) -> str:
    """The revision that injected a Pod, or nothing."""
    annotations = annotations_of(pod)
    return annotations.get(REVISION_LABEL, "") if STATUS in annotations else ""


def is_gateway(pod_or_template: Mapping[str, Any]) -> bool:
    return annotations_of(pod_or_template).get(_TEMPLATES) == "gateway"


def living(snapshot: Snapshot) -> Iterator[Object]:
    """Pods that still run, or will."""
    return (pod for pod in snapshot.of(POD) if not is_over(pod))
