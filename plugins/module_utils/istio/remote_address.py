# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a remote cluster reaches its control plane, when the task does not say so: where it was said to be before.

Source: `global.remotePilotAddress` in the values that istiod's chart leaves in a ConfigMap.
"""

from __future__ import annotations

from dataclasses import replace

from ..kube.client import Client
from ..kube.errors import Failure
from ..kube.resources import CONFIG_MAP
from .desired_control_plane import ControlPlane
from .installed import values_in
from .revisions import named
from .world import mapping


class NoAddress(Failure):
    """Nothing says where the control plane is reached that serves a remote cluster."""

    code = "no_address"


def with_address(client: Client, wanted: ControlPlane) -> ControlPlane:
    """The same, with the address that the cluster has. Raises NoAddress."""
    if wanted.remote is None or wanted.remote.address:
        return wanted
    name = named("values", wanted.revision)
    found = values_in(client.get(CONFIG_MAP, name, wanted.namespace) or {})
    address = str(mapping(found.get("global")).get("remotePilotAddress") or "")
    if not address:
        raise NoAddress(
            f"Nothing says where {client.name} reaches the control plane of {wanted.remote.primary}, which serves it",
            subject="remote.address",
            reason=f"the task does not, nor does what is installed (ConfigMap {wanted.namespace}/{name})",
            hint="Run the playbook mesh without --tags, which finds it out, or give it: 'remote.address', or "
            "mesh_clusters_gateway_addresses of the host that serves it",
        )
    return replace(wanted, remote=replace(wanted.remote, address=address))
