# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has a sidecar, who would get one, and why; explained, and as it would be with other labels. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..kube.errors import Failure
from ..kube.resources import DEPLOYMENT, LIMIT_RANGE
from ..reconcile.outcome import Outcome
from ..reconcile.run import Run
from .desired_proxies import DesiredProxies, desired_proxies
from .injection_read import Read, read_injection
from .injection_state import STATES, Workload, counts, decision_of_namespace, namespace_told, workloads_of
from .injection_words import decision_text, namespace_text, pod_text, workload_text
from .remote_record import remotes_of
from .snapshot import Snapshot
from .status import proxy_versions
from .what_if import Change, change, changed, unknown
from .workload_kinds import KUBERNETES_KINDS, WorkloadKind, workload_kinds


class InvalidSubject(Failure):
    """What shall be explained is not named as it has to be."""

    code = "invalid_explain"


@dataclass(frozen=True)
class Query:
    """What is asked. Without namespaces and selector, what is explained or changed says which are read."""

    namespaces: tuple[str, ...] = ()
    selector: str = ""
    allow_partial: bool = False
    explain: tuple[str, ...] = ()
    what_if: tuple[Change, ...] = ()
    kinds: tuple[WorkloadKind, ...] = KUBERNETES_KINDS

    @property
    def _named(self) -> list[str]:
        return [*(one.partition("/")[0] for one in self.explain), *(one.namespace for one in self.what_if)]

    @property
    def places(self) -> tuple[str, ...]:
        """The namespaces to read, none for all."""
        chosen_by_labels = self.selector and not self.namespaces
        return () if chosen_by_labels else tuple(dict.fromkeys([*self.namespaces, *self._named]))

    @property
    def beside(self) -> tuple[str, ...]:
        """Those to read besides what labels choose."""
        return tuple(dict.fromkeys(self._named)) if self.selector and not self.namespaces else ()


def injection_query(params: Mapping[str, Any]) -> Query:
    """The request of the module. Raises Failure for what can never be right."""
    for subject in params["explain"]:
        if not all(subject.split("/")) or subject.count("/") > 2:
            raise InvalidSubject(
                f"'{subject}' names nothing that could be explained",
                subject="explain",
                hint="Write namespace/name of a Pod or a workload, namespace/Kind/name, or a namespace alone",
            )
    return Query(
        namespaces=tuple(params["namespaces"]),
        selector=params.get("selector") or "",
        allow_partial=params["allow_partial"],
        explain=tuple(dict.fromkeys(params["explain"])),
        what_if=tuple(map(change, params["what_if"])),
        kinds=workload_kinds(params["workload_kinds"]),
    )


@dataclass(frozen=True)
class View:
    """A cluster as it is, or as it would be."""

    snapshot: Snapshot
    desired: DesiredProxies
    namespaces: Sequence[str]

    @classmethod
    def of(cls, snapshot: Snapshot, kinds: Sequence[WorkloadKind], namespaces: Sequence[str]) -> View:
        return cls(snapshot, desired_proxies(snapshot, proxy_versions(snapshot), kinds), namespaces)

    @cached_property
    def workloads(self) -> list[Workload]:
        chosen = set(self.namespaces)
        return [one for one in workloads_of(self.snapshot, self.desired) if one.namespace in chosen]


def run_injection_info(run: Run, query: Query) -> Outcome:
    """All that is asked."""
    found = read_injection(run.client, query.kinds, query.places, query.selector, query.allow_partial, query.beside)
    view = View.of(found.snapshot, query.kinds, found.namespaces)
    told = {**told_of(view), "unread": [{"namespace": name, "reason": why} for name, why in found.unread.items()]}
    if query.explain:
        told["explanations"] = [
            {"object": subject, "text": text} for subject, text in texts_of(view, query.explain).items()
        ]
    if query.what_if:
        then = View.of(changed(found.snapshot, query.what_if, query.kinds), query.kinds, found.namespaces)
        told["what_if"] = list(told_changes(view, then))
    return Outcome(extra={"injection": told}, warnings=_warnings(found, view))


def told_of(view: View) -> dict[str, Any]:
    ordinary = [one for one in view.workloads if not one.why_apart]
    by_namespace: dict[str, list[Workload]] = {name: [] for name in view.namespaces}
    for one in ordinary:
        by_namespace[one.namespace].append(one)
    states = Counter(one.state for one in ordinary)
    return {
        "cluster": view.snapshot.cluster,
        "summary": {**{state: states[state] for state in STATES}, "pods": counts(ordinary)},
        "namespaces": [_namespace_told(view, name, within) for name, within in by_namespace.items()],
        "workloads": [one.told() for one in ordinary],
        "apart": [one.told_apart() for one in view.workloads if one.why_apart],
    }


def _namespace_told(view: View, name: str, within: Sequence[Workload]) -> dict[str, Any]:
    labels = view.desired.namespaces.get(name, {})
    return namespace_told(name, labels, decision_of_namespace(view.snapshot, view.desired, name), within)


def texts_of(view: View, subjects: Iterable[str]) -> dict[str, str]:
    """Each subject explained. Raises UnknownWorkload."""
    return {subject: _explained(view, subject) for subject in subjects}


def _explained(view: View, subject: str) -> str:
    """Pods are looked for first: their names are longer."""
    namespace, _slash, rest = subject.partition("/")
    if not rest:
        return namespace_text(namespace, decision_of_namespace(view.snapshot, view.desired, namespace))
    kind, _slash, name = rest.rpartition("/")
    there = [one for one in view.workloads if one.namespace == namespace]
    pods = [
        pod_text(one, pod)
        for one in there
        for pod in one.pods
        if kind in ("", "Pod") and pod["metadata"]["name"] == name
    ]
    found = [workload_text(one) for one in there if kind in ("", one.owner.kind) and one.owner.name == name]
    if not pods and not found:
        names = [one.owner.name for one in there] + [pod["metadata"]["name"] for one in there for pod in one.pods]
        raise unknown(namespace, rest, names)
    return " ".join(pods or found)


def told_changes(now: View, then: View) -> Iterable[dict[str, Any]]:
    """What would be decided otherwise, and whether Pods that run would have to restart for it."""
    for name in now.namespaces:
        before, after = (decision_of_namespace(view.snapshot, view.desired, name) for view in (now, then))
        if before != after:
            text = f"a Pod without labels of its own {decision_text(after)}"
            yield {"kind": "Namespace", "namespace": "", "name": name, "restart": False, "text": text}
    before_by_place = {(one.namespace, one.owner, one.why_apart): one for one in now.workloads}
    for one in then.workloads:
        earlier = before_by_place[one.namespace, one.owner, one.why_apart]
        if (earlier.decision, earlier.differences) != (one.decision, one.differences):
            yield {
                "kind": one.owner.kind,
                "namespace": one.namespace,
                "name": one.owner.name,
                "restart": bool(one.differences),
                "text": f"a new Pod {decision_text(one.decision, one.version)}",
            }


def _warnings(found: Read, view: View) -> list[str]:
    doubts = dict.fromkeys(one.decision.doubt for one in view.workloads if one.decision.doubt)
    left_out = (f"The namespace {name} is left out: {why}" for name, why in found.unread.items())
    return [*left_out, *doubts, *_not_compared(found)]


def _not_compared(found: Read) -> Iterable[str]:
    """What may not be read and keeps nobody from an answer."""
    unread = {(one.resource, one.namespace): one for one in found.snapshot.unread if one.namespace not in found.unread}
    istiods = [one.namespace for (resource, place), one in unread.items() if resource == DEPLOYMENT and place]
    if istiods:
        yield f"'list' on deployments is forbidden in {', '.join(istiods)}, so proxies are not compared by version"
    yield from (one.uncompared for one in remotes_of(found.snapshot) if not one.version)
    limits = [place for resource, place in unread if resource == LIMIT_RANGE and place in found.namespaces]
    if limits:
        yield (
            f"'list' on limitranges is forbidden in {len(limits)} namespaces, so amounts of CPU and memory are "
            "compared without what the API server fills in there"
        )
