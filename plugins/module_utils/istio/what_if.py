# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster as it would be if labels were others: of namespaces, and of the Pod templates of workloads."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Object
from ..kube.errors import Failure
from ..kube.resources import NAMESPACE
from ..kube.text import did_you_mean
from .restarts import laid_over
from .snapshot import Snapshot
from .workload_kinds import WorkloadKind

Values = Mapping[str, Any]


class UnknownWorkload(Failure):
    """What is named is neither a Pod nor a workload."""

    code = "unknown_workload"


@dataclass(frozen=True)
class Change:
    """Labels of a namespace, or labels and annotations of a workload's Pods; None takes one away."""

    namespace: str
    workload: str = ""
    labels: Values = field(default_factory=dict)
    annotations: Values = field(default_factory=dict)


class InvalidChange(Failure):
    """A change that cannot be meant."""

    code = "invalid_what_if"


def change(given: Values) -> Change:
    """A checked change. Raises InvalidChange."""
    found = Change(
        given["namespace"], given.get("workload") or "", given.get("labels") or {}, given.get("annotations") or {}
    )
    if not found.labels and not found.annotations:
        raise InvalidChange(
            f"The change of {_subject(found)} changes nothing",
            subject="what_if",
            hint="Give it labels; a label without a value is taken away",
        )
    if found.annotations and not found.workload:
        raise InvalidChange(
            f"The change of {_subject(found)} has annotations",
            subject="what_if",
            reason="annotations of a namespace decide nothing about injection",
            hint="Name the workload whose Pods shall have them, or leave them out",
        )
    return found


def changed(snapshot: Snapshot, changes: Iterable[Change], kinds: Sequence[WorkloadKind]) -> Snapshot:
    """The cluster after the changes. Raises UnknownWorkload."""
    for one in changes:
        snapshot = laid_over(snapshot, _objects(snapshot, one, kinds))
    return snapshot


def _objects(snapshot: Snapshot, wanted: Change, kinds: Sequence[WorkloadKind]) -> list[Object]:
    if not wanted.workload:
        found = [one for one in snapshot.of(NAMESPACE) if one["metadata"]["name"] == wanted.namespace]
        return [{**one, "metadata": _with(one["metadata"], wanted)} for one in found]
    kind_name, _slash, name = wanted.workload.rpartition("/")
    there = [
        (kind, found)
        for kind in kinds
        if kind_name in ("", kind.kind)
        for found in snapshot.of(kind.resource, wanted.namespace)
    ]
    chosen = [(kind, found) for kind, found in there if found["metadata"]["name"] == name]
    if not chosen:
        raise unknown(wanted.namespace, wanted.workload, [found["metadata"]["name"] for _kind, found in there])
    return [_with_template(kind, found, wanted) for kind, found in chosen]


def unknown(namespace: str, name: str, known: Iterable[str]) -> UnknownWorkload:
    return UnknownWorkload(
        f"There is no Pod and no workload '{name}' in the namespace {namespace}{did_you_mean(name, known)}",
        subject=f"{namespace}/{name}",
        hint="Correct its name. Workloads of kinds that are not Kubernetes' own have to be described in "
        "'workload_kinds'",
    )


def _with_template(kind: WorkloadKind, found: Object, wanted: Change) -> Object:
    """The workload with other labels and annotations of its Pods, at the place where its kind has the template."""
    after = copy.deepcopy(found)
    template: dict[str, Any] = after
    for key in kind.template.split("."):
        template = template.setdefault(key, {})
    template["metadata"] = _with(template.get("metadata") or {}, wanted)
    return after


def _with(metadata: Values, wanted: Change) -> dict[str, Any]:
    return {
        **metadata,
        "labels": _merged(metadata.get("labels"), wanted.labels),
        "annotations": _merged(metadata.get("annotations"), wanted.annotations),
    }


def _merged(before: Values | None, wanted: Values) -> dict[str, str]:
    merged = {**(before or {}), **wanted}
    return {key: str(value) for key, value in merged.items() if value is not None}


def _subject(wanted: Change) -> str:
    return f"{wanted.namespace}/{wanted.workload}" if wanted.workload else wanted.namespace
