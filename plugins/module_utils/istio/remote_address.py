# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who serves a remote cluster, and where it reaches that one, when the task does not say so: as it was said before.

Source: `global.remotePilotAddress` in the values that istiod's chart leaves in a ConfigMap, and the annotation
`topology.istio.io/controlPlaneClusters` of the namespace.
"""

from __future__ import annotations

from dataclasses import replace

from ..kube.client import Client
from ..kube.errors import Failure
from ..kube.resources import CONFIG_MAP, NAMESPACE
from .desired_control_plane import ControlPlane, Remote
from .facts import SERVED_BY
from .installed import values_in
from .releases import parsed
from .revisions import named
from .webhooks import annotations_of
from .world import mapping

_HINT = (
    "Run the playbook mesh without --tags, which finds it out, or give it: '{0}', or mesh_clusters_gateway_addresses "
    "of the host that serves it"
)
# The charts before make a name of it, which the API server refuses (remote-istiod-service.yaml).
_IPV6_SINCE = (1, 31)


class NoAddress(Failure):
    """Nothing says where the control plane is reached that serves a remote cluster."""

    code = "no_address"


def as_served(client: Client, wanted: ControlPlane) -> ControlPlane:
    """The same, with the control plane and the address that the cluster has. Raises NoAddress."""
    if wanted.remote is None:
        return wanted
    remote = wanted.remote
    if not (remote.primary and remote.address):
        remote = _completed(client, wanted, remote)
    if ":" in remote.address and parsed(wanted.version).minor < _IPV6_SINCE:
        raise NoAddress(
            f"{client.name} cannot reach the control plane of {remote.primary} at {remote.address}",
            subject="remote.address",
            reason=f"the charts of Istio {wanted.version} know addresses of IPv4 and names alone",
            hint="Give 'remote.address', or mesh_clusters_gateway_addresses of the host that serves it: an address of "
            "IPv4, or a name at which 443 leads to 15017; or install Istio 1.31 or later",
        )
    return replace(wanted, remote=remote)


def _completed(client: Client, wanted: ControlPlane, remote: Remote) -> Remote:
    """An address is that of somebody: without one, nobody else can be named."""
    place = client.get(NAMESPACE, wanted.namespace) or {"metadata": {}}
    names = [name.strip() for name in annotations_of(place).get(SERVED_BY, "").split(",") if name.strip()]
    primary = remote.primary or ",".join(names)
    if not primary:
        raise NoAddress(
            f"Nothing says which control plane serves {client.name}",
            subject="remote.primary",
            reason=f"the task does not, nor does the Namespace {wanted.namespace} (annotation {SERVED_BY})",
            hint=_HINT.format("remote"),
        )
    if remote.address:
        return replace(remote, primary=primary)
    if remote.primary and names and not {remote.primary, "*"} & {*names}:
        why = f"the address that it has is that of {', '.join(names)}, whose control plane serves it now"
        raise _unsaid(client, remote.primary, why)
    name = named("values", wanted.revision)
    found = values_in(client.get(CONFIG_MAP, name, wanted.namespace) or {})
    address = str(mapping(found.get("global")).get("remotePilotAddress") or "")
    if not address:
        why = f"the task does not, nor does what is installed (ConfigMap {wanted.namespace}/{name})"
        raise _unsaid(client, f"{primary}, which serves it", why)
    return Remote(primary, address)


def _unsaid(client: Client, whose: str, why: str) -> NoAddress:
    return NoAddress(
        f"Nothing says where {client.name} reaches the control plane of {whose}",
        subject="remote.address",
        reason=why,
        hint=_HINT.format("remote.address"),
    )
