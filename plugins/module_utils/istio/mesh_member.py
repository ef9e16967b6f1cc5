# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clusters of a mesh, as the inventory has them and as they were found, and their parts in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .networks import EXTERNAL, sees
from .trust import PLUGGED_IN
from .world import mapping

PRIMARY, REMOTE = "primary", "remote"
# What a run does next with the clusters of a mesh, so that it is planned for that.
INSTALL, OPEN, JOIN, ROTATE = "install", "open", "join", "rotate"


@dataclass(frozen=True)
class Member:
    """One cluster of a mesh: as the inventory has it, and as it was found. `failure` says why nothing was found.

    `primary` is the host whose control plane shall serve a remote one, empty for whoever does, and for the first where
    nobody does. `remote` is what the inventory says of that one otherwise: the name of its cluster as `primary`, and
    where it is reached as `address`. `config` is whether a remote one has the configuration of an external one.
    `gateways` are its east-west gateways in the inventory by their names, each with the label `istio` of its Pods;
    `addresses` those that lead to its network as the inventory says, each with `address` and `port`.
    `closing` are gateways that the inventory takes away, each with `namespace` and `name`.
    `server` is where others reach its API server as the inventory says.
    `groups` are the networks that see each other, `pod_ranges` whether Pods get the addresses that Kubernetes has given
    to their nodes, so that clusters of one network cannot have the same.
    Before certificates are written, `signing` is what they will be by the root of the inventory, which may be made in
    `root_file`, and `refused` why they cannot be.
    """

    host: str
    cluster_name: str
    mesh_id: str = ""
    mode: str = "dedicated"
    network: str = ""
    role: str = PRIMARY
    primary: str = ""
    remote: Mapping[str, Any] = field(default_factory=dict)
    config: bool = False
    trust_domain: str = ""
    namespace: str = "istio-system"
    revision: str = "default"
    gateways: Mapping[str, str] = field(default_factory=dict)
    addresses: Sequence[Mapping[str, Any]] = ()
    found: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    closing: Sequence[Mapping[str, Any]] = ()
    server: str = ""
    groups: Sequence[Sequence[Any]] = ()
    pod_ranges: bool = True
    root_file: str = ""
    signing: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""

    @property
    def uid(self) -> str:
        return str(self.clusters.get("uid") or "")

    @property
    def trust(self) -> Mapping[str, Any]:
        """The certificates that it has, or will have; empty where nothing is known of them yet."""
        if self.signing:
            return {} if self.makes_root else self.signing
        trusts: Sequence[Mapping[str, Any]] = self.found.get("trust") or []
        return next((one for one in trusts if one["namespace"] == self.namespace), {})

    @property
    def has_root(self) -> bool:
        return bool(self.trust.get("source"))

    @property
    def makes_root(self) -> bool:
        """Whether the root that it will have is still to be made."""
        return bool(self.signing) and self.signing["source"] != PLUGGED_IN

    @property
    def clusters(self) -> Mapping[str, Any]:
        return mapping(self.found.get("clusters"))

    @property
    def has_door(self) -> bool:
        """Whether something leads from outside to this very cluster, or will."""
        found = any(row["network"] == self.network for row in self.clusters.get("gateways") or ())
        return bool(self.gateways or self.addresses or found)

    @property
    def seen_together(self) -> list[list[str]]:
        """Its groups, in whatever order they are written."""
        return sorted(sorted(map(str, group)) for group in self.groups)

    @property
    def secrets(self) -> Sequence[Mapping[str, Any]]:
        rows: Sequence[Mapping[str, Any]] = self.clusters.get("remote_secrets") or []
        return [row for row in rows if row["namespace"] == self.namespace]

    def secret_for(self, other: Member) -> Mapping[str, Any] | None:
        """By what it reads another cluster."""
        return next((row for row in self.secrets if row["cluster"] == other.cluster_name), None)


def members_of(rows: Iterable[Mapping[str, Any]]) -> list[Member]:
    """Clusters as a playbook has them. Raises ValueError for a row that nobody can understand."""
    known = {one.name for one in fields(Member)}
    members = []
    for number, row in enumerate(rows):
        missing, unknown = {"host", "cluster_name"} - {*row}, {*row} - known
        if missing or unknown:
            faults = [f"lacks {name}" for name in sorted(missing)] + [f"has {name}" for name in sorted(unknown)]
            there_are = ", ".join(sorted(known))
            raise ValueError(f"cluster {number} of the list {' and '.join(faults)}; a cluster has {there_are}")
        members.append(Member(**row))
    return members


def control_planes(members: Iterable[Member]) -> list[Member]:
    """Those that run one, for themselves or for others."""
    return [one for one in members if one.role != REMOTE]


def inside(members: Iterable[Member]) -> list[Member]:
    """Those in which the mesh has Pods: an external control plane is not in it."""
    return [one for one in members if one.role != EXTERNAL]


def configured(members: Iterable[Member]) -> list[Member]:
    """Those in which the mesh has its configuration."""
    return [one for one in members if one.role == PRIMARY or one.config]


def serving_of(members: Sequence[Member], remote: Member) -> Member | None:
    """Whose control plane a remote cluster shall have: that of the inventory, or the one that it has, or the first."""
    planes = control_planes(members) if remote.role == REMOTE else []
    if remote.primary:
        return next((one for one in planes if one.host == remote.primary), None)
    if name := remote.remote.get("primary"):
        return next((one for one in planes if told_name(one, members) == name), None)
    return serving_now(members, remote) if served_by(remote) else next(iter(planes), None)


def as_served(members: Sequence[Member]) -> list[Member]:
    """The same, each remote cluster with the control plane that it has, wherever the inventory would move it."""
    now = {one.host: serving_now(members, one) for one in members}
    return [replace(one, primary=there.host) if (there := now[one.host]) else one for one in members]


def served_by(remote: Member) -> list[str]:
    """The clusters whose control planes serve a remote one now; nobody in particular where all may.

    Source: the annotation topology.istio.io/controlPlaneClusters, which takes several names, and `*`.
    """
    rows = [row for row in remote.found.get("served_by") or () if row["namespace"] == remote.namespace]
    names = [name.strip() for row in rows for name in str(row["primary"] or "").split(",") if name.strip()]
    return [] if "*" in names else names


def told_name(one: Member, members: Sequence[Member]) -> str:
    """The cluster name that a control plane is told: an external one that of the cluster with its configuration."""
    config = next((other for other in members if other.config), one)
    return (config if one.role == EXTERNAL else one).cluster_name


def serving_now(members: Sequence[Member], remote: Member) -> Member | None:
    """Whose control plane a remote cluster has: by its name, or by the one that it is installed with."""
    names = {*served_by(remote)} if remote.role == REMOTE else set()
    planes = control_planes(members)
    return next((one for one in planes if names & {told_name(one, members), one.found.get("cluster_name")}), None)


def reading(members: Sequence[Member], groups: Sequence[Sequence[str]]) -> Iterator[tuple[Member, Member]]:
    """Who has to read whom: each control plane all clusters whose networks it sees."""
    for reader in control_planes(members):
        yield from ((reader, one) for one in members if one is not reader and sees(reader.network, one.network, groups))


def named(members: Iterable[Member]) -> str:
    """Hosts, for a sentence."""
    return " and ".join(one.host for one in members)
