# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an object shall be there; twin of STATE."""

from __future__ import annotations


class ModuleDocFragment:
    """Option state."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - Whether the object shall be there, exactly as described, or not.
      - What a later run leaves out of the description is removed from the object, unless somebody else manages it.
    type: str
    choices: [present, absent]
    default: present
"""
