# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane is told of networks whose gateways have addresses that only the inventory knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..module_utils.istio.networks import mesh_networks

DOCUMENTATION = r"""
name: mesh_networks
author: Contributors to the service_mesh.istio collection (@service-mesh-istio)
version_added: 0.1.0
short_description: What a control plane is told of the networks of its mesh
description:
  - >-
    A control plane learns by itself where a network is entered, from the Service of the network's east-west gateway.
    Where the address is another one (a load balancer that Kubernetes does not know, a port of a router), the inventory
    gives it, and this filter makes C(meshNetworks) of it.
  - The role P(service_mesh.istio.mesh_control_plane#role) uses it.
positional: _input
options:
  _input:
    description:
      - >-
        Variables of all hosts of the mesh, of which C(mesh_network), C(mesh_cluster_name) and
        C(mesh_clusters_gateway_addresses) count.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: What istiod is told
  ansible.builtin.debug:
    msg: "{{ groups['shop'] | map('extract', hostvars) | list | service_mesh.istio.mesh_networks }}"
"""

RETURN = r"""
_value:
  description: Values as M(service_mesh.istio.control_plane) takes them; empty when no address is given.
  type: dict
"""


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file, by name."""
        return {"mesh_networks": mesh_networks}
