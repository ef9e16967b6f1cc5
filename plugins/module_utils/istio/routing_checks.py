# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of what is routed where: hosts, subsets, weights, gateways.

Sources: Istio's documentation of traffic management (one VirtualService for a
host of the sidecars, merging on gateways, lookup of DestinationRules), and the
analyzers of `istioctl analyze` whose codes stand in analyzers.py. What gateways
do with routes of TLS and TCP is in pilot/pkg/networking/core/gateway.go, which
weights are refused in pkg/config/validation (validateHTTPRouteDestinations).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from ..kube.client import Object
from ..kube.text import did_you_mean
from .kinds import DESTINATION_RULE, GATEWAY, VIRTUAL_SERVICE
from .world import Change, World, identity, labels, mapping, mappings, named, spec_of, texts

Trouble = Iterator[tuple[str, str]]

MESH = "mesh"
# The name of a Service in full, or that of a Pod of a headless one, whatever the domain of the cluster is called. A
# name of the Service in all clusters (Istio: PILOT_ENABLE_MCS_HOST) is a host of its own.
_IN_FULL = re.compile(r"(?P<short>([^.]+\.){1,2}[^.]+)\.svc(?!\.clusterset\.local$)(\..+)?")
_EVERY_SERVICE = "*.svc."
_DOMAIN = ".svc.cluster.local"
_PROTOCOLS = ("http", "tls", "tcp")
_DESTINATION_RULE = DESTINATION_RULE.resource.group_kind
_GATEWAY = GATEWAY.resource.group_kind
_VIRTUAL_SERVICE = VIRTUAL_SERVICE.resource.group_kind


def weights_zero(change: Change, _world: World) -> Trouble:
    """Several destinations of one route of which none gets anything: Istio refuses that."""
    for path, total in _weights(change.after):
        if total == 0:
            yield path, "the weights of its destinations sum to 0: give at least one of them a weight"


def weights_not_100(change: Change, _world: World) -> Trouble:
    """Weights of one route that do not sum to 100: Istio takes them, but they are no percentages."""
    for path, total in _weights(change.after):
        if total not in (0, 100):
            yield path, f"the weights sum to {total}, not to 100: each destination gets its share of {total}"


def undefined_subset(change: Change, world: World) -> Trouble:
    """A route to a subset that no DestinationRule defines."""
    for path, host, subset in _targets(change.after):
        defined = sorted(_subsets(world, host))
        if subset not in defined:
            known = f"; there are {', '.join(defined)}" if defined else ""
            meant = did_you_mean(subset, defined)
            yield path, f"no DestinationRule defines the subset '{subset}' of {host}{meant}{known}"


def removed_subset(change: Change, world: World) -> Trouble:
    """A DestinationRule that loses a subset to which a VirtualService still routes."""
    for host, subset in _defined_by(change.before):
        for user in world.index(_VIRTUAL_SERVICE, _used_subsets).get((host, subset), ()):
            if subset not in _subsets(world, host):
                yield "spec.subsets", f"{named(user)} still routes to its subset '{subset}'"


def mesh_host(change: Change, world: World) -> Trouble:
    """Two VirtualServices for one host of the sidecars: the older one wins alone."""
    for host, other in world.sharing(change, _mesh_hosts):
        if _both_seen(change.after, other):
            yield "spec.hosts", f"{named(other)} is for the host {host} of the sidecars, too: the older one wins alone"


def gateway_host(change: Change, world: World) -> Trouble:
    """Two VirtualServices that each take everything for one host on one gateway.

    Of HTTP that is who has a route without a condition. Of TLS a match is skipped that names an SNI host which an older
    one has (buildGatewayNetworkFiltersFromTLSRoutes); of TCP the oldest that is for the port has all of it
    (buildGatewayNetworkFiltersFromTCPRoutes).
    """
    for key, other in world.sharing(change, _taken_by):
        if isinstance(key, _Taken):
            yield f"spec.{key.field}", f"{named(other)} takes {key.what} on the gateway {key.gateway}, too"


def gateway_conflict(change: Change, world: World) -> Trouble:
    """Two servers for one host and port of the same gateway Pods."""
    seen = Counter(_served(change.after)) if change.after else Counter()
    for (_pods, port, _bind, host), count in seen.items():
        if count > 1:
            yield "spec.servers", f"two of its servers are for the host {host} on port {port}"
    for key, other in world.sharing(change, _served):
        _pods, port, _bind, host = key if isinstance(key, tuple) else (key,) * 4
        yield "spec.servers", f"{named(other)} serves the host {host} on port {port} of the same Pods, too"


def unknown_gateway(change: Change, world: World) -> Trouble:
    """A VirtualService for a Gateway that does not exist: it routes nothing, and nobody says so."""
    if change.after is None:
        return
    known = world.index(_GATEWAY, _names)
    for number, name in enumerate(texts(spec_of(change.after).get("gateways"))):
        if name != MESH and _gateway_name(change.after, name) not in known:
            yield f"spec.gateways[{number}]", f"there is no Gateway {_gateway_name(change.after, name)}"


def shadowed_rule(change: Change, world: World) -> Trouble:
    """Two DestinationRules of one namespace for one host: of what both say, the older one's counts."""
    for _key, other in world.sharing(change, _rule_hosts):
        both = _subset_names(change.after) & _subset_names(other)
        if both:
            yield "spec.subsets", f"{named(other)} defines {', '.join(sorted(both))} of the same host, too"
        if spec_of(change.after).get("trafficPolicy") and spec_of(other).get("trafficPolicy"):
            yield "spec.trafficPolicy", f"{named(other)} has one for the same host: only the older one counts"


def service_entry_host(change: Change, world: World) -> Trouble:
    """Two ServiceEntries of different namespaces for one host that some workloads see both."""
    for host, other in world.sharing(change, _entry_hosts):
        if change.after and identity(other)[0] != change.key.namespace and _both_seen(change.after, other):
            yield "spec.hosts", f"{named(other)} is for the host {host}, too, and some namespaces see both"


def canonical(host: str, namespace: str) -> str:
    """One spelling for the names of a service: `reviews`, `reviews.shop`, `reviews.shop.svc.cluster.local`."""
    if "." not in host and not host.startswith("*"):
        return f"{host}.{namespace}"
    in_full = _IN_FULL.fullmatch(host)
    return in_full["short"] if in_full else host


def _weights(found: Object | None) -> Iterator[tuple[str, int]]:
    """Field and sum of the weights of every route with several destinations; an only one gets everything.

    Weights that are no numbers (`"50"`, as templates give them) have no sum: the server names them.
    """
    for protocol in _PROTOCOLS:
        for number, route in enumerate(mappings(spec_of(found).get(protocol))):
            given = [target.get("weight", 0) for target in mappings(route.get("route"))]
            if len(given) > 1 and all(map(_is_number, given)):
                yield f"spec.{protocol}[{number}].route", sum(given)


def _is_number(weight: object) -> bool:
    return isinstance(weight, int) and not isinstance(weight, bool)  # to Python, True is one as well


def _targets(found: Object | None) -> Iterator[tuple[str, str, str]]:
    """Field, host and subset of every destination that names a subset, however deep (routes, mirrors)."""
    if found is not None:
        for protocol in _PROTOCOLS:
            yield from _destinations(spec_of(found).get(protocol), f"spec.{protocol}", identity(found)[0])


def _destinations(value: Any, path: str, namespace: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _destinations(item, f"{path}[{number}]", namespace)
    elif isinstance(value, Mapping):
        host, subset = value.get("host"), value.get("subset")
        if isinstance(host, str) and isinstance(subset, str) and subset:
            yield f"{path}.subset", canonical(host, namespace), subset
        for key, item in value.items():
            yield from _destinations(item, f"{path}.{key}", namespace)


def _subsets(world: World, host: str) -> set[str]:
    """The subsets of a host that any DestinationRule defines, by its name or by a wildcard."""
    rules = world.index(_DESTINATION_RULE, _exact_or_wild)
    wild = [rule for rule in rules.get("*", ()) if _covers(_rule_host(rule), host)]
    return {name for rule in [*rules.get(host, ()), *wild] for name in _subset_names(rule)}


def _exact_or_wild(rule: Object) -> list[Hashable]:
    host = _rule_host(rule)
    return ["*" if host.startswith("*") else host]


def _covers(pattern: str, host: str) -> bool:
    return pattern.startswith(_EVERY_SERVICE) or host.endswith(pattern[1:]) or f"{host}{_DOMAIN}".endswith(pattern[1:])


def _rule_host(rule: Object) -> str:
    return canonical(str(spec_of(rule).get("host")), identity(rule)[0])


def _subset_names(rule: Object | None) -> set[str]:
    return {str(subset.get("name")) for subset in mappings(spec_of(rule).get("subsets"))}


def _defined_by(rule: Object | None) -> list[tuple[str, str]]:
    return [(_rule_host(rule), name) for name in sorted(_subset_names(rule))] if rule else []


def _used_subsets(service: Object) -> list[Hashable]:
    return [(host, subset) for _path, host, subset in _targets(service)]


def _mesh_hosts(service: Object) -> list[Hashable]:
    gateways = texts(spec_of(service).get("gateways"))
    hosts = texts(spec_of(service).get("hosts")) if not gateways or MESH in gateways else []
    return [canonical(host, identity(service)[0]) for host in hosts]


class _Taken(NamedTuple):
    """What only one VirtualService can have."""

    gateway: str
    field: str
    what: str


def _taken_by(service: Object) -> list[Hashable]:
    """Gateways and hosts of which a VirtualService takes everything."""
    spec, hosts = spec_of(service), texts(spec_of(service).get("hosts"))
    everything = any(_matches_all(route.get("match")) for route in mappings(spec.get("http")))
    http = [_Taken(gateway, "hosts", f"every request for {host}") for gateway in _gateways(service) for host in hosts]
    return [*(http if everything else ()), *_taken_connections(service, "tls"), *_taken_connections(service, "tcp")]


def _taken_connections(service: Object, protocol: str) -> Iterator[_Taken]:
    """By port, as a route names it or not: a route for one port may well stand beside one for all others."""
    for route in mappings(spec_of(service).get(protocol)):
        for match in mappings(route.get("match")) or [{}]:
            port = f" on port {match['port']}" if "port" in match else ""
            for host in texts(match.get("sniHosts")) or texts(spec_of(service).get("hosts")):
                for gateway in _gateways(service, match):
                    yield _Taken(gateway, protocol, f"{protocol.upper()} connections for {host}{port}")


def _gateways(service: Object, match: Mapping[str, Any] | None = None) -> list[str]:
    """The gateways that a VirtualService is for; those of them that one of its matches names, where it names any."""
    own = [_gateway_name(service, name) for name in texts(spec_of(service).get("gateways")) if name != MESH]
    narrower = [_gateway_name(service, name) for name in texts((match or {}).get("gateways"))]
    return [name for name in own if name in narrower] if narrower else own


def _matches_all(conditions: Any) -> bool:
    everything: tuple[Mapping[str, Any], ...] = ({}, {"uri": {"prefix": "/"}})
    return not conditions or any(condition in everything for condition in mappings(conditions))


def _gateway_name(service: Object, name: str) -> str:
    return name if "/" in name else f"{identity(service)[0]}/{name}"


def _names(found: Object) -> list[Hashable]:
    return ["/".join(identity(found))]


def _served(gateway: Object) -> list[Any]:
    spec = spec_of(gateway)
    return [
        (labels(spec.get("selector")), str(mapping(server.get("port")).get("number")), str(server.get("bind")), host)
        for server in mappings(spec.get("servers"))
        for host in texts(server.get("hosts"))
    ]


def _rule_hosts(rule: Object) -> list[Hashable]:
    restricted = spec_of(rule).get("workloadSelector")
    return [] if restricted else [(identity(rule)[0], _rule_host(rule))]


def _entry_hosts(entry: Object) -> list[Hashable]:
    return list(texts(spec_of(entry).get("hosts")))


def _both_seen(one: Object | None, other: Object) -> bool:
    """Whether a namespace exists that sees both objects."""
    seen = [_seen_by(found) for found in (one, other) if found]
    limited = [namespaces for namespaces in seen if namespaces is not None]
    return bool(set.intersection(*limited)) if len(limited) == len(seen) else all(limited)


def _seen_by(found: Object) -> set[str] | None:
    """The namespaces to which an object is exported; None are all."""
    exported = texts(spec_of(found).get("exportTo"))
    if not exported or "*" in exported:
        return None
    return {identity(found)[0] if name == "." else name for name in exported if name != "~"}
