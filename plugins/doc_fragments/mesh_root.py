# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The namespace whose objects are for the whole mesh; twin of MESH_ROOT."""

from __future__ import annotations


class ModuleDocFragment:
    """Option root_namespace."""

    DOCUMENTATION = r"""
options:
  root_namespace:
    description:
      - Root namespace of the mesh. A policy there is for the workloads of all namespaces.
    type: str
    default: istio-system
"""
