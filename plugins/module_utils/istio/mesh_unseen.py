# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What nobody could see of the clusters of a mesh: whole clusters, and what may not be read in others.

Nothing is concluded from what could not be read: a list that may not be had is not an empty one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .mesh_member import REMOTE, Member, inside
from .networks import EXTERNAL

# What nobody knows where it may not be read.
_UNKNOWN = {
    "namespaces": "whether it is the same cluster as another",
    "secrets": "whom its control plane reads, and what it signs by",
    "services": "what leads to its network",
    "nodes": "whether its Pods have the addresses of Pods elsewhere (or set mesh_clusters_pod_ranges: false)",
}


def unseen(members: Sequence[Member]) -> list[str]:
    """A sentence for each cluster that could not be seen, and for each thing of another that may not be read."""
    whole = [f"{one.host} could not be seen: {one.failure}" for one in members if one.failure]
    if len(members) < 2:
        return whole
    partly = (
        line for one in members for line in unread(one, nodes=one.pod_ranges and _is_beside(one, inside(members)))
    )
    return [*whole, *(f"{line}: grant it (docs/multicluster.md, Rights)" for line in partly)]


def unread(one: Member, *, nodes: bool = False) -> Iterator[str]:
    """What of a cluster may not be read and matters to the others."""
    rows = [row for row in one.clusters.get("unread") or () if _matters(one, row)]
    yield from dict.fromkeys(_line(one, row) for row in rows if nodes or row["resource"] != "nodes")


def _line(one: Member, row: Mapping[str, Any]) -> str:
    right = f"'{row['verb']}' on {row['resource']}{' in ' * bool(row['namespace'])}{row['namespace']}"
    what = _UNKNOWN[row["resource"]]
    return f"{one.host} could not be seen whole: without the permission to {right} nobody knows {what}"


def hides_whom_it_reads(one: Member) -> bool:
    """Whether nobody knows which clusters a control plane reads."""
    rows = one.clusters.get("unread") or ()
    return bool(one.failure) or any(row["resource"] == "secrets" and _matters(one, row) for row in rows)


def _matters(one: Member, row: Mapping[str, Any]) -> bool:
    """Who has no control plane reads nobody and signs nothing, who is not in the mesh has no door; not other meshes."""
    if (row["resource"], one.role) in (("secrets", REMOTE), ("services", EXTERNAL), ("nodes", EXTERNAL)):
        return False
    return row["namespace"] in ("", one.namespace)


def _is_beside(one: Member, members: Sequence[Member]) -> bool:
    """Whether others are in its network, so that its Pods must not have their addresses."""
    return any(other.network == one.network for other in members if other is not one)
