# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The mode of the mesh; twin of MODE."""

from __future__ import annotations


class ModuleDocFragment:
    """Option mode."""

    DOCUMENTATION = r"""
options:
  mode:
    description:
      - >-
        V(dedicated) means that control plane and workloads are in this cluster, and that this collection
        installs them.
      - >-
        V(hosted) means that control planes of primary clusters serve remote clusters, too, and that this collection
        installs all of it.
      - >-
        V(external) means that somebody else owns this Istio. Installing and changing it is refused;
        configuration and injection work.
    type: str
    choices: [dedicated, hosted, external]
    default: dedicated
"""
