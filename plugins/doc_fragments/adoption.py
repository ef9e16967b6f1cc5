# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking over what another tool has installed; twin of ADOPTION."""

from __future__ import annotations


class ModuleDocFragment:
    """Options adopt and adopt_changes."""

    DOCUMENTATION = r"""
options:
  adopt:
    description:
      - >-
        Whose Istio is taken over. Without it, an Istio that somebody else has installed is refused. V(helm) and
        V(istioctl) are tools that leave it alone from then on. V(sail) is an operator, which would take everything back
        as long as it has its resources; V(unknown) is whoever has written the objects.
      - >-
        Taking over changes nothing but who manages the fields, our records, and the marks by which the other tool knows
        its own. The objects keep the name of their Helm release in their labels. The release itself is retired, so that
        C(helm) does not find it any more; the result (C(adopted)) says how it is put back.
    type: list
    elements: str
    choices: [helm, istioctl, sail, unknown]
    default: []
  adopt_changes:
    description:
      - >-
        Whether what is taken over may change as well, because the options say something else than the cluster has.
        Without it the task refuses, and names every object with its fields.
    type: bool
    default: false
"""
