# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What workloads and namespaces have of sidecars, against what they would get: one view for each.

Effective is what running Pods really have. Pods that are on their way out do not count; those that nobody makes again,
those of Jobs and those that are over are told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import Any

from ..kube.client import Object
from ..kube.pods import container_statuses, is_over, troubles_of
from ..kube.resources import NAMESPACE, POD
from ..kube.wait import condition
from ..reconcile.objects import is_ending
from .decision import Decision
from .desired_proxies import DesiredProxies
from .facts import DECIDING_LABELS
from .pods import INJECTED_CONTAINERS, PROXY, injected_by, is_native, proxy_of, proxy_version
from .proxy_settings import resources_of
from .restart_marker import moment
from .second_filter import Subject
from .snapshot import Snapshot
from .webhooks import labels_of
from .workload_kinds import Owner, WorkloadKind, owner_of

INJECTED, NOT_INJECTED, PENDING, FAILED = "injected", "not_injected", "pending_restart", "failed"
STATES = (INJECTED, NOT_INJECTED, PENDING, FAILED)
BARE, OF_JOB, OVER, OF_UNKNOWN = "bare", "job", "completed", "unknown_kind"
_JOB = "Job"
_PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Workload:
    """What makes Pods of one template, or Pods told apart; `why_apart` says why they are."""

    namespace: str
    owner: Owner
    decision: Decision
    version: str
    found: Object | None = None
    pods: Sequence[Object] = ()
    differences: Mapping[str, str] = field(default_factory=dict)  # by the name of the Pod
    why_apart: str = ""

    @property
    def injected(self) -> list[Object]:
        return [pod for pod in self.pods if proxy_of(pod)]

    @cached_property
    def troubles(self) -> dict[str, str]:
        """What keeps proxies from running, and Pods with proxies from being made, by the name of the object."""
        failed = {pod["metadata"]["name"]: next(_proxy_troubles(pod), "") for pod in self.injected}
        refused = condition(self.found or {}, "ReplicaFailure")
        if refused.get("status") == "True" and self.decision.injected:
            failed[str(self.owner)] = f"no Pod can be made: {refused.get('message') or refused.get('reason')}"
        return {name: trouble for name, trouble in failed.items() if trouble}

    @property
    def state(self) -> str:
        if self.troubles:
            return FAILED
        if self.differences:
            return PENDING
        return INJECTED if self.injected or (self.decision.injected and not self.pods) else NOT_INJECTED

    def told(self) -> dict[str, Any]:
        """For a result."""
        return {
            "kind": self.owner.kind,
            "namespace": self.namespace,
            "name": self.owner.name,
            "state": self.state,
            "pods": counts([self]),
            "desired": {**self.decision.told(), "version": self.version},
            "effective": effective(self.injected),
            "reasons": [*dict.fromkeys([*self.troubles.values(), *self.differences.values()])],
        }

    def told_apart(self) -> dict[str, Any]:
        return {**self.told(), "why_apart": self.why_apart}


def counts(workloads: Sequence[Workload]) -> dict[str, int]:
    return {
        "total": sum(len(one.pods) for one in workloads),
        "injected": sum(len(one.injected) for one in workloads),
        "pending": sum(len(one.differences) for one in workloads),
        "failed": sum(len(one.troubles) for one in workloads),
    }


def effective(pods: Sequence[Object]) -> list[dict[str, Any]]:
    """The different proxies that Pods have, and how many have each."""
    found: dict[str, dict[str, Any]] = {}
    for pod in pods:
        proxy = {
            "version": proxy_version(pod),
            "revision": injected_by(pod),
            "native": is_native(pod),
            "image": str((proxy_of(pod) or {}).get("image") or ""),
            "resources": resources_of(pod),
        }
        found.setdefault(str(proxy), {**proxy, "pods": 0})["pods"] += 1
    return list(found.values())


def _proxy_troubles(pod: Object) -> Iterator[str]:
    """What the kubelet says of the containers that the injector has added."""
    status = pod.get("status") or {}
    ours = {
        part: [one for one in status.get(part) or [] if one["name"] in INJECTED_CONTAINERS]
        for part in ("initContainerStatuses", "containerStatuses")
    }
    yield from troubles_of({**pod, "status": ours})
    yield from (f"Pod {_name(pod)}, {why}" for one in container_statuses({"status": ours}) if (why := _not_ready(one)))


def _not_ready(container: Mapping[str, Any]) -> str:
    """A proxy that has run for minutes and takes no traffic; one that has just started may well."""
    since = moment(str(((container.get("state") or {}).get("running") or {}).get("startedAt") or ""))
    if container["name"] != PROXY or container.get("ready") or not since:
        return ""
    runs = datetime.now(timezone.utc) - since
    return (
        f"container {PROXY}: it has run since {since:%Y-%m-%d %H:%M} UTC and is not ready" if runs > _PATIENCE else ""
    )


def workloads_of(snapshot: Snapshot, desired: DesiredProxies) -> list[Workload]:
    """All workloads of a snapshot with the Pods that are there to stay, and after them what is told apart."""
    pods: dict[tuple[str, Owner, str], list[Object]] = {}
    kinds = {kind.kind for kind in desired.kinds}
    for pod in snapshot.of(POD):
        if not is_ending(pod):
            owner = owner_of(pod, desired.kinds)
            apart = _why_apart(pod, owner, kinds)
            place = (pod["metadata"]["namespace"], owner if owner.kind else Owner(POD.kind, _name(pod)), apart)
            pods.setdefault(place, []).append(pod)
    there = [
        _workload(
            desired, kind, found, pods.pop((found["metadata"]["namespace"], Owner(kind.kind, _name(found)), ""), ())
        )
        for kind in desired.kinds
        for found in snapshot.of(kind.resource)
    ]
    apart_from_them = [_apart(desired, place, found) for place, found in pods.items()]
    return sorted(there, key=_order) + sorted(apart_from_them, key=_order)


def _why_apart(pod: Object, owner: Owner, kinds: set[str]) -> str:
    if is_over(pod):
        return OVER
    if owner.kind in kinds:
        return ""
    return BARE if not owner.kind else OF_JOB if owner.kind == _JOB else OF_UNKNOWN


def _workload(desired: DesiredProxies, kind: WorkloadKind, found: Object, pods: Sequence[Object]) -> Workload:
    namespace, owner = found["metadata"]["namespace"], Owner(kind.kind, _name(found))
    # A workload without a template of its own is judged by its Pods.
    source = desired.templates.get((namespace, owner)) or (pods[0] if pods else {"metadata": {}})
    decision = desired.decision_of(source, namespace)
    return Workload(
        namespace, owner, decision, desired.version_of(decision, source), found, pods, _differences(desired, pods)
    )


def _apart(desired: DesiredProxies, place: tuple[str, Owner, str], pods: Sequence[Object]) -> Workload:
    """What an owner that is gone, or not of a known kind, has left counts as apart, too."""
    namespace, owner, apart = place
    decision = desired.decision_of(pods[0], namespace)
    differences = {} if apart == OVER else _differences(desired, pods)
    version = desired.version_of(decision, pods[0])
    return Workload(namespace, owner, decision, version, None, pods, differences, apart or OF_UNKNOWN)


def _differences(desired: DesiredProxies, pods: Sequence[Object]) -> dict[str, str]:
    found = {_name(pod): desired.difference(pod) for pod in pods}
    return {name: reason for name, reason in found.items() if reason}


def namespace_told(
    name: str, labels: Mapping[str, str], decision: Decision, workloads: Sequence[Workload]
) -> dict[str, Any]:
    """A namespace: what a Pod without labels of its own would get, and the state of what runs in it."""
    states = Counter(one.state for one in workloads)
    worst = next((state for state in (FAILED, PENDING) if states[state]), "")
    return {
        "name": name,
        "labels": {key: value for key, value in labels.items() if key in DECIDING_LABELS},
        "state": worst or (INJECTED if decision.injected else NOT_INJECTED),
        "desired": decision.told(),
        "workloads": {"total": len(workloads), **{state: states[state] for state in STATES}},
        "pods": counts(workloads),
    }


def decision_of_namespace(snapshot: Snapshot, desired: DesiredProxies, name: str) -> Decision:
    """What a Pod without any label would get."""
    found = snapshot.named(NAMESPACE, name)
    return desired.injectors.decide(Subject(name, labels_of(found) if found else {}))


def _name(found: Object) -> str:
    return str(found["metadata"]["name"])


def _order(one: Workload) -> tuple[str, Owner]:
    return one.namespace, one.owner
