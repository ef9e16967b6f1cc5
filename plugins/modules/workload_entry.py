#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a machine to a mesh (Istio WorkloadEntry)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_entry
short_description: Add a machine to a mesh (Istio WorkloadEntry)
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Manages a C(WorkloadEntry): one workload outside of Kubernetes, such as a virtual machine, with its address
    and its labels.
  - >-
    It becomes an endpoint of the services whose selector matches its labels: see
    M(service_mesh.istio.service_entry).
  - >-
    The first level of its spec are options; what stands deeper is written as Istio documents it, in camelCase,
    and is never converted.
options:
  address:
    description:
      - >-
        Address of the workload: an IP, a host name, or the path of a Unix socket as V(unix:///path).
    type: str
  ports:
    description:
      - Ports of the workload, as numbers by the name of the service's port.
    type: dict
  spec_labels:
    description:
      - Labels of the workload, by which services and policies select it.
      - It is C(labels) of the spec; the object itself has labels, too, and they select nothing.
    type: dict
  network:
    description:
      - The network that the address belongs to, when not every other workload reaches it directly.
    type: str
  locality:
    description:
      - Where the workload runs, as V(region/zone/subzone), for load balancing by distance.
    type: str
  weight:
    description:
      - Its share of the traffic, relative to the other endpoints.
    type: int
  service_account:
    description:
      - The service account in the workload's certificate; it has to be one of its namespace.
    type: str
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.metadata
  - service_mesh.istio.state
  - service_mesh.istio.ownership
  - service_mesh.istio.checks
"""

EXAMPLES = r"""
- name: The old booking machine is part of the mesh
  service_mesh.istio.workload_entry:
    context: east
    name: booking-1
    namespace: shop
    address: 203.0.113.21
    ports: {http: 8080}
    spec_labels: {app: booking, version: v1}
    service_account: booking
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

from ..module_utils.istio.kinds import WORKLOAD_ENTRY
from ..module_utils.task.module import run_module
from ..module_utils.task.operations.config import kind_operation

OPERATION = kind_operation(WORKLOAD_ENTRY)


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
