# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading what injection is about: webhooks and istiods first, then namespaces, their Pods and what makes these.

Of a few namespaces each is asked for by itself, of many or all the whole cluster by one LIST of each kind; where that
is forbidden, namespace by namespace again. What may not be read of a namespace keeps that namespace from being judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.resources import LIMIT_RANGE, MUTATING_WEBHOOKS, NAMESPACE, POD
from ..kube.text import did_you_mean
from .decision import decision_asks
from .desired_proxies import istiod_asks
from .facts import SYSTEM_NAMESPACES
from .pods import INJECTED_CONTAINERS
from .remote_record import record_asks
from .snapshot import Ask, Snapshot, Unread, read, read_more
from .workload_kinds import WorkloadKind

_FEW = 4
_KEPT_OF_METADATA = (
    "name",
    "namespace",
    "labels",
    "annotations",
    "ownerReferences",
    "creationTimestamp",
    "deletionTimestamp",
)


class UnknownNamespace(Failure):
    """A namespace that is asked for does not exist."""

    code = "unknown_namespace"


class NotAllRead(Failure):
    """Some of what is asked for may not be read."""

    code = "not_all_read"


@dataclass(frozen=True)
class Read:
    """What could be read, of which namespaces, and why others could not be."""

    snapshot: Snapshot
    namespaces: tuple[str, ...]
    unread: dict[str, str] = field(default_factory=dict)


def read_injection(
    client: Client,
    kinds: Sequence[WorkloadKind],
    names: Sequence[str],
    labels: str,
    allow_partial: bool,
    beside: Sequence[str] = (),
) -> Read:
    """All that decides about injection in some namespaces, or in all; `beside` those that the labels choose, others.

    Raises UnknownNamespace and NotAllRead.
    """
    first = read(client, [Ask(MUTATING_WEBHOOKS, required=True)])
    more = read_more(client, first, [*istiod_asks(first), *decision_asks(first)])
    more = read_more(client, more, record_asks(more))
    snapshot = _with_namespaces(client, more, names, labels, beside)
    chosen = _chosen(snapshot, names, beside)
    read_there, unread = _contents(client, snapshot, kinds, chosen, whole=len(chosen) > _FEW or not (names or labels))
    if unread and not allow_partial:
        raise _not_all_read(client, unread)
    return Read(read_there, tuple(name for name in chosen if name not in unread), unread)


def _with_namespaces(
    client: Client, before: Snapshot, names: Sequence[str], labels: str, beside: Sequence[str]
) -> Snapshot:
    """By one LIST; where it is forbidden, by one GET for each that is named. Raises Forbidden."""
    if labels or not names:
        others = [Ask(NAMESPACE, name=name) for name in beside]
        return read_more(client, before, [Ask(NAMESPACE, labels=labels, required=True), *others])
    snapshot = read_more(client, before, [Ask(NAMESPACE, labels=labels)])
    if snapshot.is_readable(NAMESPACE):
        return snapshot
    return read_more(client, before, [Ask(NAMESPACE, name=name, required=True) for name in names])


def _chosen(snapshot: Snapshot, names: Sequence[str], beside: Sequence[str]) -> list[str]:
    there = sorted(found["metadata"]["name"] for found in snapshot.of(NAMESPACE))
    for name in (*names, *beside):
        if name not in there:
            raise UnknownNamespace(
                f"There is no namespace '{name}' on {snapshot.cluster}{did_you_mean(name, there)}",
                subject=f"Namespace {name}",
                hint="Correct its name, or the label selector that leaves it out",
            )
    return list(dict.fromkeys(names)) or [name for name in there if name in beside or name not in SYSTEM_NAMESPACES]


def _contents(
    client: Client, snapshot: Snapshot, kinds: Sequence[WorkloadKind], chosen: Sequence[str], whole: bool
) -> tuple[Snapshot, dict[str, str]]:
    asks = [Ask(POD, keep=kept_of_pod), *(Ask(kind.resource, keep=kept) for kind in kinds), Ask(LIMIT_RANGE, keep=kept)]
    if whole:
        snapshot = read_more(client, snapshot, asks)
        refused = {found.resource for found in snapshot.unread}
        asks = [ask for ask in asks if ask.resource in refused]
    snapshot = read_more(client, snapshot, [replace(ask, namespace=name) for ask in asks for name in chosen])
    unread: dict[str, list[Unread]] = {}
    for found in snapshot.unread:
        if found.namespace in chosen and found.resource != LIMIT_RANGE:
            unread.setdefault(found.namespace, []).append(found)
    return snapshot, {name: _reason(found) for name, found in unread.items()}


def _reason(found: Sequence[Unread]) -> str:
    verbs = ", ".join(f"'{one.verb}' on {one.resource.plural}" for one in found)
    return f"{verbs} is forbidden there ({found[0].reason})"


def _not_all_read(client: Client, unread: dict[str, str]) -> NotAllRead:
    return NotAllRead(
        f"The injection of {len(unread)} namespace{'s' if len(unread) > 1 else ''} on {client.name} cannot be judged: "
        f"{', '.join(unread)}",
        subject=f"Namespace {next(iter(unread))}",
        reason=next(iter(unread.values())),
        hint="Grant what examples/rbac/read.yaml has, leave these namespaces out, or say 'allow_partial: true' to be "
        "told of the others",
    )


def kept(found: Object) -> Object:
    """An object without what only its server needs, which is the larger part of many."""
    metadata = {key: value for key, value in found["metadata"].items() if key in _KEPT_OF_METADATA}
    return {**found, "metadata": metadata}


def kept_of_pod(found: Object) -> Object:
    """What injection needs of a Pod."""
    spec, status = found["spec"], found.get("status") or {}
    containers = {
        part: [one for one in spec.get(part) or [] if one["name"] in INJECTED_CONTAINERS]
        for part in ("initContainers", "containers")
    }
    states = {
        part: [one for one in status.get(part) or [] if one["name"] in INJECTED_CONTAINERS]
        for part in ("initContainerStatuses", "containerStatuses")
    }
    return {
        **kept(found),
        "spec": {**containers, "hostNetwork": spec.get("hostNetwork", False)},
        "status": {"phase": status.get("phase"), **states},
    }
