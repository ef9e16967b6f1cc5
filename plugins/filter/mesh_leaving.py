# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What it takes that clusters leave a mesh, for playbooks: computed once, from what all its hosts have found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..module_utils.istio.leaving import Leaving, mesh_leaving
from ..module_utils.istio.mesh_member import members_of

DOCUMENTATION = r"""
name: mesh_leaving
author: Contributors to the service_mesh.istio collection (@service-mesh-istio)
version_added: 0.1.0
short_description: What it takes that clusters leave a mesh, and why they must not
description:
  - >-
    From what the inventory says of the clusters of a mesh, and what M(service_mesh.istio.mesh_info) and
    M(service_mesh.istio.precheck) have found in them, tells everything that stands in the way of some of them leaving,
    who has to forget whom, and what nobody needs any more then. It asks nobody.
  - The role P(service_mesh.istio.mesh_clusters#role) uses it.
positional: _input, hosts
options:
  _input:
    description:
      - The clusters, as P(service_mesh.istio.mesh_plan#filter) takes them.
    type: list
    elements: dict
    required: true
  hosts:
    description: The inventory hosts that leave.
    type: list
    elements: str
    required: true
  groups:
    description: Lists of networks that see each other. Without any, all do.
    type: list
    elements: list
    default: []
  prechecks:
    description: >-
      What M(service_mesh.istio.precheck) with C(operation=leave) has found in those that leave, by host; C(failure)
      instead of it says why it could not look.
    type: dict
    default: {}
  ignored:
    description: Codes of blockers that shall be warnings.
    type: list
    elements: str
    default: []
  unreachable:
    description: Whether a cluster that cannot be seen may leave.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: What stands in the way of a cluster that leaves
  ansible.builtin.debug:
    msg: "{{ (clusters | service_mesh.istio.mesh_leaving(['west'])).blockers }}"
"""

RETURN = r"""
_value:
  description: >-
    The hosts that C(leave), that C(stay), that are C(gone) without having been asked, and the C(remotes) among those
    that leave; C(blockers) and C(warnings), each with C(host), C(code), C(reason), C(count), C(objects), C(override)
    and C(text), all of it; the codes among C(ignored) that are prechecks; C(pairs) of which one reads the other no
    more, each with C(on), the host where that is done; by host C(doors), east-west gateways of remote clusters that go
    with them, C(after), its mesh then, C(closed) and C(unserved),
    east-west gateways that services and the control plane are not reached by any more, and C(left), what may still be
    in a cluster that is gone.
  type: dict
"""


def _leaving(
    members: Iterable[Mapping[str, Any]],
    hosts: Sequence[str],
    groups: Sequence[Sequence[str]] = (),
    prechecks: Mapping[str, Mapping[str, Any]] | None = None,
    ignored: Sequence[str] = (),
    unreachable: bool = False,
) -> dict[str, Any]:
    every = members_of(members)
    return mesh_leaving(Leaving(every, hosts, groups, prechecks or {}, ignored, unreachable))


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file, by name."""
        return {"mesh_leaving": _leaving}
