# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster says of itself and of the others of its mesh: whom it reads (without the tokens), how it is reached.

Source of what leads to a network: pilot/pkg/serviceregistry/kube/controller/network.go, by the labels and the
annotation of Services.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from typing import Any

from ..kube.client import Object
from ..kube.resources import NAMESPACE, NODE, SECRET, SERVICE
from .facts import NETWORK_LABEL
from .networks import CROSS_NETWORK_PORT, addresses_of
from .registration import FAMILY
from .remote_secret import CONFIG_SECRET, INTERIM, LABEL, SELECTOR, VALUE, access_in, clusters_in, token_state
from .snapshot import Ask, Snapshot
from .webhooks import annotations_of, labels_of

_ASKED = (NAMESPACE, NODE, SECRET, SERVICE)
_KUBE_SYSTEM = "kube-system"
_PORT_LABEL = "networking.istio.io/gatewayPort"
# The nodes whose addresses lead to a gateway by its node port.
_NODES_ANNOTATION = "traffic.istio.io/nodeSelector"


def clusters_asks(places: Sequence[str]) -> list[Ask]:
    """What has to be read, for the namespaces of control planes."""
    whole = (Ask(NAMESPACE, name=_KUBE_SYSTEM), Ask(SERVICE, labels=NETWORK_LABEL), Ask(NODE))
    configs = (Ask(SECRET, place, name=CONFIG_SECRET) for place in places)
    return [*whole, *configs, *(Ask(SECRET, place, labels=SELECTOR) for place in places)]


def clusters_told(snapshot: Snapshot, places: Sequence[str], server: str) -> dict[str, Any]:
    """Its uid, the address by which it was asked, its Pods' addresses, what leads to its network, and whom it reads."""
    own = snapshot.named(NAMESPACE, _KUBE_SYSTEM)
    secrets = [found for place in places for found in snapshot.of(SECRET, place)]
    now = datetime.now(timezone.utc)
    return {
        "uid": str(own["metadata"]["uid"]) if own else "",
        "server": server,
        "pod_ranges": sorted({text for node in snapshot.of(NODE) for text in node["spec"].get("podCIDRs") or []}),
        "gateways": [_gateway(found) for found in snapshot.of(SERVICE) if labels_of(found).get(NETWORK_LABEL)],
        "remote_secrets": [row for found in secrets if _gives_access(found) for row in _rows(found, now)],
        "unread": [
            {"verb": one.verb, "resource": one.resource.plural, "namespace": one.namespace}
            for one in snapshot.unread
            if one.resource in _ASKED
        ],
    }


def _gives_access(secret: Object) -> bool:
    return labels_of(secret).get(LABEL) == VALUE or secret["metadata"]["name"] == CONFIG_SECRET


def _gateway(service: Object) -> dict[str, Any]:
    """The door of a network; `by_nodes` when istiod takes the addresses of nodes."""
    labels = labels_of(service)
    port = str(labels.get(_PORT_LABEL) or "")  # istiod ignores what is no number as well
    return {
        "network": labels[NETWORK_LABEL],
        "namespace": service["metadata"]["namespace"],
        "name": service["metadata"]["name"],
        "istio_label": str((service["spec"].get("selector") or {}).get("istio") or ""),
        "addresses": addresses_of(service),
        "by_nodes": _NODES_ANNOTATION in annotations_of(service),
        "port": int(port) if port.isdecimal() else CROSS_NETWORK_PORT,
    }


def _rows(secret: Object, now: datetime) -> Iterator[dict[str, Any]]:
    managers = [str(entry.get("manager")) for entry in secret["metadata"].get("managedFields") or []]
    for cluster in (name for name in clusters_in(secret) if not name.endswith(INTERIM)):
        server, token = access_in(secret, cluster)
        ends = token.ends if token else None
        yield {
            "namespace": secret["metadata"]["namespace"],
            "name": secret["metadata"]["name"],
            "cluster": cluster,
            "server": server,
            "token_ends": ends.isoformat() if ends else "",
            "token_state": token_state(token, now),
            "account": token.bound_to("serviceaccount")[0] if token else "",
            "ours": any(name.startswith(FAMILY) for name in managers),
        }
