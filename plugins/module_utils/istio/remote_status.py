# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which other clusters a control plane reads, as the cluster itself tells it: without the tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..kube.client import Object
from ..kube.resources import NAMESPACE, SECRET
from .remote_cluster import FAMILY
from .remote_secret import LABEL, SELECTOR, VALUE, access_in, clusters_in
from .snapshot import Ask, Snapshot
from .webhooks import labels_of

_KUBE_SYSTEM = "kube-system"


def clusters_asks(places: Sequence[str]) -> list[Ask]:
    """What has to be read, for the namespaces of control planes."""
    return [Ask(NAMESPACE, name=_KUBE_SYSTEM), *(Ask(SECRET, place, labels=SELECTOR) for place in places)]


def clusters_told(snapshot: Snapshot, places: Sequence[str]) -> dict[str, Any]:
    """The uid of this cluster, and the clusters that are read from it."""
    own = snapshot.named(NAMESPACE, _KUBE_SYSTEM)
    secrets = [found for place in places for found in snapshot.of(SECRET, place)]
    return {
        "uid": str(own["metadata"]["uid"]) if own else "",
        "remote_secrets": [row for found in secrets if labels_of(found).get(LABEL) == VALUE for row in _rows(found)],
    }


def _rows(secret: Object) -> Iterator[dict[str, Any]]:
    managers = [str(entry.get("manager")) for entry in secret["metadata"].get("managedFields") or []]
    for cluster in clusters_in(secret):
        server, token = access_in(secret, cluster)
        ends = token.ends if token else None
        yield {
            "namespace": secret["metadata"]["namespace"],
            "name": secret["metadata"]["name"],
            "cluster": cluster,
            "server": server,
            "token_ends": ends.isoformat() if ends else "",
            "ours": any(name.startswith(FAMILY) for name in managers),
        }
