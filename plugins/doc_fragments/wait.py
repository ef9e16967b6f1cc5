# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until something works; twin of WAIT."""

from __future__ import annotations


class ModuleDocFragment:
    """Option wait_timeout."""

    DOCUMENTATION = r"""
options:
  wait_timeout:
    description:
      - >-
        Seconds to wait, for everything together, until what was installed works. A state that cannot become
        ready ends the wait earlier.
    type: float
    default: 300.0
"""
