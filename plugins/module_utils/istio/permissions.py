# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user must be allowed for each operation, and what of it is missing: asked of the API server itself.

One SelfSubjectRulesReview answers for nearly everything. Where the server says that its answer is incomplete (an
authorizer that does not list rules), what is missing is asked one by one.
Source of the table: the kinds that Istio's charts render, written by server-side apply (examples/rbac/lifecycle.yaml).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Client
from ..kube.resources import Resource
from ..reconcile.parallel import each

_AUTHORIZATION = "authorization.k8s.io/v1"
_RULES = Resource(_AUTHORIZATION, "SelfSubjectRulesReview", "selfsubjectrulesreviews", namespaced=False)
_ACCESS = Resource(_AUTHORIZATION, "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False)


@dataclass(frozen=True)
class Permission:
    """A verb on a resource."""

    verb: str
    group: str
    resource: str

    @property
    def where(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


_WRITTEN: Mapping[str, tuple[str, ...]] = {
    "": ("configmaps", "namespaces", "serviceaccounts", "services"),
    "admissionregistration.k8s.io": ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
    "apiextensions.k8s.io": ("customresourcedefinitions",),
    "apps": ("daemonsets", "deployments"),
    "autoscaling": ("horizontalpodautoscalers",),
    "policy": ("poddisruptionbudgets",),
    "rbac.authorization.k8s.io": ("clusterrolebindings", "clusterroles", "rolebindings", "roles"),
}
# Nothing of ours ever deletes these by itself.
_KEPT = ("namespaces", "customresourcedefinitions")


def _table(verbs: Sequence[str], without: Sequence[str] = ()) -> tuple[Permission, ...]:
    return tuple(
        Permission(verb, group, resource)
        for group, resources in _WRITTEN.items()
        for resource in resources
        for verb in verbs
        if resource not in without
    )


TO_WRITE = _table(("get", "create", "patch"))
TO_REMOVE = _table(("get", "delete"), _KEPT)


def missing(client: Client, wanted: Iterable[Permission], namespace: str) -> list[Permission]:
    """What of it the user may not do in a namespace."""
    question = {"apiVersion": _AUTHORIZATION, "kind": _RULES.kind, "spec": {"namespace": namespace}}
    status = client.ask(_RULES, question)["status"]
    lacking = [permission for permission in wanted if not granted(permission, status.get("resourceRules") or [])]
    if not status.get("incomplete"):
        return lacking
    answers = each(lambda permission: _allowed(client, permission, namespace), lacking)
    return [permission for permission, allowed in zip(lacking, answers, strict=True) if not allowed]


def granted(permission: Permission, rules: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a rule gives it for all objects; one for named objects alone does not."""
    return any(
        _has(rule.get("verbs"), permission.verb)
        and _has(rule.get("apiGroups"), permission.group)
        and _has(rule.get("resources"), permission.resource)
        and not rule.get("resourceNames")
        for rule in rules
    )


def _has(names: Sequence[str] | None, wanted: str) -> bool:
    return wanted in (names or ()) or "*" in (names or ())


def _allowed(client: Client, permission: Permission, namespace: str) -> bool:
    attributes = {**vars(permission), "namespace": namespace}
    question = {"apiVersion": _AUTHORIZATION, "kind": _ACCESS.kind, "spec": {"resourceAttributes": attributes}}
    return bool(client.ask(_ACCESS, question)["status"]["allowed"])
