# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who reads a cluster for the istiod of another one: an account for each reader, with rights to read and nothing else.

An istiod that serves the cluster also writes there: the root's certificate into every namespace, its CA into webhooks.
One that has its configuration from there works with the account that the charts have made for it (`given`).

A token is bound to a Secret of its own and ends with it, so that one can be revoked while the next one works already:
two names take turns.
Source of the rights: the chart istio-discovery of 1.29 to 1.31, reader-clusterrole.yaml, without what it may write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..kube.client import Client, Object
from ..kube.resources import KUBERNETES, SECRET, SERVICE_ACCOUNT, Resource
from ..reconcile.objects import Key
from .remote_secret import Token

_RBAC = "rbac.authorization.k8s.io"
CLUSTER_ROLE = KUBERNETES[f"{_RBAC}/v1", "ClusterRole"]
CLUSTER_ROLE_BINDING = KUBERNETES[f"{_RBAC}/v1", "ClusterRoleBinding"]
LABEL = "service-mesh-istio/reader"
SLOTS = ("a", "b")

_READ = ("get", "list", "watch")
_ISTIO = ("extensions.istio.io", "networking.istio.io", "security.istio.io", "telemetry.istio.io")
_CORE = ("configmaps", "endpoints", "namespaces", "nodes", "pods", "secrets", "services")
_RULES: tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    (_ISTIO, ("*",), _READ),
    (("",), _CORE, _READ),
    (("apiextensions.k8s.io",), ("customresourcedefinitions",), _READ),
    (("apps",), ("replicasets",), _READ),
    (("discovery.k8s.io",), ("endpointslices",), _READ),
    (("gateway.networking.k8s.io",), ("gateways",), _READ),
    (("multicluster.x-k8s.io",), ("serviceexports", "serviceimports"), _READ),
    # Questions, which persist nothing: whether a proxy of this cluster is who it says.
    (("authentication.k8s.io",), ("tokenreviews",), ("create",)),
    (("authorization.k8s.io",), ("subjectaccessreviews",), ("create",)),
)
_SERVE = (
    (("",), ("configmaps",), ("create", "update")),
    (("admissionregistration.k8s.io",), ("mutatingwebhookconfigurations",), (*_READ, "update", "patch")),
    (("admissionregistration.k8s.io",), ("validatingwebhookconfigurations",), (*_READ, "update")),
)


@dataclass(frozen=True)
class Reader:
    """The account of one reading cluster, in a namespace of the cluster that is read, which it may serve, too."""

    primary: str
    namespace: str
    serves: bool = False
    given: str = ""

    @property
    def _name(self) -> str:
        return f"istio-{'config' if self.given else 'reader'}-{self.primary}"

    @property
    def account(self) -> str:
        return self.given or self._name

    @property
    def role(self) -> str:
        """Roles and bindings of the cluster have no namespace; two meshes may share a cluster."""
        return f"{self._name}-{self.namespace}"

    def slot(self, name: str) -> Key:
        return Key(SECRET.api_version, SECRET.kind, self.namespace, f"{self._name}-{name}")

    def objects(self, slot: str) -> list[Object]:
        """The account with its rights, and what its token is bound to."""
        bound = {
            "apiVersion": SECRET.api_version,
            "kind": SECRET.kind,
            "metadata": self._metadata(self.slot(slot).name),
        }
        return [bound] if self.given else [self._account(), self._role(), self._binding(), bound]

    def keys(self) -> list[Key]:
        """All that there may be of it."""
        slots = [self.slot(name) for name in SLOTS]
        if self.given:
            return slots
        return [
            *slots,
            _key(CLUSTER_ROLE_BINDING, "", self.role),
            _key(CLUSTER_ROLE, "", self.role),
            _key(SERVICE_ACCOUNT, self.namespace, self.account),
        ]

    def slot_of(self, token: Token | None) -> str:
        """The slot that a token is bound to; empty for a token of somebody else's."""
        name = token.bound_to("secret")[0] if token else ""
        return next((slot for slot in SLOTS if self.slot(slot).name == name), "")

    def _metadata(self, name: str, namespaced: bool = True) -> dict[str, Any]:
        place = {"namespace": self.namespace} if namespaced else {}
        return {"name": name, **place, "labels": {LABEL: self.primary}}

    @property
    def _rules(self) -> tuple[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...]:
        return (*_RULES, *_SERVE) if self.serves else _RULES

    def _account(self) -> Object:
        metadata = self._metadata(self.account)
        return {**_head(SERVICE_ACCOUNT), "metadata": metadata, "automountServiceAccountToken": False}

    def _role(self) -> Object:
        rules = [
            {"apiGroups": [*groups], "resources": [*what], "verbs": [*verbs]} for groups, what, verbs in self._rules
        ]
        return {**_head(CLUSTER_ROLE), "metadata": self._metadata(self.role, namespaced=False), "rules": rules}

    def _binding(self) -> Object:
        return {
            **_head(CLUSTER_ROLE_BINDING),
            "metadata": self._metadata(self.role, namespaced=False),
            "roleRef": {"apiGroup": _RBAC, "kind": CLUSTER_ROLE.kind, "name": self.role},
            "subjects": [{"kind": SERVICE_ACCOUNT.kind, "name": self.account, "namespace": self.namespace}],
        }


def _head(resource: Resource) -> dict[str, str]:
    return {"apiVersion": resource.api_version, "kind": resource.kind}


def _key(resource: Resource, namespace: str, name: str) -> Key:
    return Key(resource.api_version, resource.kind, namespace, name)


def minted(client: Client, reader: Reader, slot: str, seconds: int) -> str:
    """A token of the account that ends after some time, or with the Secret that it is bound to."""
    found: Mapping[str, Any] = client.get(SECRET, reader.slot(slot).name, reader.namespace) or {}
    bound = {"apiVersion": SECRET.api_version, "kind": SECRET.kind, "name": found["metadata"]["name"]}
    question = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds, "boundObjectRef": {**bound, "uid": found["metadata"]["uid"]}},
    }
    place = Resource("v1", f"token of ServiceAccount {reader.account}", f"serviceaccounts/{reader.account}/token")
    return str(client.ask(place, question, reader.namespace)["status"]["token"])
