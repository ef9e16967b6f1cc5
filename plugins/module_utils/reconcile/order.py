# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order objects are written: what others need comes first.

Upper layers add the ranks of their own kinds. Deletion runs backwards.
Source: `kubectl`'s and Helm's install orders agree on these dependencies.
"""

from __future__ import annotations

from collections.abc import Mapping

from .objects import Key

Ranks = Mapping[str, int]

FOUNDATION = 10  # up to here: what has to exist before anything else can even be validated

_RANKS: Ranks = {
    "Namespace": 0,
    "CustomResourceDefinition.apiextensions.k8s.io": FOUNDATION,
    # They limit what comes after them.
    "ResourceQuota": 18,
    "LimitRange": 18,
    "NetworkPolicy.networking.k8s.io": 18,
    "ServiceAccount": 20,
    "ClusterRole.rbac.authorization.k8s.io": 22,
    "Role.rbac.authorization.k8s.io": 22,
    "ClusterRoleBinding.rbac.authorization.k8s.io": 24,
    "RoleBinding.rbac.authorization.k8s.io": 24,
    "ConfigMap": 26,
    "Secret": 26,
    "Service": 30,
    "Endpoints": 30,
    "EndpointSlice.discovery.k8s.io": 30,
    "Deployment.apps": 40,
    "DaemonSet.apps": 40,
    "StatefulSet.apps": 40,
    "ReplicaSet.apps": 40,
    "Pod": 40,
    "Job.batch": 42,
    "CronJob.batch": 42,
    "HorizontalPodAutoscaler.autoscaling": 44,
    "PodDisruptionBudget.policy": 44,
    "ValidatingAdmissionPolicy.admissionregistration.k8s.io": 46,
    "ValidatingAdmissionPolicyBinding.admissionregistration.k8s.io": 48,
    # A webhook before its server would refuse or hang what is written after it. So of a server it is the first to go:
    # while it is there, so is all that answers it.
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": 50,
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": 50,
}
_OTHERS = 60


def rank(key: Key, ranks: Ranks | None = None) -> int:
    """The rank of an object; ranks given by an upper layer stand above those of this table's kinds."""
    if ranks and key.group_kind in ranks:
        return 100 + ranks[key.group_kind]
    return _RANKS.get(key.group_kind, _OTHERS)


def is_foundation(key: Key) -> bool:
    return rank(key) <= FOUNDATION
