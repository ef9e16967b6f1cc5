#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask other clusters of a mesh through the mesh."""

from __future__ import annotations

DOCUMENTATION = r"""
module: connectivity_probe
short_description: Ask other clusters of a mesh through the mesh
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Sets up a probe in a cluster, which answers with the cluster's name, and lets it ask those of other clusters. A
    request goes the way of every other: by the sidecar, the east-west gateways and mTLS. Where it fails, the hop is
    named.
  - >-
    A probe is a Deployment and a Service, named C(mesh-probe-CLUSTER); its image is that of the mesh's own proxy. Set
    up all of them, then let them ask, and take them away by O(state=absent). The role C(mesh_clusters) does so with its
    tasks C(check), and the playbook C(connectivity).
  - In check mode nothing is set up and nobody is asked.
  - >-
    Needs rights for Deployments and Services of the namespace, C(create) on Pods (a dry run, which tells whether and
    with which image they would be injected), and C(get) and C(create) on C(pods/exec).
options:
  cluster_name:
    description:
      - Name of the cluster in the mesh (C(global.multiCluster.clusterName)).
    type: str
    required: true
  network:
    description:
      - Name of its network in the mesh.
    type: str
    default: ''
  namespace:
    description:
      - Namespace of the probe, the same in all clusters. It must exist and must not forbid injection.
    type: str
    default: istio-system
  revision:
    description:
      - Revision or tag whose control plane injects the probe. Not needed for the default one.
    type: str
  ask:
    description:
      - Clusters to ask. Their probes have to be there.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - Name of the cluster in the mesh.
        type: str
        required: true
      network:
        description:
          - Name of its network in the mesh.
        type: str
        default: ''
  times:
    description:
      - How many requests each cluster is sent. All of them have to be answered.
    type: int
    default: 3
  wait_timeout:
    description:
      - >-
        Seconds to wait until the probe runs, and as many until others answer, since control planes take their time to
        tell proxies of a new probe.
    type: float
    default: 60.0
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.state
"""

EXAMPLES = r"""
- name: East can be asked
  service_mesh.istio.connectivity_probe:
    context: east
    cluster_name: east
    network: net1

- name: East asks west, whose probe is there, too
  service_mesh.istio.connectivity_probe:
    context: east
    cluster_name: east
    network: net1
    ask:
      - name: west
        network: net2

- name: No probe is left in east
  service_mesh.istio.connectivity_probe:
    context: east
    cluster_name: east
    state: absent
"""

RETURN = r"""
plan:
  description: What was done, or in check mode would be done, in order. Objects that need no change are not in it.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: V(create), V(update) or V(delete).
      type: str
    kind:
      description: Kind of the object.
      type: str
    namespace:
      description: Its namespace; empty for objects of the cluster.
      type: str
    name:
      description: Its name.
      type: str
    fields:
      description: Paths of the fields that change.
      type: list
      elements: str
    reason:
      description: Why, where that is not plain; for example that the server could not be asked yet.
      type: str
summary:
  description: Number of objects by action.
  returned: success
  type: dict
  sample: {create: 1, update: 0, delete: 0, unchanged: 3}
requests:
  description: Number of requests by verb. Dry runs are counted apart; they persist nothing.
  returned: success
  type: dict
  sample: {get: 1, "apply (dry run)": 1, apply: 1}
connectivity:
  description: How requests went from this cluster to each that was asked. Empty where none was.
  returned: success
  type: list
  elements: dict
  contains:
    from:
      description: The asking cluster.
      type: str
    to:
      description: The asked one.
      type: str
    ok:
      description: Whether every request was answered by that cluster.
      type: bool
    answered:
      description: Number of requests that were.
      type: int
    endpoints:
      description: Where the asking cluster sends them, a Pod of the other one or the gateway of its network.
      type: list
      elements: str
    hop:
      description: >-
        Where they fail. V(registry), the asking side knows no endpoint; V(address), nothing answers at the address of
        the gateway or Pod; V(gateway), the gateway does not know the service; V(trust), the certificates are not
        accepted; V(policy), a policy refuses; V(pod), the probe is reached and does not answer. Empty if all is well.
      type: str
    reason:
      description: Why, with what the proxy says of it.
      type: str
    hint:
      description: What to do next.
      type: str
failure:
  description: What went wrong, for playbooks.
  returned: failure
  type: dict
  contains:
    code:
      description: A word for the kind of failure.
      type: str
    object:
      description: The object concerned.
      type: str
    reason:
      description: Why, often in the words of the API server.
      type: str
    hint:
      description: What to do next.
      type: str
"""

from ..module_utils.task.module import run_module
from ..module_utils.task.operations.connectivity_probe import CONNECTIVITY_PROBE

OPERATION = CONNECTIVITY_PROBE


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
