# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where objects of a kind live on an API server.

The kinds of Kubernetes itself are in a table, so that no discovery is needed
for them; upper layers add theirs. Any other kind is asked for once per group.
Source of the table: the API reference of Kubernetes 1.34 (all stable for years).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .errors import Invalid


@dataclass(frozen=True)
class Resource:
    """A kind as the API server serves it."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def group_kind(self) -> str:
        """The identity of a kind whatever its version: `Deployment.apps`, `Service`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    def path(self, namespace: str | None = None, name: str | None = None) -> str:
        """URL path of an object, of a namespace's collection, or of the whole collection."""
        parts = [api_root(self.api_version)]
        if self.namespaced and namespace:
            parts += ["namespaces", _segment(namespace)]
        parts.append(self.plural)
        if name:
            parts.append(_segment(name))
        return "/".join(parts)


def api_root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _segment(name: str) -> str:
    """A name as a part of a path. "." and ".." would address something else, so they never travel."""
    if name in (".", ".."):
        raise Invalid(f"'{name}' cannot be the name of an object", subject=name, hint="Correct the name")
    return quote(name, safe="")


ResourceTable = Mapping[tuple[str, str], Resource]

_NAMESPACED = {
    "v1": {
        "ConfigMap": "configmaps",
        "Endpoints": "endpoints",
        "LimitRange": "limitranges",
        "PersistentVolumeClaim": "persistentvolumeclaims",
        "Pod": "pods",
        "ResourceQuota": "resourcequotas",
        "Secret": "secrets",
        "Service": "services",
        "ServiceAccount": "serviceaccounts",
    },
    "apps/v1": {
        "DaemonSet": "daemonsets",
        "Deployment": "deployments",
        "ReplicaSet": "replicasets",
        "StatefulSet": "statefulsets",
    },
    "autoscaling/v2": {"HorizontalPodAutoscaler": "horizontalpodautoscalers"},
    "batch/v1": {"CronJob": "cronjobs", "Job": "jobs"},
    "coordination.k8s.io/v1": {"Lease": "leases"},
    "discovery.k8s.io/v1": {"EndpointSlice": "endpointslices"},
    "networking.k8s.io/v1": {"Ingress": "ingresses", "NetworkPolicy": "networkpolicies"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "rbac.authorization.k8s.io/v1": {"Role": "roles", "RoleBinding": "rolebindings"},
}
_CLUSTER_SCOPED = {
    "v1": {"Namespace": "namespaces", "Node": "nodes"},
    "admissionregistration.k8s.io/v1": {
        "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
        "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
        "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
        "ValidatingWebhookConfiguration": "validatingwebhookconfigurations",
    },
    "apiextensions.k8s.io/v1": {"CustomResourceDefinition": "customresourcedefinitions"},
    "rbac.authorization.k8s.io/v1": {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings"},
}


def _table(kinds: Mapping[str, Mapping[str, str]], namespaced: bool) -> dict[tuple[str, str], Resource]:
    return {
        (api_version, kind): Resource(api_version, kind, plural, namespaced)
        for api_version, plurals in kinds.items()
        for kind, plural in plurals.items()
    }


KUBERNETES: ResourceTable = _table(_NAMESPACED, True) | _table(_CLUSTER_SCOPED, False)

NAMESPACE = KUBERNETES["v1", "Namespace"]
NODE = KUBERNETES["v1", "Node"]
POD = KUBERNETES["v1", "Pod"]
CRD = KUBERNETES["apiextensions.k8s.io/v1", "CustomResourceDefinition"]
LIMIT_RANGE = KUBERNETES["v1", "LimitRange"]
CONFIG_MAP = KUBERNETES["v1", "ConfigMap"]
SECRET = KUBERNETES["v1", "Secret"]
SERVICE_ACCOUNT = KUBERNETES["v1", "ServiceAccount"]
SERVICE = KUBERNETES["v1", "Service"]
ROLE = KUBERNETES["rbac.authorization.k8s.io/v1", "Role"]
ROLE_BINDING = KUBERNETES["rbac.authorization.k8s.io/v1", "RoleBinding"]
AUTOSCALER = KUBERNETES["autoscaling/v2", "HorizontalPodAutoscaler"]
DISRUPTION_BUDGET = KUBERNETES["policy/v1", "PodDisruptionBudget"]
NETWORK_POLICY = KUBERNETES["networking.k8s.io/v1", "NetworkPolicy"]
DAEMON_SET = KUBERNETES["apps/v1", "DaemonSet"]
STATEFUL_SET = KUBERNETES["apps/v1", "StatefulSet"]
DEPLOYMENT = KUBERNETES["apps/v1", "Deployment"]
ENDPOINT_SLICE = KUBERNETES["discovery.k8s.io/v1", "EndpointSlice"]
MUTATING_WEBHOOKS = KUBERNETES["admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"]
VALIDATING_WEBHOOKS = KUBERNETES["admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"]


def resources_of_group(api_version: str, answer: Mapping[str, Any]) -> dict[tuple[str, str], Resource]:
    """The resources of one discovery answer (APIResourceList), without subresources."""
    return {
        (api_version, entry["kind"]): Resource(api_version, entry["kind"], entry["name"], entry["namespaced"])
        for entry in answer.get("resources") or []
        if "/" not in entry["name"]
    }
