# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a whole mesh, for playbooks: computed once, from what all its hosts have found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..module_utils.istio.mesh_member import OPEN, members_of
from ..module_utils.istio.mesh_plan import mesh_plan

DOCUMENTATION = r"""
name: mesh_plan
author: Contributors to the service_mesh.istio collection (@service-mesh-istio)
version_added: 0.1.0
short_description: Who has to read whom in a mesh, and why that cannot be
description:
  - >-
    From what the inventory says of the clusters of a mesh, and what M(service_mesh.istio.mesh_info) has found in each,
    tells the topology, which control plane has to read which cluster, what is missing, what is left over, and
    everything that stands in the way. It asks nobody.
  - The role P(service_mesh.istio.mesh_clusters#role) uses it.
positional: _input
options:
  _input:
    description:
      - >-
        The clusters, each with C(host), C(cluster_name), C(mesh_id), C(network), C(role), C(primary) (the host that
        shall serve a remote one, whoever has done so), C(remote) (what the inventory says of that one otherwise, with
        C(primary), the name of its cluster, and C(address)), C(config) (whether a remote one has the configuration of
        an external control plane), C(trust_domain), C(namespace), C(revision), C(gateways) (its east-west gateways by
        their names, each with the label C(istio) of its Pods), C(closing) (gateways that the run takes away, each
        with C(namespace) and C(name)), C(addresses) (given ones that lead to its network, each with C(address) and
        C(port)), C(server) (where the others reach its API server), C(groups) (those that the inventory has for it,
        which have to be the same for all), C(pod_ranges) (whether its Pods get the addresses that Kubernetes has
        given to their nodes (C(podCIDRs)), so that two clusters of one network cannot have the same), C(found) (the
        C(mesh) of M(service_mesh.istio.mesh_info) with C(gather=[trust, clusters])) and C(failure), why there is no
        C(found). Before certificates are written also C(signing), the C(trust) that M(service_mesh.istio.mesh_ca)
        plans, C(root_file), in which it would make a root, and C(refused), why it cannot.
    type: list
    elements: dict
    required: true
  groups:
    description: Lists of networks that see each other. Without any, all do.
    type: list
    elements: list
    default: []
  cut_off:
    description: >-
      Clusters of the mesh that the run leaves out, each with what is known of it without asking (C(host),
      C(cluster_name), C(network), C(role) and C(config)).
    type: list
    elements: dict
    default: []
  renew:
    description: Whether all tokens shall be new, which is refused where some would not be.
    type: bool
    default: false
  step:
    description:
      - What the run does next, so that what stands in its way is told.
      - >-
        V(install) writes certificates and control planes (one without certificates would make a root of its own),
        V(open) opens networks before clusters read each other, V(join) makes them do so at once, and V(rotate) replaces
        their root.
    type: str
    choices: [install, open, join, rotate]
    default: open
"""

EXAMPLES = r"""
- name: What stands in the way of a mesh
  ansible.builtin.debug:
    msg: "{{ (clusters | service_mesh.istio.mesh_plan).refusals }}"
"""

RETURN = r"""
_value:
  description: >-
    C(topology) in words; C(clusters), each with C(host), C(cluster), C(mesh_id), C(network), C(role), C(trust_domain)
    and, once it has certificates, C(root) (the beginning of its fingerprint), C(root_ends) and C(signer_ends);
    C(networks), each with C(network), C(hosts), C(gateways), C(addresses) and whether it is C(open); C(refusals);
    C(unseen); C(serving), whose control plane serves a remote cluster or will, by their hosts; C(closing), gateways
    that the run takes away, by hosts; C(labels), by hosts with configuration the labels of east-west gateways by
    their names; C(left_over), Secrets for clusters that are not in the run, each with C(reader), C(secret),
    C(cluster), whether it is C(ours), and C(cut_off), whether that cluster is only left out of the run; C(pairs),
    each with C(reader), C(primary), C(host), C(cluster), C(serves), C(serves_now), C(config), C(state) (V(present),
    V(missing) or V(unseen)), C(moves), whether it shall be read at another address than it is, and C(token_ends); and
    C(ending), those that shall not read each other any more, each also with C(secret) and whether it is C(ours).
  type: dict
"""


def _planned(
    members: Iterable[Mapping[str, Any]],
    groups: Sequence[Sequence[str]] = (),
    cut_off: Iterable[Mapping[str, Any]] = (),
    renew: bool = False,
    step: str = OPEN,
) -> dict[str, Any]:
    return mesh_plan(members_of(members), groups, cut_off=members_of(cut_off), renew=renew, step=step)


class FilterModule:
    """Where Ansible looks for filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters of this file, by name."""
        return {"mesh_plan": _planned}
