# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What others have changed in our objects since we applied them, read from managedFields alone.

Whoever changes a field becomes its manager, and the server notes when. So a field that somebody else manages, in an
entry that is younger than all of ours, was set after we applied the object. An object in which nothing is ours any more
cannot be told from one that never was. What Istio and Kubernetes themselves write
while they run is no drift.
Sources: Kubernetes, fieldsV1 of sigs.k8s.io/structured-merge-diff; pkg/webhooks and the controllers named below.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.resources import (
    AUTOSCALER,
    CONFIG_MAP,
    CRD,
    DAEMON_SET,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    KUBERNETES,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
    VALIDATING_WEBHOOKS,
)
from ..reconcile.objects import Key
from .facts import MANAGER_PREFIX
from .kinds import KINDS
from .snapshot import Ask, Snapshot

# Who writes what into objects of ours while they run: manager, and the beginning of the field.
_ANYBODY = ""
_RUNTIME: tuple[tuple[str, str], ...] = (
    (_ANYBODY, "spec.template.metadata.annotations.[kubectl.kubernetes.io/restartedAt]"),
    ("pilot-discovery", "webhooks"),
    ("kube-controller-manager", ""),
    ("kube-apiserver", ""),
    ("kubelet", ""),
    ("kube-scheduler", ""),
)
_CLUSTER_WIDE = (NAMESPACE, DEPLOYMENT, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
_RBAC = "rbac.authorization.k8s.io/v1"
# Of these a cluster may have very many: only namespaces with a control plane or gateway are read.
_OF_NAMESPACE = (
    CONFIG_MAP,
    SERVICE,
    SERVICE_ACCOUNT,
    DAEMON_SET,
    AUTOSCALER,
    DISRUPTION_BUDGET,
    ROLE,
    ROLE_BINDING,
)
_ISTIO = "app.kubernetes.io/part-of=istio"
_LABELLED = (KUBERNETES[_RBAC, "ClusterRole"], KUBERNETES[_RBAC, "ClusterRoleBinding"])
_SHOWN = 200


@dataclass(frozen=True)
class Drift:
    """A field that somebody else has set since."""

    key: Key
    field: str
    manager: str
    time: str


def drift_asks(namespaces: Iterable[str]) -> list[Ask]:
    """What is read to find drift."""
    places = sorted(set(namespaces))
    return [
        *(Ask(resource) for resource in _CLUSTER_WIDE),
        *(Ask(resource, labels=_ISTIO) for resource in _LABELLED),
        Ask(CRD, labels="chart=istio"),
        *(Ask(kind.resource) for kind in KINDS),
        *(Ask(resource, place) for resource in _OF_NAMESPACE for place in places),
    ]


def drift_told(snapshot: Snapshot) -> dict[str, Any]:
    """How many fields have drifted, and the first of them."""
    found = [drift for objects in snapshot.objects.values() for item in objects for drift in drift_of(item)]
    return {"count": len(found), "fields": [_row(drift) for drift in found[:_SHOWN]]}


def drift_of(found: Object) -> Iterator[Drift]:
    """The drifted fields of one object; none in what is not ours."""
    entries = [entry for entry in found["metadata"].get("managedFields") or [] if not entry.get("subresource")]
    ours = [str(entry.get("time")) for entry in entries if _is_ours(entry)]
    if not ours:
        return
    for entry in entries:
        if not _is_ours(entry) and str(entry.get("time")) > max(ours):
            for path in leaves(entry.get("fieldsV1") or {}):
                if not _is_runtime(str(entry["manager"]), path):
                    yield Drift(Key.of(found), path, str(entry["manager"]), str(entry["time"]))


def leaves(fields: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """The paths of a fieldsV1 as people write them: `spec.ports[name=http].number`."""
    for step, inner in fields.items():
        if step == ".":
            continue
        here = f"{path}{_step(step)}" if path else _step(step).lstrip(".")
        yield from leaves(inner, here) if set(inner) - {"."} else (here,)


def managers_told(objects: Sequence[Object]) -> list[dict[str, Any]]:
    """Who manages how many fields of each object."""
    return [{**_place(Key.of(found)), "managers": list(_managers(found))} for found in objects]


def _managers(found: Object) -> Iterator[dict[str, Any]]:
    for entry in found["metadata"].get("managedFields") or []:
        yield {
            "manager": entry.get("manager", ""),
            "operation": entry.get("operation", ""),
            "subresource": entry.get("subresource", ""),
            "time": entry.get("time", ""),
            "fields": sum(1 for _path in leaves(entry.get("fieldsV1") or {})),
        }


def _is_ours(entry: Mapping[str, Any]) -> bool:
    return str(entry.get("manager")).startswith(MANAGER_PREFIX)


def _is_runtime(manager: str, path: str) -> bool:
    return any(known in (_ANYBODY, manager) and path.startswith(begin) for known, begin in _RUNTIME)


def _step(step: str) -> str:
    kind, _colon, rest = step.partition(":")
    if kind == "k":
        return "[" + ",".join(f"{key}={value}" for key, value in json.loads(rest).items()) + "]"
    if kind == "f":
        return f".[{rest}]" if "." in rest or "/" in rest else f".{rest}"
    return f"[{rest}]"  # v: an item of a set, i: an index


def _row(drift: Drift) -> dict[str, Any]:
    return {**_place(drift.key), "field": drift.field, "manager": drift.manager, "time": drift.time}


def _place(key: Key) -> dict[str, str]:
    return {"kind": key.kind, "namespace": key.namespace, "name": key.name}
