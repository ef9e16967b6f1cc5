# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ways by which clusters elsewhere reach the control plane that serves them: who uses it is not in its own cluster.

To the istiod of a primary leads a VirtualService in its root namespace, to an external one a Service of its own.
Source: the role mesh_clusters (tasks/networks.yml, tasks/door.yml), which writes them; istio.io, "Install
Primary-Remote" (samples/multicluster/expose-istiod.yaml), for what others write.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..kube.client import Object
from ..kube.resources import SECRET, SERVICE
from .external_plane import is_external
from .facts import REVISION_LABEL
from .kinds import VIRTUAL_SERVICE
from .remote_secret import SELECTOR, clusters_in
from .revisions import named
from .snapshot import Ask, Snapshot
from .usage import istiods
from .webhooks import DEFAULT_REVISION, labels_of

# What sidecars and API servers ask of an istiod, by the ports of its Service.
_ASKED = frozenset({15012, 15017, 443})
_DOOR = "-external"


def routes_in(namespace: str) -> Ask:
    """What has to be read of a primary."""
    return Ask(VIRTUAL_SERVICE.resource, namespace)


def doors_in(snapshot: Snapshot, namespace: str, revision: str) -> list[Ask]:
    """What has to be read where an external control plane is: its door, and who it reads."""
    if not any(map(is_external, _planes(snapshot, namespace, revision))):
        return []
    return [Ask(SERVICE, namespace, name=_door(revision)), Ask(SECRET, namespace, labels=SELECTOR)]


def ways_in(snapshot: Snapshot, namespace: str, revision: str) -> list[Object]:
    """What leads clusters elsewhere to a control plane, if it is there."""
    planes = _planes(snapshot, namespace, revision)
    if not planes:
        return []
    door = snapshot.named(SERVICE, _door(revision), namespace) if any(map(is_external, planes)) else None
    routes = snapshot.of(VIRTUAL_SERVICE.resource, namespace)
    return [
        *([door] if door else []),
        *(route for route in routes if _leads_to(route, _istiod(revision), namespace)),
    ]


def clusters_read(snapshot: Snapshot, namespace: str) -> list[str]:
    """The clusters that the control planes of a namespace read by Secrets there."""
    return sorted({name for secret in snapshot.of(SECRET, namespace) for name in clusters_in(secret)})


def _planes(snapshot: Snapshot, namespace: str, revision: str) -> list[Object]:
    return [
        found
        for found in istiods(snapshot)
        if found["metadata"]["namespace"] == namespace
        and labels_of(found).get(REVISION_LABEL, DEFAULT_REVISION) == revision
    ]


def _istiod(revision: str) -> str:
    return named("istiod", "" if revision == DEFAULT_REVISION else revision)


def _door(revision: str) -> str:
    return f"{_istiod(revision)}{_DOOR}"


def _leads_to(route: Object, service: str, namespace: str) -> bool:
    full = f"{service}.{namespace}"
    return any(
        (host in (service, full) or host.startswith(f"{full}.svc")) and port in _ASKED
        for host, port in _destinations(route["spec"])
    )


def _destinations(spec: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Of connections that istiod answers itself, which no gateway opens."""
    for part in ("tls", "tcp"):
        for rule in spec.get(part) or []:
            for one in rule.get("route") or []:
                to = one.get("destination") or {}
                yield str(to.get("host") or ""), int((to.get("port") or {}).get("number") or 0)
