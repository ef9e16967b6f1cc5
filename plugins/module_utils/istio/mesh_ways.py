# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways between the clusters of a mesh that are missing: into networks, to control planes and to API servers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from .mesh_member import REMOTE, Member, control_planes, inside, named, reading, served_by, serving_of
from .mesh_unseen import hides_whom_it_reads
from .networks import EXTERNAL, Door, is_loopback, overlapping, sees, unknown_networks


def closed(doors: Sequence[Door], groups: Sequence[Sequence[str]], elsewhere: Sequence[str] = ()) -> Iterator[str]:
    """Networks that nobody could enter, and names of none; `elsewhere` are those of clusters that are not asked."""
    yield from unknown_networks([*(door.network for door in doors), *elsewhere], groups)
    for door in doors:
        if not door.opens and any(sees(door.network, one.network, groups) for one in doors if one is not door):
            yield (
                f"{' and '.join(door.hosts)}: the network '{door.network}' has no east-west gateway, and Pods of other "
                "networks cannot reach its own without one: describe it in mesh_gateways_instances (type: eastwest) or "
                "give mesh_clusters_gateway_addresses"
            )


def not_open_yet(members: Sequence[Member], doors: Sequence[Door], groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """Clusters whose Pods would be made known before there is a way to them: requests that had an answer would fail."""
    shut = {door.network: door for door in doors if door.opens and not door.is_open}
    for one in (one for one in inside(members) if one.network in shut):
        readers = [
            reader
            for reader, other in reading(members, groups)
            if other is one and _would_be_new(reader, one) and _tells_others(reader, one, members, groups)
        ]
        if readers:
            yield (
                f"{named(readers)} would read {one.host}, and nothing leads into its network '{one.network}' yet: its "
                f"east-west gateway ({', '.join(shut[one.network].gateways)}) is not there or has no address, and "
                "requests that others send to it would fail: run the playbook mesh, which opens it, or give "
                "mesh_clusters_gateway_addresses"
            )


def _would_be_new(reader: Member, one: Member) -> bool:
    return not hides_whom_it_reads(reader) and reader.secret_for(one) is None


def _tells_others(reader: Member, one: Member, members: Sequence[Member], groups: Sequence[Sequence[str]]) -> bool:
    """Whether a control plane would tell Pods of other networks of those in a cluster."""
    told = {other.network for other in members if other is reader or serving_of(members, other) is reader}
    return any(network != one.network and sees(network, one.network, groups) for network in told)


def unserved(
    members: Sequence[Member], groups: Sequence[Sequence[str]], cut_off: Sequence[Member], *, moves: bool
) -> Iterator[str]:
    """Remote clusters that could not reach the control plane which is to serve them, or that of nobody knows whom."""
    outside = {name for other in cut_off for name in (other.host, other.cluster_name)}
    for one in (one for one in members if one.role == REMOTE and control_planes(members)):
        serving, said = serving_of(members, one), one.primary or one.remote.get("primary")
        if serving is None and said in outside:
            yield f"{one.host} is served by {said}, which is not in this run (--limit): run it for both"
        elif serving is None and said:
            yield (
                f"{one.host} is to be served by {said}, which is no primary: correct mesh_clusters_primary, or "
                "mesh_control_plane_remote"
            )
        elif serving is None and moves:
            yield (
                f"{one.host} is served by the control plane of {' or '.join(served_by(one))}, which is not in this "
                f"run: run it for the whole mesh, or set mesh_clusters_primary of {one.host} to who shall serve it"
            )
        elif serving is not None:
            yield from _unreached(one, serving, groups)


def not_installed(members: Sequence[Member]) -> Iterator[str]:
    """Remote clusters that would be read, and in which nobody would be asked for a sidecar."""
    for one in (one for one in members if one.role == REMOTE and not one.failure):
        if not any(row["namespace"] == one.namespace for row in one.found.get("served_by") or ()):
            yield (
                f"{one.host} has no webhook in {one.namespace} that would ask a control plane elsewhere for sidecars: "
                "run the playbook mesh, which installs what leads there"
            )


def _unreached(one: Member, serving: Member, groups: Sequence[Sequence[str]]) -> Iterator[str]:
    if one.namespace != serving.namespace and serving.role != EXTERNAL:
        yield (
            f"{one.host} has mesh_root_namespace {one.namespace}, and is served by the control plane of "
            f"{serving.host} in {serving.namespace}: they have to be the same, as the certificate names it"
        )
    elif not sees(serving.network, one.network, groups):
        yield (
            f"{one.host} is in the network '{one.network}' and is served by {serving.host}, whose network "
            f"'{serving.network}' is in no group with it, so its control plane would not read it: put both into "
            "one of mesh_clusters_groups, or name another primary by mesh_clusters_primary"
        )
    elif serving.role != EXTERNAL and not (serving.has_door or one.remote.get("address")):
        yield (
            f"{one.host} is served by {serving.host}, which has no east-west gateway by which its control plane "
            f"could be reached: describe it in mesh_gateways_instances of {serving.host} (type: eastwest), or give "
            f"mesh_clusters_gateway_addresses of it, or mesh_control_plane_remote of {one.host} an address"
        )


def at_home(members: Sequence[Member], groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """Clusters that nobody but the machine of this run reaches by the address of their connection."""
    readers: dict[str, list[Member]] = {}
    for reader, one in reading(members, groups):
        readers.setdefault(one.host, []).append(reader)
    for one in (one for one in members if one.host in readers):
        server = str(one.clusters.get("server") or "")
        if not one.server and is_loopback(server):
            yield (
                f"{named(readers[one.host])} cannot reach {one.host} at {server}, which is this machine itself and "
                f"from the Pod of an istiod that Pod: set mesh_clusters_server for {one.host}, an address of its API "
                "server that Pods of the others reach"
            )


def same_addresses(members: Sequence[Member]) -> Iterator[str]:
    """Clusters that are said to reach each other's Pods directly, and cannot."""
    for one, other in combinations([one for one in members if one.pod_ranges], 2):
        both = overlapping(one.clusters.get("pod_ranges") or (), other.clusters.get("pod_ranges") or ())
        if one.network == other.network and both:
            yield (
                f"{one.host} and {other.host} are in the network '{one.network}' and both have Pods in {both}, so they "
                "do not reach each other directly: set mesh_network, or mesh_clusters_pod_ranges: false where Pods get "
                "other addresses"
            )
