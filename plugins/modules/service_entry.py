#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add a service to the registry of a mesh (Istio ServiceEntry)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: service_entry
short_description: Add a service to the registry of a mesh (Istio ServiceEntry)
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Manages a C(ServiceEntry): a service outside of Kubernetes, or one made of virtual machines, known to the
    mesh by its hosts.
  - >-
    The first level of its spec are options; what stands deeper is written as Istio documents it, in camelCase,
    and is never converted.
options:
  hosts:
    description:
      - Hosts of the service. An object cannot be without them.
    type: list
    elements: str
  addresses:
    description:
      - Virtual IP addresses or CIDR blocks of the service.
    type: list
    elements: str
  ports:
    description:
      - Ports of the service.
    type: list
    elements: dict
  location:
    description:
      - Whether the service is part of the mesh.
    type: str
    choices: [MESH_EXTERNAL, MESH_INTERNAL]
  resolution:
    description:
      - How its endpoints are found. V(DYNAMIC_DNS) needs an Istio that knows it.
    type: str
    choices: [NONE, STATIC, DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS]
  endpoints:
    description:
      - Its endpoints.
    type: list
    elements: dict
  workload_selector:
    description:
      - Labels of the Pods and WorkloadEntries that are its endpoints.
    type: dict
  export_to:
    description:
      - Namespaces that see it; V(.) is its own, V(*) are all.
    type: list
    elements: str
  subject_alt_names:
    description:
      - Names that the service's certificate may have.
    type: list
    elements: str
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
  - service_mesh.istio.metadata
  - service_mesh.istio.state
  - service_mesh.istio.ownership
  - service_mesh.istio.checks
"""

EXAMPLES = r"""
- name: The payment provider is known to the mesh
  service_mesh.istio.service_entry:
    context: east
    name: payments
    namespace: shop
    hosts: [api.payments.example.com]
    ports:
      - {number: 443, name: tls, protocol: TLS}
    location: MESH_EXTERNAL
    resolution: DNS
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

from ..module_utils.istio.kinds import SERVICE_ENTRY
from ..module_utils.task.module import run_module
from ..module_utils.task.operations.config import kind_operation

OPERATION = kind_operation(SERVICE_ENTRY)


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
