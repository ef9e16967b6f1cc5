# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kinds of workloads that are not Kubernetes' own; twin of WORKLOAD_KINDS."""

from __future__ import annotations


class ModuleDocFragment:
    """Option workload_kinds."""

    DOCUMENTATION = r"""
options:
  workload_kinds:
    description:
      - Kinds of workloads beside Deployment, StatefulSet and DaemonSet.
      - >-
        C(Rollout) of C(argoproj.io) and C(CloneSet) of C(apps.kruise.io) need only group and kind; of any other,
        version and plural name have to be said.
    type: list
    elements: dict
    default: []
    suboptions:
      group:
        description: API group of the kind.
        type: str
        required: true
      kind:
        description: Name of the kind.
        type: str
        required: true
      version:
        description: Version of the API, such as V(v1alpha1).
        type: str
      plural:
        description: Plural name of the kind in the API, such as V(rollouts).
        type: str
      template:
        description: >-
          Where a workload has the template of its Pods, as keys with dots between them. V(spec.template) unless given.
        type: str
      replicas:
        description: Where it has the number of Pods that it wants. V(spec.replicas) unless given.
        type: str
      ready:
        description: Where it has the number of Pods that are ready. V(status.readyReplicas) unless given.
        type: str
      hash_label:
        description: >-
          Where ReplicaSets stand between the workload and its Pods, the label of the Pods whose value ends the name of
          the ReplicaSet.
        type: str
"""
