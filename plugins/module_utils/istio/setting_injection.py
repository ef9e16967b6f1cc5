# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Setting injection: of namespaces and workloads, one by one or many at once, with all that is refused before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..kube.client import Object
from ..kube.resources import NAMESPACE
from ..kube.text import did_you_mean
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, Key, is_ending
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner, Plan
from ..reconcile.proof import KeyedLists
from ..reconcile.read import read
from ..reconcile.run import Run
from .checks import check_cluster
from .discovery_scope import DiscoveryScope, desired_sidecars, unwanted_sidecars
from .facts import KEYED_LISTS, PROTECTED_NAMESPACES, ROOT_NAMESPACE
from .injection import MANAGER, InjectionError, NamespaceInjection, desired_namespace
from .injection_refusals import InjectorsThere, judged, refuse_pending, require_revisions
from .injection_selection import Selection, selected
from .kinds import RANKS
from .selectors import Labels
from .webhooks import labels_of
from .workload_injection import WorkloadInjection, desired_workload, require_workloads
from .workload_kinds import KUBERNETES_KINDS, WorkloadKind


@dataclass(frozen=True)
class Injection:
    """Everything that one task says."""

    namespaces: tuple[NamespaceInjection, ...] = ()
    selections: tuple[Selection, ...] = ()
    workloads: tuple[WorkloadInjection, ...] = ()
    scopes: tuple[DiscoveryScope, ...] = ()
    root_namespace: str = ROOT_NAMESPACE
    more_protected: frozenset[str] = frozenset()
    kinds: tuple[WorkloadKind, ...] = KUBERNETES_KINDS
    guard: bool = False
    take_ownership_from: tuple[str, ...] = ()

    @property
    def protected(self) -> frozenset[str]:
        return PROTECTED_NAMESPACES | self.more_protected | {self.root_namespace}

    def keyed_lists(self) -> Mapping[str, KeyedLists]:
        """Only labels and annotations are ever ours, and the one list of a Sidecar: nothing of it is keyed."""
        return {**KEYED_LISTS, **{kind.resource.group_kind: {} for kind in self.kinds}}


def checked(wanted: Injection) -> Injection:
    """The same, if it touches nothing that is protected. Raises InjectionError."""
    # The Sidecar of the root namespace is the default of all others, and changes nothing of that namespace itself.
    scopes = [one.namespace for one in wanted.scopes if one.namespace != wanted.root_namespace]
    named = [*(one.name for one in wanted.namespaces), *(one.namespace for one in wanted.workloads), *scopes]
    for name in named:
        if name in wanted.protected:
            raise InjectionError(
                f"The namespace '{name}' is a system namespace and is never touched",
                subject=f"Namespace {name}",
                reason="it belongs to the platform, to the mesh itself, or is in 'system_namespaces'",
                hint="Take it out of the task",
            )
    return wanted


def run_injection(run: Run, wanted: Injection) -> Outcome:
    """Set the labels, annotations and scopes."""
    there = _namespaces(run, wanted)
    require_workloads(run.client, wanted.workloads)
    revisions = [one.revision or "" for one in (*wanted.namespaces, *(one.wish for one in wanted.selections))]
    injectors = InjectorsThere(run)
    warnings = [*require_revisions(injectors, filter(None, revisions)), *_unknown_in_scopes(wanted, there)]
    chosen = selected(run.client, wanted.selections, wanted.namespaces, wanted.protected)
    present = [
        *map(desired_namespace, (*wanted.namespaces, *chosen)),
        *map(desired_workload, wanted.workloads),
        *desired_sidecars(wanted.scopes, wanted.root_namespace),
    ]
    outcome = _reconciled(injectors, wanted, present, there)
    outcome.warnings[:0] = warnings
    return outcome


def _reconciled(
    injectors: InjectorsThere, wanted: Injection, present: list[Desired], there: Mapping[str, Object]
) -> Outcome:
    run = injectors.run
    labels: dict[str, Labels] = {name: labels_of(found) for name, found in there.items()}

    def review(plan: Plan) -> list[str]:
        if wanted.guard:
            refuse_pending(injectors, plan, wanted.kinds)
        told = judged(injectors, plan, labels, wanted.kinds)
        root = wanted.root_namespace
        return [*told, *check_cluster(run.client, plan.actions, root=root, check_mode=run.check_mode)]

    keyed = wanted.keyed_lists()
    owner = Owner(MANAGER, wanted.take_ownership_from, ranks=RANKS, keyed_lists=keyed)
    return reconcile(run, owner, present, unwanted_sidecars(run.client, wanted.scopes), review=review)


def _namespaces(run: Run, wanted: Injection) -> dict[str, Object]:
    """All that are named and there. Raises InjectionError for one that is missing, or about to go."""
    created = {one.name for one in wanted.namespaces if one.create} | run.planned.namespaces
    needed = {*(one.name for one in wanted.namespaces), *(one.namespace for one in wanted.workloads)}
    needed |= {one.namespace for one in wanted.scopes}
    listed = {name for one in wanted.scopes for name in one.namespaces}
    keys = (Key(NAMESPACE.api_version, NAMESPACE.kind, "", name) for name in sorted(needed | listed))
    there = {key.name: live for key, live in read(run.client, dict.fromkeys(keys, NAMESPACE), _all).items()}
    for name in sorted(needed):
        _require(run, name, there.get(name), name in created)
    return there


def _all(_key: Key, _live: Object) -> bool:
    return True


def _require(run: Run, name: str, found: Object | None, created: bool) -> None:
    if found is None and not created:
        known = [one["metadata"]["name"] for one in run.client.list_objects(NAMESPACE)]
        raise InjectionError(
            f"The namespace '{name}' does not exist on {run.client.name}{did_you_mean(name, known)}",
            subject=f"Namespace {name}",
            hint="Correct its name, or say 'create: true' to have it created",
        )
    if found and is_ending(found):
        raise InjectionError(
            f"The namespace '{name}' on {run.client.name} is being deleted",
            subject=f"Namespace {name}",
            reason=f"since {found['metadata']['deletionTimestamp']}; nothing can be made in it any more",
            hint="Take it out of the task, or wait until it is gone and say 'create: true'",
        )


def _unknown_in_scopes(wanted: Injection, there: Mapping[str, Object]) -> Iterable[str]:
    for one in wanted.scopes:
        missing = [name for name in one.namespaces if name not in there]
        if missing:
            yield (f"The discovery scope of '{one.namespace}' lists namespaces that do not exist: {', '.join(missing)}")
