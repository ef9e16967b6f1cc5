#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limit what a proxy listens to and reaches (Istio Sidecar)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sidecar
short_description: Limit what a proxy listens to and reaches (Istio Sidecar)
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Manages a C(Sidecar): which services the proxies of some workloads know, and on which ports they listen.
  - >-
    Without a selector it is for the whole namespace, which can have one such object only; in the root namespace
    it is the default for all others.
  - >-
    The first level of its spec are options; what stands deeper is written as Istio documents it, in camelCase,
    and is never converted.
options:
  workload_selector:
    description:
      - Labels of the workloads that it is for. Without it, all of the namespace.
    type: dict
  ingress:
    description:
      - Listeners for traffic to the workload. Without it, they follow from the Pod's own services.
    type: list
    elements: dict
  egress:
    description:
      - Hosts that the workload can reach, by listener; everything else is unknown to its proxy.
    type: list
    elements: dict
  inbound_connection_pool:
    description:
      - Limits on connections to the workload, on all ports that say nothing else.
    type: dict
  outbound_traffic_policy:
    description:
      - What happens to traffic for hosts that the mesh does not know.
    type: dict
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.metadata
  - service_mesh.istio.state
  - service_mesh.istio.ownership
  - service_mesh.istio.checks
"""

EXAMPLES = r"""
- name: Proxies of the shop know only their own namespace and the control plane
  service_mesh.istio.sidecar:
    context: east
    name: default
    namespace: shop
    egress:
      - hosts: [./*, istio-system/*]
    outbound_traffic_policy: {mode: REGISTRY_ONLY}
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

from ..module_utils.istio.kinds import SIDECAR
from ..module_utils.task.module import run_module
from ..module_utils.task.operations.config import kind_operation

OPERATION = kind_operation(SIDECAR)


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
