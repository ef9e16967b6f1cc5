# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kinds of workloads as data: what makes Pods from a template, and how a Pod leads back to it.

Source: Kubernetes (apps/v1); Argo Rollouts (pkg/apis/rollouts/v1alpha1, the label `rollouts-pod-template-hash`);
OpenKruise (apis/apps/v1alpha1, CloneSet owns its Pods itself).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..kube.client import Object
from ..kube.errors import Failure
from ..kube.resources import DAEMON_SET, DEPLOYMENT, STATEFUL_SET, Resource

_TEMPLATE, _REPLICAS, _READY = "spec.template", "spec.replicas", "status.readyReplicas"


class InvalidWorkloadKind(Failure):
    """What was given for a kind of workloads says too little."""

    code = "invalid_workload_kind"


@dataclass(frozen=True)
class WorkloadKind:
    """A kind that makes Pods. Paths are keys with dots between them.

    Where ReplicaSets stand between it and its Pods, `hash_label` is the label of a Pod whose value ends the name
    of the ReplicaSet.
    """

    resource: Resource
    template: str = _TEMPLATE
    replicas: str = _REPLICAS
    ready: str = _READY
    hash_label: str = ""

    @property
    def kind(self) -> str:
        return self.resource.kind

    def template_of(self, found: Object) -> Mapping[str, Any]:
        """The template of the Pods, with metadata; empty where the workload has none of its own."""
        template = value_at(found, self.template)
        return {**template, "metadata": template.get("metadata") or {}} if isinstance(template, Mapping) else {}


def value_at(found: Mapping[str, Any], path: str) -> Any:
    """What stands at a path, None for nothing."""
    value: Any = found
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


KUBERNETES_KINDS = (
    WorkloadKind(DEPLOYMENT, hash_label="pod-template-hash"),
    WorkloadKind(STATEFUL_SET),
    WorkloadKind(DAEMON_SET, replicas="status.desiredNumberScheduled", ready="status.numberReady"),
)
# Known well enough that a name is sufficient; they are read only where somebody asks for them.
DESCRIBED_KINDS = (
    WorkloadKind(Resource("argoproj.io/v1alpha1", "Rollout", "rollouts"), hash_label="rollouts-pod-template-hash"),
    WorkloadKind(Resource("apps.kruise.io/v1alpha1", "CloneSet", "clonesets")),
)
KNOWN_KINDS = (*KUBERNETES_KINDS, *DESCRIBED_KINDS)


def workload_kinds(given: Iterable[Mapping[str, Any]]) -> tuple[WorkloadKind, ...]:
    """The kinds of Kubernetes and those that are given. Raises InvalidWorkloadKind."""
    return (*KUBERNETES_KINDS, *map(_workload_kind, given))


def _workload_kind(given: Mapping[str, Any]) -> WorkloadKind:
    group, kind = given["group"], given["kind"]
    known = next((one for one in DESCRIBED_KINDS if (one.resource.group, one.kind) == (group, kind)), None)
    version = given.get("version") or (known and known.resource.api_version.rpartition("/")[2])
    plural = given.get("plural") or (known and known.resource.plural)
    if not version or not plural:
        raise InvalidWorkloadKind(
            f"The workload kind '{kind}' of the group '{group}' says too little",
            subject="workload_kinds",
            reason=f"it has no {'plural' if version else 'version'}, and is none of {_names(DESCRIBED_KINDS)}",
            hint="'kubectl api-resources' tells version and plural name of every kind",
        )
    paths = {name: str(given.get(name) or getattr(known, name, default)) for name, default in _DEFAULTS.items()}
    return WorkloadKind(Resource(f"{group}/{version}", kind, plural), **paths)


_DEFAULTS = {"template": _TEMPLATE, "replicas": _REPLICAS, "ready": _READY, "hash_label": ""}


def _names(kinds: Sequence[WorkloadKind]) -> str:
    return ", ".join(f"{one.kind} of {one.resource.group}" for one in kinds)


class Owner(NamedTuple):
    """What makes a Pod, as people know it; nobody for a Pod that somebody has made himself."""

    kind: str = ""
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}".strip()


def owner_of(pod: Object, kinds: Iterable[WorkloadKind] = KNOWN_KINDS) -> Owner:
    """What makes a Pod: a ReplicaSet is told as what has made it."""
    labels = pod["metadata"].get("labels") or {}
    owners = pod["metadata"].get("ownerReferences") or []
    for owner in sorted(owners, key=lambda owner: not owner.get("controller")):
        name = str(owner["name"])
        above = (one for one in kinds if one.hash_label and name.endswith(f"-{labels.get(one.hash_label) or '?'}"))
        made_by = next(above, None)
        if owner["kind"] == "ReplicaSet" and made_by:
            return Owner(made_by.kind, name.removesuffix(f"-{labels[made_by.hash_label]}"))
        return Owner(str(owner["kind"]), name)
    return Owner()
