# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to restart before the whole data plane runs the proxies that it would get today, or after a planned change.

A Pod is injected once, when it is made. So what counts is what the webhooks as they are, or as they are planned, would
do with each Pod, compared with what it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from ..kube.client import Object
from ..kube.resources import DAEMON_SET, DEPLOYMENT, NAMESPACE, STATEFUL_SET
from ..reconcile.objects import Key
from .desired_proxies import pending
from .facts import INJECTION_LABEL, REVISION_LABEL
from .pods import is_gateway
from .snapshot import Snapshot, space_and_name
from .webhooks import labels_of

How = Literal["restart", "delete_pods", "by_hand"]
# Controllers that renew their Pods when their template changes; DaemonSets and StatefulSets may be told not to.
CONTROLLERS = {resource.kind: resource for resource in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET)}
ON_DELETE = "OnDelete"


@dataclass(frozen=True)
class Restart:
    """A workload whose Pods are to be renewed, why, and how that is done.

    `by_hand` are Pods that nobody makes again, those of Jobs, which do not restart, and those of kinds which only their
    own tools restart.
    """

    kind: str
    namespace: str
    name: str
    pods: int
    reason: str
    how: How
    gateway: bool = False

    def told(self) -> dict[str, Any]:
        """For a result."""
        return dict(vars(self))


def restarts(snapshot: Snapshot, versions: Mapping[str, str]) -> list[Restart]:
    """The workloads with Pods that a restart would change; `versions` are those of the revisions."""
    found: dict[tuple[str, str, str], Restart] = {}
    for pod in pending(snapshot, versions):
        kind, _space, name = (pod.owner or f"Pod {pod.name}").partition(" ")
        place = (kind, pod.namespace, name)
        if place in found:
            found[place] = replace(found[place], pods=found[place].pods + 1)
        else:
            owner = controller(snapshot, *place)
            gateway = bool(owner) and is_gateway({"metadata": {}, **(owner or {})["spec"]["template"]})
            found[place] = Restart(*place, 1, pod.reason, _how(kind, owner), gateway)
    return [found[place] for place in sorted(found, key=lambda place: (found[place].gateway, place[1], place))]


def controller(snapshot: Snapshot, kind: str, namespace: str, name: str) -> Object | None:
    """The workload of that name, if it is one that can be restarted."""
    resource = CONTROLLERS.get(kind)
    return snapshot.named(resource, name, namespace) if resource else None


def _how(kind: str, owner: Object | None) -> How:
    if kind not in CONTROLLERS:
        return "by_hand"
    strategy = ((owner or {}).get("spec") or {}).get("updateStrategy") or {}
    return "delete_pods" if strategy.get("type") == ON_DELETE else "restart"


def laid_over(snapshot: Snapshot, objects: Iterable[Object]) -> Snapshot:
    """The cluster with planned objects in it, each in place of the one that it changes."""
    changed: dict[str, dict[tuple[str, str], Object]] = {}
    for content in objects:
        key = Key.of(content)
        changed.setdefault(key.group_kind, {})[key.namespace, key.name] = content
    merged = dict(snapshot.objects)
    for kind, there in changed.items():
        kept = [item for item in snapshot.objects.get(kind, ()) if space_and_name(item) not in there]
        merged[kind] = [*kept, *there.values()]
    return replace(snapshot, objects=merged)


def moved(snapshot: Snapshot, namespaces: Iterable[str], revision: str) -> Snapshot:
    """The cluster with namespaces that ask for another revision or tag."""
    chosen = set(namespaces)
    relabelled = [
        _relabelled(found, revision) for found in snapshot.of(NAMESPACE) if found["metadata"]["name"] in chosen
    ]
    return laid_over(snapshot, relabelled)


def _relabelled(found: Object, revision: str) -> Object:
    kept = {key: value for key, value in labels_of(found).items() if key != INJECTION_LABEL}
    return {**found, "metadata": {**found["metadata"], "labels": {**kept, REVISION_LABEL: revision}}}
