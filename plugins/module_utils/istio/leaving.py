# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters that leave a mesh: what stands in the way, who forgets whom, and what nobody needs any more then.

Like the plan of a mesh it asks nobody, and is computed once for all clusters before the first of them is written. What
the prechecks of `leave` have found in each cluster comes with what only all clusters together show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..kube.text import did_you_mean
from .facts import NETWORK_LABEL, ROOT_NAMESPACE
from .leaving_doors import doors_going, doors_unknown
from .mesh_member import REMOTE, Member, as_served, configured, control_planes, inside, serving_of
from .mesh_plan import differing, mesh_plan, twice, unfit_names
from .mesh_unseen import unread
from .networks import EXTERNAL, doors_of, sees
from .prechecks import PRECHECKS
from .reader import Reader
from .remote_secret import name_of

# What only all clusters together show, in a sentence.
_SENTENCES: Mapping[str, str] = {
    "not_in_mesh": "no cluster of the mesh has this name",
    "unknown_check": "mesh_clusters_ignore_checks names what is no check",
    "cluster_unseen": "a cluster could not be seen, so nothing is known of what is in it",
    "not_one_mesh": "others would be forgotten: run it for one mesh alone (mesh_hosts), each cluster of it once",
    "unfit_name": "Istio cannot make labels of its names, and its control plane could not be told that somebody left",
    "has_control_plane": "the inventory says that it is a remote cluster, and it runs a control plane of its own",
    "foreign_secret": "somebody else has made a Secret by which a cluster would still be read: delete it",
    "not_in_run": "it reads clusters that are not in this run, and they may read who leaves: run it for all",
    "carries_mesh": "there is no mesh without it: let the others leave, and uninstall the control plane",
    "serves_others": "clusters that stay are served by its control plane",
    "unknown_door": "an east-west gateway is not in its inventory, and may be that of another mesh in the same cluster",
    "last_door": "it has the only gateway by which Pods of a cluster that stays are reached from other networks",
}
_IGNORABLE = ("serves_others", "last_door", "not_in_run", "unknown_door")
_GONE = "mesh_clusters_unreachable: true"


@dataclass(frozen=True)
class Leaving:
    """Clusters of a mesh, of which those with the names `hosts` leave it.

    `unreachable` allows that of a cluster which cannot be seen. `prechecks` are what the module precheck has found in
    those that leave, by host.
    """

    members: Sequence[Member]
    hosts: Sequence[str]
    groups: Sequence[Sequence[str]] = ()
    prechecks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ignored: Collection[str] = ()
    unreachable: bool = False

    @cached_property
    def stay(self) -> list[Member]:
        return [one for one in self.members if one.host not in self.hosts]

    @cached_property
    def leave(self) -> list[Member]:
        """Those that leave, with those that the inventory has forgotten and others still read."""
        return [*(one for one in self.members if one.host in self.hosts), *self.forgotten]

    @property
    def everybody(self) -> list[Member]:
        return [*self.stay, *self.leave]

    @cached_property
    def forgotten(self) -> list[Member]:
        """Those that the inventory has no more, and others still read: of what kind they were nobody knows."""
        known = {one.host for one in self.members}
        unknown = [name for name in self.hosts if name not in known]
        if not unknown or not self.unreachable:
            return []
        read = {row["cluster"] for row in mesh_plan(self.members, self.groups)["left_over"]}
        place = self.members[0].namespace if self.members else ROOT_NAMESPACE
        why = "it is not in the inventory"
        return [Member(name, name, namespace=place, failure=why) for name in unknown if name in read]

    @cached_property
    def gone(self) -> frozenset[str]:
        """Hosts that are taken out without having been asked."""
        return frozenset(one.host for one in self.leave if self.unreachable and one.failure)

    def after(self, one: Member) -> list[Member]:
        """The mesh that a cluster is in afterwards: who leaves is alone."""
        return self.stay if one.host not in self.hosts else [one]


def mesh_leaving(leaving: Leaving) -> dict[str, Any]:
    """All that a playbook has to know: what is refused, and what is done where."""
    leaving = replace(leaving, members=as_served(leaving.members))
    blockers = [*_refusals(leaving), *_found(leaving, "blockers")]
    lenient = [row for row in blockers if row["override"] and row["code"] in leaving.ignored]
    asked = [one for one in leaving.everybody if one.host not in leaving.gone]
    remotes = [one for one in leaving.leave if one in asked and one.role == REMOTE]
    return {
        "leave": [one.host for one in leaving.leave],
        "stay": [one.host for one in leaving.stay],
        "gone": sorted(leaving.gone),
        "remotes": [one.host for one in remotes],
        "doors": {one.host: doors_going(one) for one in remotes},
        "blockers": [row for row in blockers if row not in lenient],
        "warnings": [*lenient, *_found(leaving, "warnings")],
        "ignored": [code for code in leaving.ignored if code in PRECHECKS],
        "pairs": list(_pairs(leaving)),
        "after": {one.host: [other.host for other in leaving.after(one)] for one in asked},
        "closed": {one.host: _closed(leaving, one) for one in configured(asked)},
        "unserved": {one.host: _unserved(leaving, one) for one in configured(asked)},
        "left": {one.host: _left(leaving, one) for one in leaving.leave if one.host in leaving.gone},
    }


def _finding(code: str, host: str, *objects: str, override: str = "") -> dict[str, Any]:
    """In the form of the prechecks."""
    ignore = f"mesh_clusters_ignore_checks: [{code}]" if code in _IGNORABLE else override
    told = {"code": code, "reason": _SENTENCES[code], "count": len(objects), "objects": list(objects)}
    return _told(host, {**told, "override": ignore})


def _told(host: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """With the whole of it in words."""
    more = row["count"] - len(row["objects"])
    where, names = f"{host}: " if host else "", [*row["objects"], *([f"and {more} more"] if more else [])]
    way_out = f" (if it is meant so: {row['override']})" if row["override"] else ""
    text = f"{where}{row['reason']} [{row['code']}, {row['count']}]: {'; '.join(names)}{way_out}"
    return {"host": host, **row, "text": text}


def _found(leaving: Leaving, level: str) -> Iterator[dict[str, Any]]:
    """What the prechecks say, overridden by the option of the role."""
    for host, told in leaving.prechecks.items():
        for row in told.get(level) or ():
            override = (
                f"mesh_clusters_ignore_checks: [{row['code']}]" if level == "blockers" and row["override"] else ""
            )
            yield _told(host, {**row, "override": override})


def _refusals(leaving: Leaving) -> Iterator[dict[str, Any]]:
    codes = [*_IGNORABLE, *PRECHECKS]
    for code in (code for code in leaving.ignored if code not in codes):
        yield _finding("unknown_check", "", f"'{code}'{did_you_mean(code, codes)}")
    hosts, forgotten = [one.host for one in leaving.members], {one.host for one in leaving.leave}
    for name in leaving.hosts:
        if name not in forgotten:
            yield _finding("not_in_mesh", name, f"'{name}'{did_you_mean(name, hosts)}")
    if told := [*_not_one_mesh(leaving.members)]:
        yield _finding("not_one_mesh", "", *told)
    yield from _unseen(leaving)
    for one in leaving.stay:
        if names := [*unfit_names(one)]:
            yield _finding("unfit_name", one.host, *names)
    for one in (one for one in leaving.leave if one.role == REMOTE):
        yield from _remote(one)
    yield from _outside(leaving)
    yield from _foreign(leaving)
    yield from _carrying(leaving)
    yield from _serving(leaving)
    yield from _last_doors(leaving)


def _not_one_mesh(members: Sequence[Member]) -> Iterator[str]:
    """Who forgets whom goes by the names of clusters."""
    yield from twice(members, "cluster_name", "the cluster name {value}")
    yield from twice(members, "uid", "one cluster (its kube-system has the uid {value}): check the connections")
    yield from differing(members, "mesh_id", "mesh_name")
    yield from differing(members, "seen_together", "mesh_clusters_groups")


def _remote(one: Member) -> Iterator[dict[str, Any]]:
    """What would be met when the rest of a remote cluster goes."""
    planes = [row["name"] for row in one.found.get("control_planes") or () if row["namespace"] == one.namespace]
    if planes:
        yield _finding("has_control_plane", one.host, *planes)
    doors = [f"Deployment {door['namespace']}/{door['name']}" for door in doors_unknown(one)]
    if doors:
        yield _finding("unknown_door", one.host, *doors)


def _unseen(leaving: Leaving) -> Iterator[dict[str, Any]]:
    for one in leaving.stay:
        if one.failure:
            yield _finding("cluster_unseen", one.host, one.failure)
    for one in leaving.leave:
        failure = one.failure or str(leaving.prechecks.get(one.host, {}).get("failure") or "")
        if failure and one.host not in leaving.gone:
            yield _finding("cluster_unseen", one.host, failure, override=_GONE if one.failure else "")
    for one in leaving.everybody:
        if one.host not in leaving.gone:
            yield from (_finding("cluster_unseen", one.host, line) for line in unread(one))


def _outside(leaving: Leaving) -> Iterator[dict[str, Any]]:
    """Registries tell of clusters that the run does not know: it may be cut short, for example by --limit."""
    known = {*leaving.hosts, *(one.cluster_name for one in leaving.everybody)}
    for reader in control_planes(leaving.members):
        rows = [row for row in reader.secrets if row["ours"] and row["cluster"] not in known]
        if rows:
            yield _finding("not_in_run", reader.host, *(f"{row['cluster']} (Secret {row['name']})" for row in rows))


def _foreign(leaving: Leaving) -> Iterator[dict[str, Any]]:
    """Secrets that are not ours to delete."""
    names = [{one.cluster_name for one in members} for members in (leaving.leave, leaving.everybody)]
    for reader in control_planes(leaving.everybody):
        ending = names[0] if reader in leaving.stay else names[1]
        rows = [row for row in reader.secrets if row["cluster"] in ending and not row["ours"]]
        if rows:
            told = (f"Secret {row['namespace']}/{row['name']} (cluster {row['cluster']})" for row in rows)
            yield _finding("foreign_secret", reader.host, *told)


def _carrying(leaving: Leaving) -> Iterator[dict[str, Any]]:
    """An external control plane lives by the configuration that it has in one of the clusters, and they live by it."""
    for one in leaving.leave:
        if one.role == EXTERNAL:
            yield _finding("carries_mesh", one.host, "its control plane is external, and serves the others from there")
        elif one.config:
            yield _finding("carries_mesh", one.host, "it has the configuration of the mesh (mesh_cluster_config)")


def _serving(leaving: Leaving) -> Iterator[dict[str, Any]]:
    """Remote clusters leave before their primary, or together with it."""
    for one in inside(control_planes(leaving.leave)):
        served = [other.host for other in leaving.stay if serving_of(leaving.members, other) is one]
        if served:
            yield _finding("serves_others", one.host, *served)


def _last_doors(leaving: Leaving) -> Iterator[dict[str, Any]]:
    before = {door.network: door for door in doors_of(inside(leaving.members))}
    doors = doors_of(inside(leaving.stay))
    for door in doors:
        is_needed = any(sees(door.network, one.network, leaving.groups) for one in doors if one is not door)
        if is_needed and before[door.network].opens and not door.opens:
            lost, *_others = (one.host for one in leaving.leave if one.network == door.network)
            yield _finding("last_door", lost, *(f"{host} (network {door.network})" for host in door.hosts))


def _pairs(leaving: Leaving) -> Iterator[dict[str, Any]]:
    """Row and column: who reads whom of those that leave, and on which host that ends."""
    staying = {one.host for one in leaving.stay}
    for reader in control_planes(leaving.everybody):
        for other in inside(leaving.everybody):
            ends = not {reader.host, other.host} <= staying
            gone = reader.host in leaving.gone, other.host in leaving.gone
            if reader.host != other.host and ends and gone != (True, True):
                yield {
                    "on": other.host if gone[0] else reader.host,
                    "host": other.host,
                    "primary": reader.cluster_name,
                    "cluster": other.cluster_name,
                    "namespace": reader.namespace,
                    "remote_namespace": other.namespace,
                    "primary_unreachable": gone[0],
                    "unreachable": gone[1],
                }


def _closed(leaving: Leaving, one: Member) -> list[str]:
    """East-west gateways that lead nowhere any more, of all that services were exposed by on this cluster.

    One that the inventory has forgotten may have been in a network of its own.
    """
    needed = _opened(leaving.after(one))
    return [name for name in _opened([*leaving.members, *leaving.forgotten]) if name not in needed]


def _opened(members: Sequence[Member]) -> list[str]:
    doors = doors_of(inside(members))
    return list(dict.fromkeys(name for door in doors for name in door.gateways)) if len(doors) > 1 else []


def _unserved(leaving: Leaving, one: Member) -> list[str]:
    """East-west gateways by which its control plane was reached from remote clusters, where none is left.

    One that the inventory has forgotten may have been such a cluster.
    """

    def serves(members: Sequence[Member]) -> bool:
        return any(serving_of(leaving.members, other) is one for other in members)

    has_served = serves(leaving.members) or leaving.forgotten
    if not has_served or serves(leaving.after(one)):
        return []
    return [name for door in doors_of(leaving.members) if door.network == one.network for name in door.gateways]


def _left(leaving: Leaving, one: Member) -> list[str]:
    """What there may still be in a cluster that was not asked."""
    readers = [
        Reader(other.cluster_name, one.namespace).account for other in control_planes(leaving.stay) if other != one
    ]
    accounts = [f"the ServiceAccount {name}, with its rights, its Secrets and its token" for name in readers]
    if one in leaving.forgotten:
        return [
            *accounts,
            *(f"where it has a control plane of its own, {what}" for what in _left_of_primary(leaving)),
            *(f"where one elsewhere serves it, {what}" for what in _left_of_remote(leaving, one)),
        ]
    return [*accounts, *(_left_of_remote(leaving, one) if one.role == REMOTE else _left_of_primary(leaving))]


def _left_of_primary(leaving: Leaving) -> list[str]:
    known = ", ".join(name_of(other.cluster_name) for other in leaving.stay)
    return [f"Secrets ({known}) with tokens that are refused from now on"]


def _left_of_remote(leaving: Leaving, one: Member) -> list[str]:
    elsewhere = serving_of(leaving.members, one)
    whose = elsewhere.cluster_name if elsewhere else "another cluster"
    return [
        f"webhooks, Service, configuration and rights in {one.namespace} that lead to the control plane of {whose}",
        f"the label {NETWORK_LABEL} of its namespace {one.namespace}",
        "Pods with a proxy, and gateways",
    ]
