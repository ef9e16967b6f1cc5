# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a whole mesh, from what the inventory says of its clusters and what each of them has.

Nothing here asks anybody: it is computed once for all clusters, before the first of them is written. What could not be
seen is said, and nothing is concluded from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from .networks import Door, doors_of, overlapping, sees, unknown_networks
from .trust import disagreements
from .world import mapping

PRIMARY, REMOTE = "primary", "remote"
# What has to be the same in all clusters of a mesh, and in words.
_SHARED = (("mesh_id", "mesh"), ("trust_domain", "trust domain"))
# What the inventory says of a cluster, and what its charts were told, which only a reinstallation changes.
_INSTALLED = (("mesh_id", "mesh"), ("cluster_name", "cluster name"), ("network", "network"))


@dataclass(frozen=True)
class Member:
    """One cluster of a mesh: as the inventory has it, and as it was found. `failure` says why nothing was found.

    `primary` is the host whose control plane serves a remote one, the first primary if it is not said.
    `gateways` are the names of its east-west gateways in the inventory, `addresses` those that lead to its network as
    the inventory says, each with `address` and `port`.
    """

    host: str
    cluster_name: str
    mesh_id: str = ""
    network: str = ""
    role: str = PRIMARY
    primary: str = ""
    trust_domain: str = ""
    namespace: str = "istio-system"
    gateways: Sequence[str] = ()
    addresses: Sequence[Mapping[str, Any]] = ()
    found: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""

    @property
    def uid(self) -> str:
        return str(self.clusters.get("uid") or "")

    @property
    def trust(self) -> Mapping[str, Any]:
        trusts: Sequence[Mapping[str, Any]] = self.found.get("trust") or []
        return next((one for one in trusts if one["namespace"] == self.namespace), {})

    @property
    def clusters(self) -> Mapping[str, Any]:
        return mapping(self.found.get("clusters"))

    @property
    def secrets(self) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = self.clusters.get("remote_secrets") or []
        return [row for row in rows if row["namespace"] == self.namespace]


def mesh_plan(
    members: Sequence[Member], groups: Sequence[Sequence[str]] = (), *, pod_ranges: bool = True
) -> dict[str, Any]:
    """Who has to read whom, what of it is there, what is left over, and why it cannot be done.

    `groups` are networks that see each other; without any, all do. `pod_ranges` is whether Pods get the addresses that
    Kubernetes has given to their nodes, so that clusters of one network cannot have the same.
    """
    doors = doors_of(members)
    return {
        "topology": _topology(members),
        "networks": [door.told() for door in doors],
        "refusals": [
            *_refusals(members),
            *_closed(doors, groups),
            *_unserved(members, doors),
            *(_same_addresses(members) if pod_ranges else ()),
        ],
        "unseen": [f"{one.host} could not be seen: {one.failure}" for one in members if one.failure],
        "pairs": [
            _pair(reader, other, serves=serving_of(members, other) is reader)
            for reader, other in _reading(members, groups)
        ],
        "left_over": list(_left_over(members, groups)),
    }


def primaries(members: Iterable[Member]) -> list[Member]:
    """Those that run a control plane."""
    return [one for one in members if one.role == PRIMARY]


def _reading(members: Sequence[Member], groups: Sequence[Sequence[str]]) -> Iterator[tuple[Member, Member]]:
    for reader in primaries(members):
        yield from ((reader, one) for one in members if one is not reader and sees(reader.network, one.network, groups))


def _topology(members: Sequence[Member]) -> str:
    count, networks = len(primaries(members)), {one.network for one in members}
    if len(members) == 1:
        return "one cluster"
    shape = "multi-primary" if count == len(members) else f"{count} primary, {len(members) - count} remote"
    return f"{shape}, {'one network' if len(networks) == 1 else f'{len(networks)} networks'}"


def _pair(reader: Member, other: Member, *, serves: bool) -> dict[str, Any]:
    secret = next((row for row in reader.secrets if row["cluster"] == other.cluster_name), None)
    state = "unseen" if reader.failure else "present" if secret else "missing"
    return {
        "reader": reader.host,
        "primary": reader.cluster_name,
        "host": other.host,
        "cluster": other.cluster_name,
        "serves": serves,
        "state": state,
        "token_ends": str(secret["token_ends"]) if secret else "",
    }


def _left_over(members: Sequence[Member], groups: Sequence[Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Secrets for clusters that are not in the mesh, or that their own cluster does not have to read."""
    wanted = {(reader.host, other.cluster_name) for reader, other in _reading(members, groups)}
    for reader in members:
        for row in reader.secrets:
            if (reader.host, row["cluster"]) not in wanted:
                yield {"reader": reader.host, "secret": row["name"], "cluster": row["cluster"], "ours": row["ours"]}


def _refusals(members: Sequence[Member]) -> Iterator[str]:
    if not primaries(members):
        yield "no cluster of the mesh is a primary, so no control plane would serve it: set mesh_cluster_role"
    yield from _twice(members, "cluster_name", "the cluster name {value}: set mesh_cluster_name")
    yield from _twice(members, "uid", "one cluster (its kube-system has the uid {value}): check the connections")
    for name, word in _SHARED:
        yield from _differing(members, name, word)
    for one in members:
        yield from _installed_otherwise(one)
    yield from _distrust(members)


def _closed(doors: Sequence[Door], groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """Networks that nobody could enter."""
    yield from unknown_networks([door.network for door in doors], groups)
    for door in doors:
        if not door.opens and any(sees(door.network, one.network, groups) for one in doors if one is not door):
            yield (
                f"{' and '.join(door.hosts)}: the network '{door.network}' has no east-west gateway, and Pods of other "
                "networks cannot reach its own without one: describe it in mesh_gateways_instances (type: eastwest) or "
                "give mesh_clusters_gateway_addresses"
            )


def _unserved(members: Sequence[Member], doors: Sequence[Door]) -> Iterator[str]:
    """Remote clusters that could not reach the control plane which is to serve them."""
    opened = {door.network for door in doors if door.opens}
    for one in (one for one in members if one.role != PRIMARY and primaries(members)):
        serving = serving_of(members, one)
        if serving is None:
            yield f"{one.host} is to be served by {one.primary}, which is no primary: correct mesh_clusters_primary"
        elif serving.network not in opened:
            yield (
                f"{one.host} is served by {serving.host}, which has no east-west gateway by which its control plane "
                f"could be reached: describe it in mesh_gateways_instances of {serving.host} (type: eastwest), or give "
                "mesh_clusters_gateway_addresses"
            )


def serving_of(members: Sequence[Member], remote: Member) -> Member | None:
    """Whose control plane a remote cluster has."""
    if remote.role == PRIMARY:
        return None
    return next((one for one in primaries(members) if remote.primary in ("", one.host)), None)


def _same_addresses(members: Sequence[Member]) -> Iterator[str]:
    """Clusters that are said to reach each other's Pods directly, and cannot."""
    for one, other in combinations(members, 2):
        both = overlapping(one.clusters.get("pod_ranges") or (), other.clusters.get("pod_ranges") or ())
        if one.network == other.network and both:
            yield (
                f"{one.host} and {other.host} are in the network '{one.network}' and both have Pods in {both}, so they "
                "do not reach each other directly: set mesh_network, or mesh_clusters_pod_ranges: false where Pods get "
                "other addresses"
            )


def _twice(members: Sequence[Member], name: str, what: str) -> Iterator[str]:
    hosts: dict[str, list[str]] = {}
    for one in members:
        hosts.setdefault(getattr(one, name), []).append(one.host)
    for value, named in hosts.items():
        if value and len(named) > 1:
            yield f"{' and '.join(named)} have {what.format(value=value)}"


def _differing(members: Sequence[Member], name: str, word: str) -> Iterator[str]:
    first = members[0] if members else None
    for one in members[1:]:
        ours, theirs = getattr(first, name), getattr(one, name)
        if first and ours != theirs:
            yield f"{first.host} has the {word} '{ours}' and {one.host} '{theirs}': they have to be the same"


def _installed_otherwise(one: Member) -> Iterator[str]:
    if not one.found.get("control_planes"):
        return
    for name, word in _INSTALLED:
        there, wanted = str(one.found.get(name) or ""), getattr(one, name)
        if there != wanted:
            yield (
                f"{one.host} is installed with the {word} '{there}', and the inventory says '{wanted}': install it "
                "with the new one and restart its proxies first, or correct the inventory"
            )


def _distrust(members: Sequence[Member]) -> Iterator[str]:
    """Only a primary signs; the proxies of a remote get their certificates from theirs."""
    told = {one.host: one.trust for one in primaries(members) if one.trust}
    if len(members) < 2:
        return
    for host, trust in told.items():
        yield from (f"{host}: {problem}" for problem in trust["problems"])
        if not trust["source"] and any(mapping(one)["source"] for one in told.values()):
            yield f"{host} has no certificates from the root of the mesh, and others have: run mesh_ca for it"
    yield from disagreements(told)
