# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a whole mesh, from what the inventory says of its clusters and what each of them has.

Nothing here asks anybody: it is computed once for all clusters, before the first of them is written. What could not be
seen is said, and nothing is concluded from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from . import modes
from .certificates import short
from .mesh_installed import in_another_namespace, in_another_part, installed_otherwise
from .mesh_labels import labels_of, selected_twice
from .mesh_member import (
    INSTALL,
    JOIN,
    OPEN,
    PRIMARY,
    REMOTE,
    Member,
    as_served,
    configured,
    control_planes,
    inside,
    named,
    reading,
    serving_now,
    serving_of,
)
from .mesh_outside import left_over, unrenewed
from .mesh_trust import distrust
from .mesh_unseen import hides_whom_it_reads, unseen
from .mesh_ways import at_home, closed, not_installed, not_open_yet, same_addresses, unserved
from .names import LABEL, is_unfit
from .networks import EXTERNAL, doors_of
from .registration import misnamed
from .remote_secret import CONFIG_SECRET, name_of
from .world import mapping

# What has to be the same in all clusters of a mesh, and in words.
_SHARED = (
    ("mesh_id", "mesh"),
    ("mode", "mode"),
    ("trust_domain", "trust domain"),
    ("seen_together", "mesh_clusters_groups"),
)


# Steps that write to clusters and their gateways; others leave both as they are.
_WRITING = (INSTALL, OPEN)


def mesh_plan(
    members: Sequence[Member],
    groups: Sequence[Sequence[str]] = (),
    *,
    cut_off: Sequence[Member] = (),
    renew: bool = False,
    step: str = OPEN,
) -> dict[str, Any]:
    """Who has to read whom, what of it is there, what is left over, and why it cannot be done.

    `groups` are networks that see each other; without any, all do. `cut_off` are clusters of the mesh that the run
    leaves out. `renew` is whether all tokens shall be new. `step` is what comes next: certificates and control planes
    are installed (`install`), networks are opened (`open`), clusters read each other at once (`join`), or their root is
    replaced (`rotate`).
    """
    writes = step in _WRITING
    members = [_settled(_closed(one) if writes else one, members) for one in members]
    members = members if writes else as_served(members)
    return {
        "topology": _topology(members),
        "clusters": [_identity(one) for one in members],
        "networks": [door.told() for door in doors_of(inside(members))],
        "refusals": [
            *_refusals(members, cut_off),
            *(_not_hosted(members) if writes else ()),
            *_misnamed(members, groups),
            *_read_by_others(members, groups),
            *(line for one in members for line in installed_otherwise(one, members)),
            *distrust(members, step),
            *_misplaced(members, cut_off),
            *_beside_external(members),
            *_missing_ways(members, groups, cut_off, step),
            *(unrenewed(members, cut_off) if renew else ()),
        ],
        "unseen": unseen(members),
        "pairs": [
            _pair(reader, other, serving_of(members, other), serving_now(members, other))
            for reader, other in reading(members, groups)
        ],
        "serving": {one.host: there.host for one in members if (there := serving_of(members, one))},
        "closing": {one.host: list(one.closing) for one in members},
        "labels": {one.host: labels_of(members, one) for one in configured(members)},
        "ending": list(_ending(members, groups)),
        "left_over": list(left_over(members, cut_off)),
    }


def _missing_ways(
    members: Sequence[Member], groups: Sequence[Sequence[str]], cut_off: Sequence[Member], step: str
) -> Iterator[str]:
    doors, writes = doors_of(inside(members)), step in _WRITING
    yield from closed(doors, groups, [_settled(one, [*members, *cut_off]).network for one in cut_off])
    if step == JOIN:
        yield from not_open_yet(members, doors, groups)
        yield from not_installed(members)
    yield from unserved(members, groups, cut_off, moves=writes)
    if writes and len(doors) > 1:
        yield from selected_twice(members)
    yield from at_home(members, groups)
    yield from same_addresses(inside(members))


def _externals(members: Iterable[Member]) -> list[Member]:
    return [one for one in members if one.role == EXTERNAL]


def _settled(one: Member, members: Sequence[Member]) -> Member:
    """An external control plane is of the network in which it has its configuration, wherever it runs."""
    config = next((other for other in members if other.config), one)
    return replace(one, network=config.network) if one.role == EXTERNAL else one


def _closed(one: Member) -> Member:
    """A cluster without the gateways that are about to go."""
    going = {(row["namespace"], row["name"]) for row in one.closing}
    stay = [row for row in one.clusters.get("gateways") or () if (row["namespace"], row["name"]) not in going]
    return replace(one, found={**one.found, "clusters": {**one.clusters, "gateways": stay}}) if going else one


def _topology(members: Sequence[Member]) -> str:
    count, networks = len(control_planes(members)), {one.network for one in members}
    if len(members) == 1:
        return "one cluster"
    word = "external control plane" if _externals(members) else "primary"
    shape = "multi-primary" if count == len(members) else f"{count} {word}, {len(members) - count} remote"
    return f"{shape}, {'one network' if len(networks) == 1 else f'{len(networks)} networks'}"


def _identity(one: Member) -> dict[str, str]:
    """Who a cluster is, and by which root its proxies are known; empty where that is not known yet."""
    roots: Sequence[dict[str, str]] = one.trust.get("roots") or ()
    root = next((root for root in roots if root["fingerprint"] == one.trust["anchor"]), {})
    return {
        "host": one.host,
        "cluster": one.cluster_name,
        "mesh_id": one.mesh_id,
        "network": one.network,
        "role": one.role,
        "trust_domain": one.trust_domain,
        "root": short(root["fingerprint"]) if root else "",
        "root_ends": str(root.get("ends", "")),
        "signer_ends": str(mapping(one.trust.get("signer")).get("ends", "")),
    }


def _pair(reader: Member, other: Member, serving: Member | None = None, now: Member | None = None) -> dict[str, Any]:
    secret = reader.secret_for(other)
    return {
        "reader": reader.host,
        "primary": reader.cluster_name,
        "host": other.host,
        "cluster": other.cluster_name,
        "serves": serving is reader,
        "serves_now": now is reader,
        "config": reader.role == EXTERNAL and other.config,
        "state": "unseen" if hides_whom_it_reads(reader) else "present" if secret else "missing",
        "moves": bool(secret and _server_of(other) and secret["server"] != _server_of(other)),
        "token_ends": str(secret["token_ends"]) if secret else "",
    }


def _server_of(one: Member) -> str:
    """Where others reach its API server: as the inventory says, or else where this run does."""
    return one.server or str(one.clusters.get("server") or "")


def _ending(members: Sequence[Member], groups: Sequence[Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Secrets by which a cluster is still read and shall not be: groups are narrower now, or its reader is remote."""
    wanted = {(reader.host, other.cluster_name) for reader, other in reading(members, groups)}
    others = {one.cluster_name: one for one in members}
    for reader in members:
        for row in (row for row in reader.secrets if row["cluster"] in others):
            other = others[row["cluster"]]
            if other.cluster_name != reader.cluster_name and (reader.host, other.cluster_name) not in wanted:
                pair = _pair(reader, other)
                config = row["name"] == CONFIG_SECRET
                yield {**pair, "config": config, "state": "ending", "secret": row["name"], "ours": row["ours"]}


def _refusals(members: Sequence[Member], cut_off: Sequence[Member]) -> Iterator[str]:
    for one in members:
        if why := modes.forbidden(modes.JOIN, one.mode):
            yield f"{one.host} has mesh_mode '{one.mode}', and {why}: leave it out of this run, or correct mesh_mode"
    if not control_planes(members):
        yield _without_control_plane(members, control_planes(cut_off))
    yield from twice(members, "cluster_name", "the cluster name {value}: set mesh_cluster_name")
    yield from twice(members, "uid", "one cluster (its kube-system has the uid {value}): check the connections")
    yield from twice(members, "server", "one address for their API servers ({value}): correct mesh_clusters_server")
    for name, word in _SHARED:
        yield from differing(members, name, word)
    for one in members:
        yield from unfit_names(one)
        yield from in_another_part(one)
        yield from in_another_namespace(one)


def unfit_names(one: Member) -> Iterator[str]:
    """Names of which Istio cannot make labels, as its variables call them."""
    for variable, name in (("mesh_name", one.mesh_id), ("mesh_network", one.network)):
        if is_unfit(name):
            yield f"{one.host} has {variable} '{name}', and Istio makes a label of it ({LABEL}): correct {variable}"
    if is_unfit(one.cluster_name):
        yield (
            f"{one.host} has the cluster name '{one.cluster_name}', and Istio makes a label of it ({LABEL}): set "
            "mesh_cluster_name"
        )


def _misnamed(members: Sequence[Member], groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """Names that are labels, and that a cluster which is read, or reads others, cannot have all the same."""
    pairs = list(reading(members, groups))
    readers, others = {reader.host for reader, _other in pairs}, {other.host for _reader, other in pairs}
    for one in (one for one in members if one.host in readers | others and not is_unfit(one.cluster_name)):
        if why := misnamed(one.cluster_name, is_read=one.host in others):
            yield (
                f"{one.host} has the cluster name '{one.cluster_name}', which cannot be the name of a cluster that "
                f"others read, or that reads others: {why}: set mesh_cluster_name"
            )


def _read_by_others(members: Sequence[Member], groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """Secrets beside which, or over which, none of ours can be written: istiod takes one for each cluster."""
    for reader, other in reading(members, groups):
        for row in (row for row in reader.secrets if row["cluster"] == other.cluster_name):
            is_ours = row["ours"] and row["name"] == name_of(other.cluster_name)
            if not is_ours and row["name"] != CONFIG_SECRET:
                yield (
                    f"{reader.host} reads {other.host} already by the Secret {row['namespace']}/{row['name']}, which "
                    "is not made by its registration here, and istiod takes one for each cluster: delete that "
                    "Secret, or let its owner do so"
                )


def _not_hosted(members: Sequence[Member]) -> Iterator[str]:
    """What the charts of such a cluster could not be told."""
    for one in members:
        if one.role != PRIMARY and one.mode == modes.DEDICATED:
            yield (
                f"{one.host} has the mesh_cluster_role {one.role}, and mesh_mode '{one.mode}': in a mesh of which a "
                f"control plane serves other clusters, mesh_mode is {modes.HOSTED} for the whole group"
            )


def _without_control_plane(members: Sequence[Member], elsewhere: Sequence[Member]) -> str:
    if not elsewhere:
        return "no cluster of the mesh is a primary, so no control plane would serve it: set mesh_cluster_role"
    return (
        f"{named(members)} would be served by {' or '.join(one.host for one in elsewhere)}, and no control plane is in "
        "this run (--limit): run it for both"
    )


def _misplaced(members: Sequence[Member], cut_off: Sequence[Member]) -> Iterator[str]:
    """Configuration in two clusters, in none, or where nobody would read it."""
    external, configs = _externals(members), [one for one in members if one.config]
    if len(configs) > 1:
        yield f"{named(configs)} are both to have the configuration of the mesh: keep one mesh_cluster_config"
    for one in configs:
        if one.role != REMOTE or not external:
            yield (
                f"{one.host} has mesh_cluster_config, which is for a remote cluster of an external control plane: take "
                "it away, or correct mesh_cluster_role of the group"
            )
    elsewhere = [one for one in cut_off if one.config]
    if external and not configs and elsewhere:
        yield (
            f"{named(elsewhere)} has the configuration of the external control plane of {external[0].host}, and is not "
            "in this run (--limit): run it for both"
        )
    elif external and not configs:
        yield (
            f"the control plane of {external[0].host} is external, and no cluster has its configuration: set "
            "mesh_cluster_config: true for one of the remote clusters"
        )


def _beside_external(members: Sequence[Member]) -> Iterator[str]:
    """What cannot be in one mesh with an external control plane."""
    external = next(iter(_externals(members)), None)
    if external is None:
        return
    if len(control_planes(members)) > 1:
        yield f"{named(control_planes(members))} have control planes, and beside an external one there is no other"
    for one in members:
        if one.namespace != external.namespace:
            yield (
                f"{external.host} has its control plane in the namespace {external.namespace}, and {one.host} has "
                f"mesh_root_namespace {one.namespace}: they have to be the same, as the certificate names it"
            )


def twice(members: Sequence[Member], name: str, what: str) -> Iterator[str]:
    """Hosts that have the same, where each has to have its own."""
    hosts: dict[str, list[str]] = {}
    for one in members:
        hosts.setdefault(getattr(one, name), []).append(one.host)
    for value, several in hosts.items():
        if value and len(several) > 1:
            yield f"{' and '.join(several)} have {what.format(value=value)}"


def differing(members: Sequence[Member], name: str, word: str) -> Iterator[str]:
    """Hosts that have something else than the first one, where all have to have the same."""
    first = members[0] if members else None
    for one in members[1:]:
        ours, theirs = getattr(first, name), getattr(one, name)
        if first and ours != theirs:
            yield f"{first.host} has the {word} '{ours}' and {one.host} '{theirs}': they have to be the same"
