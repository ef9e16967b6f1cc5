# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""At which hop a request to another cluster has failed, from what the asking side can see of it.

Envoy does not tell why a connection failed (it did so once). So the way is felt out: whether something answers at an
address is asked by a connection of its own, and what became of TLS stands in the statistics of the proxy.
Source of the words: Envoy's /clusters and /stats; Go's net package, for what `pilot-agent wait` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .probe_objects import ANSWER_PORT, SERVICE_PORT

# outbound|80||mesh-probe-west.istio-system.svc.cluster.local::203.0.113.7:15443::rq_total::3
_STATISTIC = re.compile(r"^outbound\|(\d+)\|\|([^.|]+)\.([^.|]+)\.[^:|]*::(\S+?):(\d+)::(\w+)::(\S+)$", re.MULTILINE)
_STATUS = re.compile(r"unsuccessful status code (\d+): (.*?)(?:\s\d{4}-\d\d-\d\dT|$)", re.DOTALL)
_TLS = re.compile(r"ssl\.(fail_\w+|connection_error): [1-9]")
_UNREACHED = ("dial tcp", "deadline exceeded", "client.timeout")
_KNOCKED = re.compile(r'Last error: (?:Get "[^"]*": )?([^\n]*?)(?:\s\d{4}-\d\d-\d\dT|$)', re.MULTILINE)

REGISTRY, ADDRESS, TRUST, GATEWAY, POD, POLICY = "registry", "address", "trust", "gateway", "pod", "policy"


@dataclass(frozen=True)
class Endpoint:
    """Where the asking proxy sends what is for the other cluster, and how many requests got on the way so far."""

    address: str
    port: int
    requests: int = 0

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True)
class Way:
    """From one cluster to another, as the proxy of the first one has it.

    `knocks` are what became of a plain connection to each endpoint, `statistics` those of its TLS.
    """

    asker: str
    asked: str
    network: str
    same_network: bool
    endpoints: Sequence[Endpoint] = ()
    knocks: Mapping[str, str] = field(default_factory=dict)
    statistics: str = ""

    @property
    def unreached(self) -> dict[str, str]:
        """Endpoints that nothing answers at, and why."""
        said = {place: knocked(text) for place, text in self.knocks.items()}
        return {place: text for place, text in said.items() if any(word in text.lower() for word in _UNREACHED)}

    @property
    def own_address(self) -> str:
        """A Pod's own address, if the proxy sends to one."""
        return next((str(one) for one in self.endpoints if one.port == ANSWER_PORT), "")


@dataclass(frozen=True)
class Hop:
    """Where a request has failed, why, and what to do next."""

    name: str
    reason: str
    hint: str


def endpoints_of(printed: str, service: str, namespace: str) -> list[Endpoint]:
    """The endpoints of a probe's Service among what Envoy prints of its clusters."""
    counted: dict[tuple[str, int], dict[str, str]] = {}
    for port, name, place, address, to, what, value in _STATISTIC.findall(printed):
        if (int(port), name, place) == (SERVICE_PORT, service, namespace):
            counted.setdefault((address, int(to)), {})[what] = value
    return [Endpoint(*place, int(values.get("rq_total") or 0)) for place, values in sorted(counted.items())]


def hop_of(way: Way, said: str) -> Hop:
    """The hop at which a request has failed; `said` is what the asking side was answered."""
    found = _STATUS.search(said)
    status, words = (int(found[1]), found[2]) if found else (0, said)
    answer = " ".join(f"{status or ''} {words}".split())[:300]
    name, why, hint = next(_judged(way, status), _at_pod(way))
    # Without an endpoint whoever answers is somebody else, in this cluster or outside of the mesh.
    return Hop(name, f"{why} ({answer})" if answer and way.endpoints else why, hint)


def knocked(text: str) -> str:
    """What an address that was knocked at has answered, without the words around it."""
    found = _KNOCKED.search(text)
    return found[1] if found else ""


def _judged(way: Way, status: int) -> Iterator[tuple[str, str, str]]:
    """What it may be, in the order of the way."""
    if not way.endpoints:
        yield _unknown(way)
    if way.own_address and not way.same_network:
        yield _without_gateway(way)
    if status == 403:
        yield _forbidden(way)
    if way.unreached:
        yield _unreached(way)
    if failed := _TLS.search(way.statistics):
        yield _distrusted(way, failed[1])
    if not way.same_network and not any(one.requests for one in way.endpoints):
        yield _closed(way)


def _named(way: Way) -> str:
    return ", ".join(map(str, way.endpoints))


def _unknown(way: Way) -> tuple[str, str, str]:
    return (
        REGISTRY,
        f"the control plane of {way.asker} knows no endpoint of {way.asked}",
        f"Look whether it reads {way.asked} ('istioctl remote-clusters' in {way.asker}); register.yml lets it",
    )


def _without_gateway(way: Way) -> tuple[str, str, str]:
    return (
        ADDRESS,
        f"{way.asker} sends it to {way.own_address}, a Pod's own address in another network, because it knows no "
        f"gateway of the network '{way.network}'",
        "See that an east-west gateway of that network has an address (plan.yml tells), or give "
        "mesh_clusters_gateway_addresses",
    )


def _distrusted(way: Way, failed: str) -> tuple[str, str, str]:
    return (
        TRUST,
        f"what answers {way.asker} at {_named(way)} has no certificate that it accepts, or does not speak mTLS "
        f"({failed})",
        "Compare their roots and trust domains (plan.yml tells); a proxy takes up another root when it is restarted",
    )


def _forbidden(way: Way) -> tuple[str, str, str]:
    return (
        POLICY,
        f"the way to {way.asked} is open, and an AuthorizationPolicy there refuses the request",
        "Allow requests to the probe, or name a 'namespace' in which they are allowed",
    )


def _unreached(way: Way) -> tuple[str, str, str]:
    said = ", ".join(f"{place} ({why})" for place, why in way.unreached.items())
    if way.same_network:
        return (
            ADDRESS,
            f"nothing answers {way.asker} at the Pod of {way.asked}, {said}",
            "Clusters of one network reach each other's Pods directly: see that there is a route, or give each a "
            "mesh_network of its own",
        )
    return (
        ADDRESS,
        f"nothing answers {way.asker} at the gateway of the network '{way.network}' of {way.asked}, {said}",
        "See that the Pods of the gateway run and a Gateway tells them what to take (cross-network-eastwest), that its "
        f"load balancer leads to them, and that firewalls let {way.asker} pass",
    )


def _closed(way: Way) -> tuple[str, str, str]:
    return (
        GATEWAY,
        f"the gateway of the network '{way.network}' ({_named(way)}) takes the connection of {way.asker} and closes "
        "it: it does not know the service",
        f"See that {way.asked} exposes it (the Gateway cross-network-eastwest, mesh_clusters_exposed_hosts), and that "
        "this address belongs to a gateway of its network",
    )


def _at_pod(way: Way) -> tuple[str, str, str]:
    return (
        POD,
        f"{_named(way)} is reached, and the probe of {way.asked} does not answer as it has to",
        f"Look at its Pod in {way.asked} and at the log of its proxy",
    )
