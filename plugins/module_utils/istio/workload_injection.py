# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workloads get a sidecar, and how theirs are set: labels and annotations of their Pod templates, nothing else.

A change of a template renews the Pods by itself. The label overrules the annotation of the same name, which is its
older form, so that goes whoever has set it. Source: Istio, pkg/kube/inject (injectRequired).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Client, Object
from ..kube.text import did_you_mean
from ..reconcile.objects import Desired, Key
from ..reconcile.read import read
from .facts import INJECT_LABEL
from .injection import CLEAR, DISABLED, ENABLED, InjectionError
from .workload_kinds import WorkloadKind
from .workload_settings import Settings, annotations_for

WORKLOAD_MODES = (ENABLED, DISABLED, CLEAR)
_VALUES = {ENABLED: "true", DISABLED: "false"}


@dataclass(frozen=True)
class WorkloadInjection:
    """What a workload shall have. Without a mode its label is nobody's business here."""

    namespace: str
    name: str
    kind: WorkloadKind
    mode: str | None = None
    settings: Settings = field(default_factory=Settings)

    @property
    def key(self) -> Key:
        return Key(self.kind.resource.api_version, self.kind.kind, self.namespace, self.name)


def workload_injection(
    namespace: str, name: str, kind: str, mode: str | None, settings: Settings, kinds: Sequence[WorkloadKind]
) -> WorkloadInjection:
    """A checked request. Raises InjectionError or InvalidSetting for what can never be right."""
    found = next((one for one in kinds if one.kind == kind), None)
    if found is None:
        known = [one.kind for one in kinds]
        raise InjectionError(
            f"'{kind}' is no kind of workloads{did_you_mean(kind, known)}",
            subject=f"{kind} {namespace}/{name}",
            reason=f"the known ones are {', '.join(known)}",
            hint="Correct 'kind', or describe it in 'workload_kinds'",
        )
    annotations_for(settings, f"{kind} {namespace}/{name}")
    return WorkloadInjection(namespace, name, found, mode, settings)


def desired_workload(wanted: WorkloadInjection) -> Desired:
    """The workload with what is said of its Pod template, and what contradicts it gone."""
    labels = {INJECT_LABEL: _VALUES[wanted.mode]} if wanted.mode in _VALUES else {}
    annotations = annotations_for(wanted.settings, str(wanted.key))
    metadata = {
        **({"labels": labels} if labels else {}),
        **({"annotations": annotations} if annotations else {}),
    }
    path = (*wanted.kind.template.split("."), "metadata")
    cleared = [(*path, "labels", INJECT_LABEL)] if wanted.mode == CLEAR else []
    outdated = [(*path, "annotations", INJECT_LABEL)] if wanted.mode else []
    head = {"apiVersion": wanted.key.api_version, "kind": wanted.key.kind}
    identity = {"name": wanted.name, "namespace": wanted.namespace}
    content = {**head, "metadata": identity, **(_nested(path, metadata) if metadata else {})}
    return Desired(content, f"workload {wanted.namespace}/{wanted.name}", (*cleared, *outdated))


def require_workloads(client: Client, workloads: Iterable[WorkloadInjection]) -> None:
    """Raises InjectionError for one that does not exist: applying it would make a new one."""
    wanted = {one.key: one for one in workloads}
    there: set[Key] = set()

    def noted(key: Key, _live: Object) -> bool:
        there.add(key)
        return False

    read(client, {key: one.kind.resource for key, one in wanted.items()}, noted)
    missing = sorted(set(wanted) - there)
    if missing:
        raise _unknown(client, wanted[missing[0]])


def _unknown(client: Client, wanted: WorkloadInjection) -> InjectionError:
    found = client.list_objects(wanted.kind.resource, wanted.namespace)
    names = sorted(one["metadata"]["name"] for one in found)
    return InjectionError(
        f"There is no {wanted.key} on {client.name}{did_you_mean(wanted.name, names)}",
        subject=str(wanted.key),
        reason=f"the namespace has {', '.join(names[:10]) or 'none of this kind'}",
        hint="Correct its name, its kind or its namespace. A workload is never created here",
    )


def _nested(path: Sequence[str], value: Mapping[str, Any]) -> dict[str, Any]:
    nested: dict[str, Any] = dict(value)
    for step in reversed(path):
        nested = {step: nested}
    return nested
