#!/usr/bin/python
# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tell what is installed and whether it works."""

from __future__ import annotations

DOCUMENTATION = r"""
module: mesh_info
short_description: Tell what is installed and whether it works
version_added: 0.1.0
author:
  - Contributors to the service_mesh.istio collection (@service-mesh-istio)
description:
  - Reads control planes, gateways and webhooks of a cluster, whoever installed them.
options: {}
extends_documentation_fragment:
  - service_mesh.istio.attributes
  - service_mesh.istio.connection
"""

EXAMPLES = r"""
- name: The state of the mesh
  service_mesh.istio.mesh_info:
    context: east
  register: east

- name: It works
  ansible.builtin.assert:
    that: east.mesh.ready
"""

RETURN = r"""
mesh:
  description: What the cluster has.
  returned: success
  type: dict
  contains:
    cluster:
      description: Name of the cluster, as the connection names it.
      type: str
    kubernetes:
      description: Version of the API server.
      type: str
    versions:
      description: Versions of Istio that run in the cluster.
      type: list
      elements: str
    ready:
      description: Whether there is a control plane and every component is ready.
      type: bool
    control_planes:
      description: Control planes, with revision, version, owner, replicas and state.
      type: list
      elements: dict
    gateways:
      description: Gateways deployed with an injected proxy.
      type: list
      elements: dict
    webhooks:
      description: Webhooks of the control planes, with revision, tag, owner and state.
      type: list
      elements: dict
requests:
  description: Number of requests by verb.
  returned: success
  type: dict
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
from ..module_utils.task.operations import MESH_INFO

OPERATION = MESH_INFO


def main() -> None:
    """Run the operation as a module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
