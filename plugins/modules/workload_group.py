#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe machines that join a mesh by themselves (Istio WorkloadGroup)."""

from __future__ import annotations

DOCUMENTATION = r"""
module: workload_group
short_description: Describe machines that join a mesh by themselves (Istio WorkloadGroup)
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - >-
    Manages a C(WorkloadGroup): what the workload entries of a group of virtual machines have in common.
    Machines that register by themselves get theirs from it.
  - >-
    The first level of its spec are options; what stands deeper is written as Istio documents it, in camelCase,
    and is never converted.
options:
  metadata:
    description:
      - Labels and annotations of the entries that are made from it.
    type: dict
  template:
    description:
      - What the entries have in common, as the spec of a C(WorkloadEntry) without an address.
      - An object cannot be without it.
    type: dict
  probe:
    description:
      - How the machine's agent finds out whether the workload is healthy.
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
- name: Booking machines may register
  service_mesh.istio.workload_group:
    context: east
    name: booking
    namespace: shop
    metadata:
      labels: {app: booking}
    template:
      serviceAccount: booking
      ports: {http: 8080}
    probe:
      periodSeconds: 5
      httpGet: {port: 8080, path: /healthz}
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

from ..module_utils.istio.kinds import WORKLOAD_GROUP
from ..module_utils.task.module import run_module
from ..module_utils.task.operations.config import kind_operation

OPERATION = kind_operation(WORKLOAD_GROUP)


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
