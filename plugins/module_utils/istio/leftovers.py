# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What istiod itself has written into a cluster while it ran, which no chart and no manager of ours knows.

Found by the name that istiod gives it and by the manager that has written it, never by one of the two alone.
Source: pilot/pkg/leaderelection, pilot/pkg/features (names of the ConfigMaps), security/pkg/pki/ca and
pilot/pkg/config/kube/gateway (classes) of 1.28 to 1.31.
"""

from __future__ import annotations

from ..kube.client import Client, Object
from ..kube.resources import CONFIG_MAP, KUBERNETES, SECRET, Resource
from ..reconcile.ownership import managers
from .revisions import shown
from .snapshot import Ask, Snapshot, read

_ISTIOD = "pilot-discovery"
_LEASE = KUBERNETES["coordination.k8s.io/v1", "Lease"]
_CLASS = Resource("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses", namespaced=False)

# Who leads, as ConfigMaps and as Leases; what there is of it for each revision has `-REVISION` behind it.
_ELECTIONS = (
    "istio-analyze-leader",
    "istio-clustertrustbundle-controller-election",
    "istio-gateway-deployment",
    "istio-gateway-inferencepool",
    "istio-gateway-status-leader",
    "istio-ip-autoallocate",
    "istio-leader",
    "istio-namespace-controller-election",
    "istio-node-untaint",
    "istio-serviceexport-controller-election",
    "istio-status-leader",
)
# In every namespace, for the proxies there.
_FOR_PROXIES = ("istio-ca-root-cert", "istio-ca-crl")
_AUTHORITY = "istio-ca-secret"
_CONTROLLERS = ("istio.io/gateway-controller", "istio.io/mesh-controller", "istio.io/unmanaged-gateway")


def leftovers(client: Client, namespace: str, revision: str, last: bool) -> Snapshot:
    """What is there of it: of one revision, or with the last control plane of all."""
    asks = [Ask(_LEASE, namespace)]
    if last:
        asks += [Ask(CONFIG_MAP), Ask(SECRET, namespace, name=_AUTHORITY), Ask(_CLASS)]
    found = read(client, asks)
    objects = {
        kind: [one for one in there if _ISTIOD in managers(one) and is_leftover(one, namespace, revision, last)]
        for kind, there in found.objects.items()
    }
    return Snapshot(found.cluster, found.kubernetes, objects, found.unread, found.asked)


def is_leftover(found: Object, namespace: str, revision: str, last: bool) -> bool:
    """Whether istiod gives an object of this kind this name, here."""
    kind, name = found["kind"], found["metadata"]["name"]
    if kind == _CLASS.kind:
        return str(found["spec"].get("controllerName")) in _CONTROLLERS
    if name in _FOR_PROXIES or name == _AUTHORITY:
        return True
    if found["metadata"]["namespace"] != namespace:
        return False
    if last:
        return any(name == election or name.startswith(f"{election}-") for election in _ELECTIONS)
    return name in {f"{election}-{shown(revision)}" for election in _ELECTIONS}
