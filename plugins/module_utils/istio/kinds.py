# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of Istio's configuration API, as data.

Apply ranks make sure that no route names what does not exist yet: what is named
comes first, what cuts traffic off comes last; kinds of one rank need nothing of
each other. TrafficExtension exists from Istio 1.30 on.
Source: the CRDs of Istio 1.28 to 1.31 (`base/files/crd-all.gen.yaml`), Istio's
traffic management best practices for the order.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..kube.resources import Resource, ResourceTable
from .kind import Kind, SpecOption


def _strings(field: str, *, required: bool = False) -> SpecOption:
    return SpecOption(field, "list", "str", required=required)


def _objects(field: str) -> SpecOption:
    return SpecOption(field, "list", "dict")


def _object(field: str, *, required: bool = False) -> SpecOption:
    return SpecOption(field, "dict", required=required)


def _string(field: str, *choices: str, required: bool = False) -> SpecOption:
    return SpecOption(field, "str", choices=choices, required=required)


def _integer(field: str) -> SpecOption:
    return SpecOption(field, "int")


_EXTENSIONS = "extensions.istio.io/v1alpha1"
_NETWORKING = "networking.istio.io/v1"
_NETWORKING_ALPHA = "networking.istio.io/v1alpha3"
_NETWORKING_BETA = "networking.istio.io/v1beta1"
_SECURITY = "security.istio.io/v1"
_TELEMETRY = "telemetry.istio.io/v1"

TELEMETRY = Kind(
    "telemetry",
    "telemetries",
    Resource(_TELEMETRY, "Telemetry", "telemetries"),
    5,
    {
        "selector": _object("selector"),
        "target_ref": _object("targetRef"),
        "target_refs": _objects("targetRefs"),
        "tracing": _objects("tracing"),
        "metrics": _objects("metrics"),
        "access_logging": _objects("accessLogging"),
    },
)
PROXY_CONFIG = Kind(
    "proxy_config",
    "proxy_configs",
    Resource(_NETWORKING_BETA, "ProxyConfig", "proxyconfigs"),
    5,
    {
        "selector": _object("selector"),
        "concurrency": _integer("concurrency"),
        "environment_variables": _object("environmentVariables"),
        "image": _object("image"),
    },
)
ENVOY_FILTER = Kind(
    "envoy_filter",
    "envoy_filters",
    Resource(_NETWORKING_ALPHA, "EnvoyFilter", "envoyfilters"),
    5,
    {
        "workload_selector": _object("workloadSelector"),
        "target_refs": _objects("targetRefs"),
        "config_patches": _objects("configPatches"),
        "priority": _integer("priority"),
    },
)
WASM_PLUGIN = Kind(
    "wasm_plugin",
    "wasm_plugins",
    Resource(_EXTENSIONS, "WasmPlugin", "wasmplugins"),
    5,
    {
        "selector": _object("selector"),
        "target_ref": _object("targetRef"),
        "target_refs": _objects("targetRefs"),
        "url": _string("url", required=True),
        "sha256": _string("sha256"),
        "image_pull_policy": _string("imagePullPolicy", "UNSPECIFIED_POLICY", "IfNotPresent", "Always"),
        "image_pull_secret": _string("imagePullSecret"),
        "verification_key": _string("verificationKey"),
        "plugin_config": _object("pluginConfig"),
        "plugin_name": _string("pluginName"),
        "phase": _string("phase", "UNSPECIFIED_PHASE", "AUTHN", "AUTHZ", "STATS"),
        "priority": _integer("priority"),
        "fail_strategy": _string("failStrategy", "FAIL_CLOSE", "FAIL_OPEN", "FAIL_RELOAD"),
        "vm_config": _object("vmConfig"),
        "match": _objects("match"),
        "type": _string("type", "UNSPECIFIED_PLUGIN_TYPE", "HTTP", "NETWORK"),
    },
)
TRAFFIC_EXTENSION = Kind(
    "traffic_extension",
    "traffic_extensions",
    Resource(_EXTENSIONS, "TrafficExtension", "trafficextensions"),
    5,
    {
        "selector": _object("selector"),
        "target_refs": _objects("targetRefs"),
        "phase": _string("phase", "UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"),
        "priority": _integer("priority"),
        "match": _objects("match"),
        "wasm": _object("wasm"),
        "lua": _object("lua"),
    },
)
SERVICE_ENTRY = Kind(
    "service_entry",
    "service_entries",
    Resource(_NETWORKING, "ServiceEntry", "serviceentries"),
    10,
    {
        "hosts": _strings("hosts", required=True),
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
WORKLOAD_GROUP = Kind(
    "workload_group",
    "workload_groups",
    Resource(_NETWORKING, "WorkloadGroup", "workloadgroups"),
    10,
    {
        "metadata": _object("metadata"),
        "template": _object("template", required=True),
        "probe": _object("probe"),
    },
)
WORKLOAD_ENTRY = Kind(
    "workload_entry",
    "workload_entries",
    Resource(_NETWORKING, "WorkloadEntry", "workloadentries"),
    10,
    {
        "address": _string("address"),
        "ports": _object("ports"),
        "spec_labels": _object("labels"),
        "network": _string("network"),
        "locality": _string("locality"),
        "weight": _integer("weight"),
        "service_account": _string("serviceAccount"),
    },
)
DESTINATION_RULE = Kind(
    "destination_rule",
    "destination_rules",
    Resource(_NETWORKING, "DestinationRule", "destinationrules"),
    20,
    {
        "host": _string("host", required=True),
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
    {
        "servers": _objects("servers"),
        "selector": _object("selector"),
    },
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
    {
        "selector": _object("selector"),
        "mtls": _object("mtls"),
        "port_level_mtls": _object("portLevelMtls"),
    },
)
SIDECAR = Kind(
    "sidecar",
    "sidecars",
    Resource(_NETWORKING, "Sidecar", "sidecars"),
    80,
    {
        "workload_selector": _object("workloadSelector"),
        "ingress": _objects("ingress"),
        "egress": _objects("egress"),
        "inbound_connection_pool": _object("inboundConnectionPool"),
        "outbound_traffic_policy": _object("outboundTrafficPolicy"),
    },
)

KINDS: tuple[Kind, ...] = (
    TELEMETRY,
    PROXY_CONFIG,
    ENVOY_FILTER,
    WASM_PLUGIN,
    TRAFFIC_EXTENSION,
    SERVICE_ENTRY,
    WORKLOAD_GROUP,
    WORKLOAD_ENTRY,
    DESTINATION_RULE,
    GATEWAY,
    VIRTUAL_SERVICE,
    REQUEST_AUTHENTICATION,
    AUTHORIZATION_POLICY,
    PEER_AUTHENTICATION,
    SIDECAR,
)
RESOURCES: ResourceTable = {(kind.resource.api_version, kind.resource.kind): kind.resource for kind in KINDS}
# Of the Gateway API (its reference: a Gateway names its class, a route names Gateways and what grants let it name).
GATEWAY_API_RANKS: Mapping[str, int] = {
    "GatewayClass.gateway.networking.k8s.io": 25,
    "ReferenceGrant.gateway.networking.k8s.io": 25,
    "BackendTLSPolicy.gateway.networking.k8s.io": 25,
    "Gateway.gateway.networking.k8s.io": 30,
    "ListenerSet.gateway.networking.k8s.io": 35,
    "GRPCRoute.gateway.networking.k8s.io": 40,
    "HTTPRoute.gateway.networking.k8s.io": 40,
    "TCPRoute.gateway.networking.k8s.io": 40,
    "TLSRoute.gateway.networking.k8s.io": 40,
    "UDPRoute.gateway.networking.k8s.io": 40,
}
RANKS: Mapping[str, int] = {**{kind.resource.group_kind: kind.rank for kind in KINDS}, **GATEWAY_API_RANKS}
