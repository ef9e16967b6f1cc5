# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The networks of a mesh: which of them see each other, and by which door each is entered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Protocol
from urllib.parse import urlsplit

from ..kube.client import Object
from ..kube.errors import Failure
from ..kube.text import did_you_mean

# The role of a cluster that runs a control plane for the others and is in no network of the mesh.
EXTERNAL = "external"
# Where an east-west gateway takes what other networks send; a label of its Service may say another port.
CROSS_NETWORK_PORT = 15443


class InvalidAddress(Failure):
    """What the inventory gives for the address of a network is none."""

    code = "invalid_address"


class InNetwork(Protocol):
    """A cluster, as far as its network goes."""

    @property
    def host(self) -> str:
        """Its name in the inventory."""

    @property
    def network(self) -> str:
        """The network of its Pods."""

    @property
    def gateways(self) -> Collection[str]:
        """Names of its east-west gateways in the inventory."""

    @property
    def addresses(self) -> Sequence[Mapping[str, Any]]:
        """Where its network is entered, as the inventory says."""

    @property
    def clusters(self) -> Mapping[str, Any]:
        """What it says of itself."""


@dataclass(frozen=True)
class Door:
    """How the Pods of a network are reached from others: gateways of the inventory, and addresses that lead there."""

    network: str
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    addresses: tuple[str, ...]
    by_nodes: bool

    @property
    def opens(self) -> bool:
        """Whether there is a way in, or will be one."""
        return bool(self.gateways or self.is_open)

    @property
    def is_open(self) -> bool:
        return bool(self.addresses or self.by_nodes)

    def told(self) -> dict[str, Any]:
        """For a result."""
        told = {"network": self.network, "hosts": list(self.hosts), "gateways": list(self.gateways)}
        return {**told, "addresses": list(self.addresses), "open": self.is_open}


def doors_of(members: Sequence[InNetwork]) -> list[Door]:
    """One for each network. Raises InvalidAddress."""
    return [_door(network, [one for one in members if one.network == network]) for network in _networks(members)]


def _networks(members: Iterable[InNetwork]) -> list[str]:
    return list(dict.fromkeys(one.network for one in members))


def _door(network: str, members: Sequence[InNetwork]) -> Door:
    found = [row for one in members for row in one.clusters.get("gateways") or () if row["network"] == network]
    given = [f"{address}:{port}" for one in members for address, port in _given(one.host, one.addresses)]
    told = [f"{address}:{row['port']}" for row in found for address in row["addresses"]]
    return Door(
        network,
        tuple(one.host for one in members),
        tuple(dict.fromkeys([*(name for one in members for name in one.gateways), *(row["name"] for row in found)])),
        tuple(dict.fromkeys([*given, *told])),
        any(row["by_nodes"] for row in found),
    )


def _given(host: str, rows: Iterable[Any]) -> Iterator[tuple[str, int]]:
    """Addresses and ports of the inventory. Raises InvalidAddress."""
    for row in rows:
        given = row if isinstance(row, Mapping) else {}
        port = str(given.get("port") or CROSS_NETWORK_PORT)
        if not given.get("address") or not port.isdigit():
            wrong = f"'{port}' is no port" if given.get("address") else "it has no 'address'"
            raise InvalidAddress(
                f"An entry of mesh_clusters_gateway_addresses of {host} leads nowhere",
                subject=host,
                reason=f"{wrong}: {row}",
                hint=f"Write each as {{address: 203.0.113.7, port: 443}}; without a port it is {CROSS_NETWORK_PORT}",
            )
        yield str(given["address"]), int(port)


def is_loopback(server: str) -> bool:
    """Whether an address leads to whoever asks, and to nobody else."""
    host = urlsplit(server).hostname or ""
    try:
        return ip_address(host).is_loopback or ip_address(host).is_unspecified
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def addresses_of(service: Object | None) -> list[str]:
    """Where a Service is reached from outside, as far as the cluster knows."""
    if service is None:
        return []
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    told = [str(entry.get("ip") or entry.get("hostname")) for entry in ingress]
    return [*told, *(service["spec"].get("externalIPs") or [])]


def sees(one: str, other: str, groups: Sequence[Sequence[str]]) -> bool:
    """Whether Pods of two networks know each other: all do, or those of one group."""
    return not groups or one == other or any({one, other} <= {*group} for group in groups)


def unknown_networks(networks: Sequence[str], groups: Sequence[Sequence[object]]) -> Iterator[str]:
    """Names in groups that are none of these networks."""
    for name in dict.fromkeys(name for group in groups for name in group):
        if not isinstance(name, str):
            yield f"mesh_clusters_groups names the network {name}, which is no text to YAML: put it in quotes"
        elif name not in networks:
            near = did_you_mean(name, networks)
            yield f"mesh_clusters_groups names the network '{name}'{near}, in which no cluster is"


def overlapping(ours: Iterable[str], theirs: Iterable[str]) -> str:
    """The first addresses that are in both; empty for none."""
    others = [ip_network(text) for text in theirs]
    both = (text for text in ours for other in others if _overlap(text, other))
    return next(both, "")


def _overlap(text: str, other: Any) -> bool:
    one = ip_network(text)
    return one.version == other.version and one.overlaps(other)


def mesh_networks(hosts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Values of istiod for the networks that are entered by addresses which no Service tells; by variables of hosts.

    Raises InvalidAddress.

    Source: `meshNetworks` of MeshConfig, istio.io/docs/reference/config/istio.mesh.v1alpha1.
    """
    told: dict[str, Any] = {}
    every = [one for one in hosts if one.get("mesh_cluster_role") != EXTERNAL]
    for one in every:
        host, network = str(one.get("inventory_hostname") or ""), str(one.get("mesh_network") or "")
        for address, port in _given(host, one.get("mesh_clusters_gateway_addresses") or ()):
            of_network = told.setdefault(network, {"endpoints": _registries(every, network), "gateways": []})
            of_network["gateways"].append({"address": address, "port": port})
    for of_network in told.values():
        of_network["gateways"].sort(key=lambda row: (row["address"], row["port"]))
    return {"istiod": {"global": {"meshNetworks": told}}} if told else {}


def _registries(hosts: Iterable[Mapping[str, Any]], network: str) -> list[dict[str, str]]:
    names = (
        one.get("mesh_cluster_name", one["inventory_hostname"])
        for one in hosts
        if str(one.get("mesh_network") or "") == network
    )
    return [{"fromRegistry": name} for name in sorted(str(name or "") for name in names)]
