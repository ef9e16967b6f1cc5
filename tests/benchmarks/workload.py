"""The objects that are measured: a team's traffic and security configuration, the same ones in every run.

They come in blocks of twenty, which is one team's share; a block lives in one namespace, and block 57 is the same
whether a thousand objects are asked for or ten thousand. All are valid, for the API server and for istiod: every subset
is defined in its namespace, weights sum to 100, no two gateways want the same host.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
SEED = "service_mesh.istio"
NETWORKING, SECURITY = "networking.istio.io/v1", "security.istio.io/v1"
# How long a changed route waits; no other one waits that long.
CHANGED = "17s"


@dataclass(frozen=True)
class Place:
    """Where an object stands: its name is unique, its application is that of its neighbours with the same number."""

    namespace: str
    block: int
    number: int
    dice: random.Random

    @property
    def app(self) -> str:
        return f"app-{self.block}-{self.number}"

    @property
    def host(self) -> str:
        return f"{self.app}.{self.namespace}.svc.cluster.local"

    @property
    def outside(self) -> str:
        return f"{self.app}.example.com"

    @property
    def selector(self) -> dict[str, Any]:
        return {"matchLabels": {"app": self.app}}


def virtual_service(place: Place) -> Object:
    """A header route and a split between two versions."""
    weight = place.dice.randrange(5, 96, 5)
    retries = {"attempts": place.dice.randint(1, 3), "perTryTimeout": "2s", "retryOn": "5xx,reset"}
    tested = {
        "name": "testers",
        "match": [{"headers": {"x-tester": {"exact": "yes"}}, "uri": {"prefix": f"/api/v{place.number + 1}"}}],
        "route": [_destination(place, "v2")],
        "timeout": f"{place.dice.randint(5, 15)}s",
    }
    split = {
        "name": "everybody",
        "route": [_destination(place, "v1", weight), _destination(place, "v2", 100 - weight)],
        "retries": retries,
    }
    return {"hosts": [place.host], "http": [tested, split]}


def _destination(place: Place, subset: str, weight: int | None = None) -> dict[str, Any]:
    share = {} if weight is None else {"weight": weight}
    return {"destination": {"host": place.host, "subset": subset, "port": {"number": 8080}}, **share}


def destination_rule(place: Place) -> Object:
    """Two versions, a limit on connections and on failures."""
    limits = {"tcp": {"maxConnections": place.dice.randrange(50, 500, 50)}, "http": {"http2MaxRequests": 1000}}
    return {
        "host": place.host,
        "trafficPolicy": {
            "loadBalancer": {"simple": place.dice.choice(["LEAST_REQUEST", "ROUND_ROBIN", "RANDOM"])},
            "connectionPool": limits,
            "outlierDetection": {"consecutive5xxErrors": 5, "interval": "10s", "baseEjectionTime": "30s"},
        },
        "subsets": [{"name": version, "labels": {"version": version}} for version in ("v1", "v2")],
    }


def service_entry(place: Place) -> Object:
    """Something outside the mesh."""
    ports = [{"number": 443, "name": "tls", "protocol": "TLS"}, {"number": 80, "name": "http", "protocol": "HTTP"}]
    known = {"location": "MESH_EXTERNAL", "resolution": "DNS", "exportTo": ["."]}
    return {"hosts": [place.outside], "ports": ports, **known}


def authorization_policy(place: Place) -> Object:
    """Who may call what."""
    caller = f"cluster.local/ns/{place.namespace}/sa/app-{place.block}-{place.dice.randrange(5)}"
    paths = [f"/api/v{version}/*" for version in range(1, place.dice.randint(2, 5))]
    rule = {"from": [{"source": {"principals": [caller]}}], "to": [{"operation": {"methods": ["GET"], "paths": paths}}]}
    return {"selector": place.selector, "action": "ALLOW" if place.number else "DENY", "rules": [rule]}


def peer_authentication(place: Place) -> Object:
    """Mutual TLS, but for the port of the probes."""
    return {"selector": place.selector, "mtls": {"mode": "STRICT"}, "portLevelMtls": {"8081": {"mode": "PERMISSIVE"}}}


def gateway(place: Place) -> Object:
    """A host of one's own at the ingress."""
    host, credential = f"shop.{place.outside}", f"{place.app}-certificate"
    tls = {"mode": "SIMPLE", "credentialName": credential}
    return {
        "selector": {"istio": "ingress"},
        "servers": [{"port": {"number": 443, "name": "https", "protocol": "HTTPS"}, "hosts": [host], "tls": tls}],
    }


def request_authentication(place: Place) -> Object:
    """Tokens of an issuer."""
    issuer = f"https://issuer.{place.outside}"
    return {"selector": place.selector, "jwtRules": [{"issuer": issuer, "jwksUri": f"{issuer}/jwks.json"}]}


def sidecar(place: Place) -> Object:
    """What an application sees of the mesh."""
    hosts = ["./*", "istio-system/*"]
    return {"workloadSelector": {"labels": {"app": place.app}}, "egress": [{"hosts": hosts}]}


def workload_entry(place: Place) -> Object:
    """A virtual machine."""
    return {"address": f"10.{place.dice.randrange(256)}.{place.dice.randrange(256)}.7", "labels": {"app": place.app}}


def workload_group(place: Place) -> Object:
    """A pool of virtual machines."""
    template = {"ports": {"http": 8080}, "serviceAccount": "default"}
    return {"metadata": {"labels": {"app": place.app}}, "template": template}


def envoy_filter(place: Place) -> Object:
    """A header that every answer carries."""
    code = f"function envoy_on_response(handle) handle:headers():add('x-app', '{place.app}') end"
    lua = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    router = {"name": "envoy.filters.http.router"}
    filtered = {"name": "envoy.filters.network.http_connection_manager", "subFilter": router}
    patch = {
        "applyTo": "HTTP_FILTER",
        "match": {"context": "SIDECAR_INBOUND", "listener": {"filterChain": {"filter": filtered}}},
        "patch": {
            "operation": "INSERT_BEFORE",
            "value": {"name": "lua", "typed_config": {"@type": lua, "default_source_code": {"inline_string": code}}},
        },
    }
    return {"workloadSelector": {"labels": {"app": place.app}}, "configPatches": [patch]}


def telemetry(place: Place) -> Object:
    """A share of the traces."""
    return {"selector": place.selector, "tracing": [{"randomSamplingPercentage": place.dice.randint(1, 10)}]}


def proxy_config(place: Place) -> Object:
    """Threads of a sidecar."""
    return {"selector": place.selector, "concurrency": place.dice.randint(1, 4)}


def wasm_plugin(place: Place) -> Object:
    """An extension from a registry."""
    url = f"oci://registry.{place.outside}/plugin:1"
    return {
        "selector": place.selector,
        "url": url,
        "phase": "AUTHN",
        "pluginConfig": {"level": place.dice.randint(1, 9)},
    }


@dataclass(frozen=True)
class Sort:
    """A kind, where it lives in the API, and how its spec is made."""

    kind: str
    api_version: str
    plural: str
    spec: Callable[[Place], Object]


# What every block has, and how many of it.
COMMON: tuple[tuple[Sort, int], ...] = (
    (Sort("DestinationRule", NETWORKING, "destinationrules", destination_rule), 5),
    (Sort("VirtualService", NETWORKING, "virtualservices", virtual_service), 5),
    (Sort("ServiceEntry", NETWORKING, "serviceentries", service_entry), 2),
    (Sort("AuthorizationPolicy", SECURITY, "authorizationpolicies", authorization_policy), 2),
    (Sort("PeerAuthentication", SECURITY, "peerauthentications", peer_authentication), 1),
    (Sort("Gateway", NETWORKING, "gateways", gateway), 1),
)
# Of these every block has four, in turn.
RARE: tuple[Sort, ...] = (
    Sort("RequestAuthentication", SECURITY, "requestauthentications", request_authentication),
    Sort("Sidecar", NETWORKING, "sidecars", sidecar),
    Sort("WorkloadEntry", NETWORKING, "workloadentries", workload_entry),
    Sort("WorkloadGroup", NETWORKING, "workloadgroups", workload_group),
    Sort("EnvoyFilter", "networking.istio.io/v1alpha3", "envoyfilters", envoy_filter),
    Sort("Telemetry", "telemetry.istio.io/v1", "telemetries", telemetry),
    Sort("ProxyConfig", "networking.istio.io/v1beta1", "proxyconfigs", proxy_config),
    Sort("WasmPlugin", "extensions.istio.io/v1alpha1", "wasmplugins", wasm_plugin),
)
RARE_IN_BLOCK = 4
BLOCK = sum(number for _, number in COMMON) + RARE_IN_BLOCK
SORTS = (*(sort for sort, _ in COMMON), *RARE)


def objects(count: int, namespaces: Sequence[str]) -> list[Object]:
    """So many objects (whole blocks), dealt to the namespaces in turn."""
    if count % BLOCK:
        raise ValueError(f"objects come in blocks of {BLOCK}, and {count} is no multiple of it")
    return [made for block in range(count // BLOCK) for made in _block(block, namespaces[block % len(namespaces)])]


def _block(block: int, namespace: str) -> Iterator[Object]:
    dice = random.Random(f"{SEED}/{block}")
    first = block * RARE_IN_BLOCK % len(RARE)
    for sort, number in [*COMMON, *((sort, 1) for sort in RARE[first : first + RARE_IN_BLOCK])]:
        for position in range(number):
            yield _object(sort, Place(namespace, block, position, dice))


def _object(sort: Sort, place: Place) -> Object:
    labels = {"app": place.app, "team": f"team-{place.block}"}
    metadata = {"name": place.app, "namespace": place.namespace, "labels": labels}
    return {"apiVersion": sort.api_version, "kind": sort.kind, "metadata": metadata, "spec": sort.spec(place)}


def changed(made: Sequence[Object], number: int) -> list[Object]:
    """The same objects, of which so many have one field changed: routes, evenly over the whole."""
    result = deepcopy(list(made))
    routes = [entry for entry in result if entry["kind"] == "VirtualService"]
    for entry in routes[:: len(routes) // number][:number]:
        entry["spec"]["http"][0]["timeout"] = CHANGED
    return result
