# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name, place, labels and annotations of an object; twin of METADATA."""

from __future__ import annotations


class ModuleDocFragment:
    """Options of an object's metadata."""

    DOCUMENTATION = r"""
options:
  name:
    description:
      - Name of the object.
    type: str
    required: true
  namespace:
    description:
      - Namespace of the object. It has to exist.
    type: str
    required: true
  labels:
    description:
      - Labels of the object.
    type: dict
  annotations:
    description:
      - Annotations of the object.
    type: dict
notes:
  - >-
    V(null) is not an absent field: an option of the object that is V(null) is refused. Leave it out; a template gives
    C(omit).
"""
