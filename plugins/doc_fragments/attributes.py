# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module of the collection supports."""

from __future__ import annotations


class ModuleDocFragment:
    """Check mode, diff mode, idempotence, platform."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return the changed status that a real run would have.
    support: full
    details:
      - The plan is built by the same code as in a real run, and proved by dry runs on the API server.
  diff_mode:
    description: >-
      Will return details on what has changed (or possibly needs changing in check mode), when in diff mode.
    support: full
    details:
      - >-
        One entry for each object, with a header, for creations, updates and deletions. Data of Secrets is shown
        as hashes.
  idempotent:
    description: When run twice in a row outside check mode, with the same arguments, the second run changes nothing.
    support: full
    details:
      - The second run persists nothing on the API server.
  action_group:
    description: Use C(group/service_mesh.istio.all) in C(module_defaults) to set the options of the connection once.
    support: full
    membership:
      - service_mesh.istio.all
  platform:
    description: Platforms on which the module runs.
    support: full
    platforms: posix
"""
