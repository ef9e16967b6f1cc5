# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of Istio's configuration API, as data.

First-level keys of a spec are options of a module, in snake_case and typed;
deeper values are Istio's own camelCase and are never converted. Apply ranks make
sure that no route names what does not exist yet: what is named comes first,
what cuts traffic off comes last.
Source: the CRDs of Istio 1.28 to 1.31 (`base/files/crd-all.gen.yaml`), Istio's
traffic management best practices for the order.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..kube.resources import Resource, ResourceTable

OptionType = Literal["str", "dict", "list"]


@dataclass(frozen=True)
class SpecOption:
    """A first-level key of a kind's spec."""

    field: str
    type: OptionType
    elements: Literal["str", "dict"] | None = None
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """A kind of Istio's API: its module's name, where it lives, its options, its place in the order."""

    name: str
    plural_name: str
    resource: Resource
    rank: int
    options: Mapping[str, SpecOption]


def _strings(field: str) -> SpecOption:
    return SpecOption(field, "list", "str")


def _objects(field: str) -> SpecOption:
    return SpecOption(field, "list", "dict")


def _object(field: str) -> SpecOption:
    return SpecOption(field, "dict")


def _string(field: str, *choices: str) -> SpecOption:
    return SpecOption(field, "str", choices=choices)


_NETWORKING = "networking.istio.io/v1"
_SECURITY = "security.istio.io/v1"

SERVICE_ENTRY = Kind(
    "service_entry",
    "service_entries",
    Resource(_NETWORKING, "ServiceEntry", "serviceentries"),
    10,
    {
        "hosts": _strings("hosts"),
        "addresses": _strings("addresses"),
        "ports": _objects("ports"),
        "location": _string("location", "MESH_EXTERNAL", "MESH_INTERNAL"),
        "resolution": _string("resolution", "NONE", "STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS"),
        "endpoints": _objects("endpoints"),
        "workload_selector": _object("workloadSelector"),
        "export_to": _strings("exportTo"),
        "subject_alt_names": _strings("subjectAltNames"),
    },
)
DESTINATION_RULE = Kind(
    "destination_rule",
    "destination_rules",
    Resource(_NETWORKING, "DestinationRule", "destinationrules"),
    20,
    {
        "host": _string("host"),
        "traffic_policy": _object("trafficPolicy"),
        "subsets": _objects("subsets"),
        "export_to": _strings("exportTo"),
        "workload_selector": _object("workloadSelector"),
    },
)
GATEWAY = Kind(
    "gateway",
    "gateways",
    Resource(_NETWORKING, "Gateway", "gateways"),
    30,
    {"servers": _objects("servers"), "selector": _object("selector")},
)
VIRTUAL_SERVICE = Kind(
    "virtual_service",
    "virtual_services",
    Resource(_NETWORKING, "VirtualService", "virtualservices"),
    40,
    {
        "hosts": _strings("hosts"),
        "gateways": _strings("gateways"),
        "http": _objects("http"),
        "tls": _objects("tls"),
        "tcp": _objects("tcp"),
        "export_to": _strings("exportTo"),
    },
)
REQUEST_AUTHENTICATION = Kind(
    "request_authentication",
    "request_authentications",
    Resource(_SECURITY, "RequestAuthentication", "requestauthentications"),
    50,
    {
        "selector": _object("selector"),
        "target_ref": _object("targetRef"),
        "target_refs": _objects("targetRefs"),
        "jwt_rules": _objects("jwtRules"),
    },
)
AUTHORIZATION_POLICY = Kind(
    "authorization_policy",
    "authorization_policies",
    Resource(_SECURITY, "AuthorizationPolicy", "authorizationpolicies"),
    60,
    {
        "selector": _object("selector"),
        "target_ref": _object("targetRef"),
        "target_refs": _objects("targetRefs"),
        "rules": _objects("rules"),
        "action": _string("action", "ALLOW", "DENY", "AUDIT", "CUSTOM"),
        "provider": _object("provider"),
    },
)
PEER_AUTHENTICATION = Kind(
    "peer_authentication",
    "peer_authentications",
    Resource(_SECURITY, "PeerAuthentication", "peerauthentications"),
    70,
    {"selector": _object("selector"), "mtls": _object("mtls"), "port_level_mtls": _object("portLevelMtls")},
)

KINDS: tuple[Kind, ...] = (
    SERVICE_ENTRY,
    DESTINATION_RULE,
    GATEWAY,
    VIRTUAL_SERVICE,
    REQUEST_AUTHENTICATION,
    AUTHORIZATION_POLICY,
    PEER_AUTHENTICATION,
)
RESOURCES: ResourceTable = {(kind.resource.api_version, kind.resource.kind): kind.resource for kind in KINDS}
RANKS: Mapping[str, int] = {kind.resource.group_kind: kind.rank for kind in KINDS}


def module_options(kind: Kind, taken: Container[str]) -> dict[str, str]:
    """The module's name of each option: Istio's own, unless the connection has an option of that name."""
    return {name: f"service_{name}" if name in taken else name for name in kind.options}


def manifest(kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
    """The object that a kind's options describe."""
    metadata = {
        key: values[key] for key in ("name", "namespace", "labels", "annotations") if values.get(key) is not None
    }
    spec = {option.field: values[name] for name, option in kind.options.items() if values.get(name) is not None}
    return {
        "apiVersion": kind.resource.api_version,
        "kind": kind.resource.kind,
        "metadata": metadata,
        "spec": spec,
    }
