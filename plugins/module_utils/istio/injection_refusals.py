# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must not become of a change of injection, judged by the webhooks that the cluster has, before the first write.

Istio itself says nothing of a revision that does not exist, lets two injectors have the same Pod, and makes no Pod
at all where the istiod behind a webhook is down. All of it shows itself at the next restart, when it is too late.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from ..kube.client import Object
from ..kube.errors import Forbidden
from ..kube.resources import DEPLOYMENT, ENDPOINT_SLICE, MUTATING_WEBHOOKS, NAMESPACE, POD
from ..kube.text import did_you_mean
from ..reconcile.objects import Key
from ..reconcile.plan import Action, Plan
from ..reconcile.run import Run
from .decision import Decision, Injectors, decision_asks, injectors_of
from .desired_proxies import desired_asks, pending
from .facts import INJECT_LABEL, INJECTION_LABEL, REVISION_LABEL
from .injection import ENABLED, InjectionError
from .readiness import has_ready_endpoint
from .remote_record import record_asks
from .second_filter import Subject, subject_of
from .selectors import Labels
from .snapshot import Ask, Snapshot, read, read_more
from .status import proxy_versions
from .webhooks import Hook, labels_of, services_of
from .workload_kinds import WorkloadKind

# With changes in more namespaces than this, one LIST of all Pods is cheaper.
_FEW = 3
_SHOWN = 10
# Why somebody who says 'enabled' of a workload gets nothing, whatever control planes come and go.
_NEVER = ("namespace_disabled", "host_network", "system_namespace", "never_inject_selector", "policy")


@dataclass(frozen=True)
class _Change:
    """A namespace or a workload that changes: what decides about its Pods then, and whether it asks for a sidecar."""

    key: Key
    subject: Subject
    asks: bool


@dataclass(frozen=True)
class InjectorsThere:
    """The webhooks of the cluster and what their istiods are told, read once and only if somebody asks."""

    run: Run

    @cached_property
    def snapshot(self) -> Snapshot:
        first = read(self.run.client, [Ask(MUTATING_WEBHOOKS)])
        return read_more(self.run.client, first, decision_asks(first))

    @cached_property
    def injectors(self) -> Injectors:
        return injectors_of(self.snapshot)


def require_revisions(there: InjectorsThere, names: Iterable[str]) -> list[str]:
    """Warnings about what could not be judged. Raises InjectionError for a name that is no revision and no tag."""
    asked = sorted(set(names))
    if not asked:
        return []
    if not there.snapshot.is_readable(MUTATING_WEBHOOKS):
        return [f"Without the permission to {there.snapshot.unread[0]} nobody knows whether {', '.join(asked)} exists"]
    known = sorted({hook.named for hook in there.injectors.hooks})
    if not known and there.run.check_mode:
        return [f"No control plane is there yet, so nobody knows whether {', '.join(asked)} will exist"]
    missing = [name for name in asked if name not in known]
    if missing:
        raise InjectionError(
            f"There is no revision or tag '{missing[0]}' on {there.run.client.name}{did_you_mean(missing[0], known)}",
            subject=missing[0],
            reason=f"there are {', '.join(known)}" if known else "there is no injection webhook at all",
            hint="Correct the name, or install the revision first. Istio would say nothing and inject nothing",
        )
    return []


def judged(
    there: InjectorsThere, plan: Plan, namespaces: Mapping[str, Labels], kinds: Sequence[WorkloadKind]
) -> list[str]:
    """Warnings about what a plan changes; `namespaces` are those that are there. Raises InjectionError."""
    changes = list(_changes(plan, namespaces, kinds))
    if not changes:
        return []
    run, snapshot = there.run, there.snapshot
    if not snapshot.is_readable(MUTATING_WEBHOOKS):
        return [f"Without the permission to {snapshot.unread[0]} nobody knows who would inject"]
    decided = [(change, there.injectors.decide(change.subject)) for change in changes]
    for change, decision in decided:
        _refuse_two(run, change, decision)
        _refuse_never(run, change, decision)
    for change in _there_already(there, plan, kinds):
        _refuse_two(run, change, there.injectors.decide(change.subject))
    doubts = dict.fromkeys(decision.doubt for _change, decision in decided if decision.doubt)
    return [*_refuse_down(run, snapshot, decided), *_nobody(decided), *(f"Not certain: {doubt}" for doubt in doubts)]


def _changes(plan: Plan, namespaces: Mapping[str, Labels], kinds: Sequence[WorkloadKind]) -> Iterator[_Change]:
    after = {action.key.name: labels_of(_after(action)) for action in _of_namespaces(plan)}
    by_kind = {kind.resource.group_kind: kind for kind in kinds}
    for action in plan.writes:
        if _is_namespace(action):
            labels = after[action.key.name]
            asks = labels.get(INJECTION_LABEL) == ENABLED or REVISION_LABEL in labels
            yield _Change(action.key, Subject(action.key.name, labels), asks)
        elif action.key.group_kind in by_kind:
            space = action.key.namespace
            template = by_kind[action.key.group_kind].template_of(_after(action))
            subject = subject_of(template, space, after.get(space, namespaces.get(space, {})))
            yield _Change(action.key, subject, subject.labels.get(INJECT_LABEL) == "true")


def _there_already(there: InjectorsThere, plan: Plan, kinds: Sequence[WorkloadKind]) -> list[_Change]:
    """Workloads of namespaces that change: with labels of their own, their Pods may be another's than bare ones."""
    after = {one.key.name: labels_of(_after(one)) for one in _of_namespaces(plan) if one.verb == "update"}
    if not after:
        return []
    places = _places(after)
    asks = [Ask(one.resource, place) for one in kinds for place in places]
    snapshot = read_more(there.run.client, there.snapshot, asks)
    written = {action.key for action in plan.writes}
    return [
        _Change(Key.of(found), subject_of(kind.template_of(found), space, after[space]), asks=False)
        for kind in kinds
        for found in snapshot.of(kind.resource)
        if (space := found["metadata"]["namespace"]) in after and Key.of(found) not in written
    ]


def _after(action: Action) -> Object:
    return action.after or {"metadata": {}}


def _of_namespaces(plan: Plan) -> Iterator[Action]:
    return filter(_is_namespace, plan.writes)


def _places(namespaces: Collection[str]) -> Sequence[str | None]:
    """Where to ask for what is in some namespaces: in each of a few, or everywhere at once."""
    return sorted(namespaces) if len(namespaces) <= _FEW else [None]


def _is_namespace(action: Action) -> bool:
    return action.key.group_kind == NAMESPACE.group_kind


def _refuse_two(run: Run, change: _Change, decision: Decision) -> None:
    if decision.others and decision.hook:
        both = ", ".join(map(str, (decision.hook, *decision.others)))
        raise InjectionError(
            f"Two injectors would match the Pods of {change.key} on {run.client.name}",
            subject=str(change.key),
            reason=f"{both} all select them, and each Pod would be injected twice",
            hint="Leave one of them: let service_mesh.istio.revision_tag point the tag 'default', which puts the other "
            "out of action, or remove the tag that somebody else has made",
        )


def _refuse_never(run: Run, change: _Change, decision: Decision) -> None:
    is_workload = bool(change.key.namespace)
    if is_workload and change.asks and not decision.injected and decision.rule in _NEVER:
        raise InjectionError(
            f"{change.key} on {run.client.name} is to be injected and never would be",
            subject=str(change.key),
            reason=decision.because,
            hint="Take its mode away, or change what stands in the way",
        )


def _nobody(decided: Iterable[tuple[_Change, Decision]]) -> list[str]:
    """What asks for a sidecar that nobody would give it today: the control plane may come later."""
    missed: dict[str, list[str]] = {}
    for change, decision in decided:
        if change.asks and not decision.injected:
            missed.setdefault(decision.because, []).append(str(change.key))
    return [f"No sidecar for {_some(names)} yet: {because}" for because, names in missed.items()]


def _refuse_down(run: Run, snapshot: Snapshot, decided: Iterable[tuple[_Change, Decision]]) -> list[str]:
    """Each Service of a webhook is asked for once. One that is reached by a URL is not of this cluster."""
    wanted: dict[tuple[str, str], list[str]] = {}
    for change, decision in decided:
        place = _service_of(snapshot, decision.hook) if decision.injected and decision.hook else None
        if place:
            wanted.setdefault(place, []).append(str(change.key))
    for (namespace, service), names in wanted.items():
        labels = f"kubernetes.io/service-name={service}"
        try:
            slices = list(run.client.list_objects(ENDPOINT_SLICE, namespace, labels=labels))
        except Forbidden as error:
            return [f"{error.reason}: nobody knows whether {namespace}/{service} answers"]
        if not any(map(has_ready_endpoint, slices)):
            raise InjectionError(
                f"The istiod that would inject {_some(names)} on {run.client.name} is down",
                subject=f"Service {namespace}/{service}",
                reason="the Service of its webhook has no endpoint that is ready, and no Pod could be made there",
                hint="Repair the control plane first (service_mesh.istio.mesh_info tells its state)",
            )
    return []


def _service_of(snapshot: Snapshot, hook: Hook) -> tuple[str, str] | None:
    configuration = snapshot.named(MUTATING_WEBHOOKS, hook.configuration)
    services = services_of(configuration) if configuration else iter(())
    return next(((namespace, name) for found, namespace, name in services if found["name"] == hook.name), None)


def refuse_pending(there: InjectorsThere, plan: Plan, kinds: Sequence[WorkloadKind]) -> None:
    """Raises InjectionError for a change in a namespace whose workloads have not been restarted after the last one.

    Pods that nobody makes again, bare ones and those of Jobs, would keep a namespace waiting for good.
    """
    spaces = {action.key.namespace or action.key.name for action in plan.writes}
    if not spaces:
        return
    places = _places(spaces)
    workloads = [Ask(kind.resource, place) for kind in kinds for place in places]
    asks = [Ask(DEPLOYMENT), Ask(NAMESPACE), *workloads, *(Ask(POD, place, required=True) for place in places)]
    first = read_more(there.run.client, there.snapshot, [*asks, *desired_asks(there.snapshot)])
    snapshot = read_more(there.run.client, first, record_asks(first))
    restarted = {kind.kind for kind in kinds}
    waiting = [
        pod
        for pod in pending(snapshot, proxy_versions(snapshot), kinds)
        if pod.namespace in spaces and pod.owner.partition(" ")[0] in restarted
    ]
    if waiting:
        names = sorted({pod.namespace for pod in waiting})
        pod = waiting[0]
        raise InjectionError(
            f"{_some(names)} on {there.run.client.name} has a pending restart and takes no further change",
            subject=f"Namespace {names[0]}",
            reason=f"{len(waiting)} Pods still have what they had before the last one, for example "
            f"{pod.namespace}/{pod.name}: {pod.reason}",
            hint="Restart these workloads first, or run without 'guard_pending_restart'",
        )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
