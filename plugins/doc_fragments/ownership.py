# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields that others manage; twin of OWNERSHIP."""

from __future__ import annotations


class ModuleDocFragment:
    """Option take_ownership_from."""

    DOCUMENTATION = r"""
options:
  take_ownership_from:
    description:
      - >-
        Field managers from which fields may be taken over, as named in C(managedFields) of the object (for
        example V(kubectl-edit)).
      - Without it, a field that another manager set to another value is a conflict, and nothing is written.
    type: list
    elements: str
    default: []
"""
