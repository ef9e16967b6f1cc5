"""The kinds under test: a minimal row each, and rows that together give every first-level option a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Options = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Options of one kind's module, a drift of one of its fields as a merge patch, and that field's path."""

    module: str
    name: str
    options: Options
    drift: Options = field(default_factory=lambda: {"metadata": {"labels": {"team": "drifted"}}})
    path: str = "metadata.labels.team"

    @property
    def resource(self) -> str:
        """As kubectl takes it; Gateway is a name that others use as well."""
        group = "security" if self.module.endswith(("authentication", "policy")) else "networking"
        return f"{self.module.replace('_', '')}.v1.{group}.istio.io"

    @property
    def id(self) -> str:
        return f"{self.module}-{self.name}"


def _spec(**fields: Any) -> Options:
    return {"spec": fields}


_METADATA: Options = {"labels": {"team": "shop"}, "annotations": {"example.com/why": "a test"}}
_SELECTOR: Options = {"matchLabels": {"app": "reviews"}}
_HTTP: Options = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}}
_GATEWAY_REF: Options = {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "ingress"}
_TCP_ROUTE: Options = {"route": [{"destination": {"host": "reviews", "port": {"number": 9000}}}]}

MINIMAL = (
    Case("service_entry", "minimal", {"hosts": ["api.example.com"]}, _spec(hosts=["b.example.com"]), "spec.hosts[0]"),
    Case("destination_rule", "minimal", {"host": "reviews"}, _spec(host="ratings"), "spec.host"),
    Case(
        "gateway",
        "minimal",
        {"servers": [{**_HTTP, "hosts": ["*"]}]},
        _spec(servers=[{**_HTTP, "hosts": ["b.example.com"]}]),
        "spec.servers[0].hosts[0]",
    ),
    Case(
        "virtual_service",
        "minimal",
        {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviews"}}]}]},
        _spec(hosts=["ratings"]),
        "spec.hosts[0]",
    ),
    Case(
        "request_authentication",
        "minimal",
        {"jwt_rules": [{"issuer": "https://issuer.example.com"}]},
        _spec(jwtRules=[{"issuer": "https://other.example.com"}]),
        "spec.jwtRules[0].issuer",
    ),
    Case("authorization_policy", "minimal", {"action": "ALLOW"}, _spec(action="DENY"), "spec.action"),
    Case(
        "peer_authentication",
        "minimal",
        {"mtls": {"mode": "STRICT"}},
        _spec(mtls={"mode": "PERMISSIVE"}),
        "spec.mtls.mode",
    ),
)

FULL = (
    Case(
        "service_entry",
        "full",
        {
            **_METADATA,
            "hosts": ["db.example.com"],
            "addresses": ["203.0.113.10"],
            "ports": [
                {"number": 5432, "name": "tcp-db", "protocol": "TCP", "targetPort": 15432},
                {"number": 443, "name": "tls", "protocol": "TLS"},
            ],
            "location": "MESH_EXTERNAL",
            "resolution": "STATIC",
            "endpoints": [{"address": "203.0.113.11", "ports": {"tcp-db": 15432}, "weight": 10}],
            "export_to": ["."],
            "subject_alt_names": ["spiffe://example.com/db"],
        },
    ),
    Case(
        "service_entry",
        "by-workload",
        {
            "hosts": ["vm.example.com"],
            "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}],
            "location": "MESH_INTERNAL",
            "resolution": "STATIC",
            "workload_selector": {"labels": {"app": "vm"}},
        },
        _spec(workloadSelector={"labels": {"app": "other"}}),
        "spec.workloadSelector.labels.app",
    ),
    Case(
        "destination_rule",
        "full",
        {
            **_METADATA,
            "host": "reviews",
            "traffic_policy": {
                "loadBalancer": {"simple": "LEAST_REQUEST"},
                "connectionPool": {"tcp": {"maxConnections": 100, "connectTimeout": "30ms"}},
                "outlierDetection": {"consecutive5xxErrors": 7, "interval": "5m", "baseEjectionTime": "15m"},
                "portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "ISTIO_MUTUAL"}}],
            },
            "subsets": [
                {"name": "v1", "labels": {"version": "v1"}},
                {"name": "v2", "labels": {"version": "v2"}, "trafficPolicy": {"tls": {"mode": "SIMPLE"}}},
            ],
            "export_to": ["."],
            "workload_selector": _SELECTOR,
        },
    ),
    Case(
        "gateway",
        "full",
        {
            **_METADATA,
            "selector": {"istio": "ingress"},
            "servers": [
                {
                    "name": "secure",
                    "bind": "0.0.0.0",
                    "port": {"number": 443, "name": "https", "protocol": "HTTPS"},
                    "hosts": ["shop.example.com"],
                    "tls": {"mode": "SIMPLE", "credentialName": "shop-cert", "minProtocolVersion": "TLSV1_2"},
                },
                {
                    "port": {"number": 80, "name": "http", "protocol": "HTTP"},
                    "hosts": ["*"],
                    "tls": {"httpsRedirect": True},
                },
            ],
        },
    ),
    Case(
        "virtual_service",
        "full",
        {
            **_METADATA,
            "hosts": ["shop.example.com"],
            "gateways": ["ingress", "mesh"],
            "http": [
                {
                    "name": "canary",
                    "match": [{"headers": {"x-canary": {"exact": "yes"}}, "uri": {"prefix": "/api"}}],
                    "route": [
                        {"destination": {"host": "shop", "subset": "v1"}, "weight": 90},
                        {"destination": {"host": "shop", "subset": "v2"}, "weight": 10},
                    ],
                    "timeout": "5s",
                    "retries": {"attempts": 3, "perTryTimeout": "2s", "retryOn": "5xx"},
                    "fault": {"delay": {"percentage": {"value": 0.1}, "fixedDelay": "5s"}},
                    "corsPolicy": {"allowOrigins": [{"exact": "https://example.com"}], "allowCredentials": True},
                }
            ],
            "tls": [{"match": [{"port": 443, "sniHosts": ["shop.example.com"]}], **_TCP_ROUTE}],
            "tcp": [{"match": [{"port": 9000}], **_TCP_ROUTE}],
            "export_to": [".", "istio-system"],
        },
    ),
    Case(
        "request_authentication",
        "full",
        {
            **_METADATA,
            "selector": _SELECTOR,
            "jwt_rules": [
                {
                    "issuer": "https://issuer.example.com",
                    "audiences": ["shop"],
                    "jwksUri": "https://issuer.example.com/keys",
                    "fromHeaders": [{"name": "x-token", "prefix": "Bearer "}],
                    "forwardOriginalToken": True,
                }
            ],
        },
    ),
    Case("request_authentication", "by-target", {**_METADATA, "target_ref": _GATEWAY_REF}),
    Case("request_authentication", "by-targets", {**_METADATA, "target_refs": [_GATEWAY_REF]}),
    Case(
        "authorization_policy",
        "full",
        {
            **_METADATA,
            "selector": _SELECTOR,
            "action": "CUSTOM",
            "provider": {"name": "ext-authz"},
            "rules": [
                {
                    "from": [{"source": {"namespaces": ["web"], "notIpBlocks": ["203.0.113.0/24"]}}],
                    "to": [{"operation": {"methods": ["GET"], "paths": ["/admin*"]}}],
                    "when": [{"key": "request.headers[x-role]", "values": ["admin"]}],
                }
            ],
        },
    ),
    Case("authorization_policy", "by-target", {**_METADATA, "target_ref": _GATEWAY_REF}),
    Case("authorization_policy", "by-targets", {**_METADATA, "target_refs": [_GATEWAY_REF]}),
    Case(
        "peer_authentication",
        "full",
        {
            **_METADATA,
            "selector": _SELECTOR,
            "mtls": {"mode": "STRICT"},
            "port_level_mtls": {"8080": {"mode": "DISABLE"}},
        },
    ),
)
CASES = MINIMAL + FULL
