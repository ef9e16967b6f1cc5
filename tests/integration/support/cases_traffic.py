"""Routes and their services: rows that together give every first-level option a value."""

from __future__ import annotations

from .case import METADATA, SELECTOR, Case, Options, spec

_HTTP: Options = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}}
_TCP_ROUTE: Options = {"route": [{"destination": {"host": "reviews", "port": {"number": 9000}}}]}

CASES = (
    Case("service_entry", "minimal", {"hosts": ["api.example.com"]}, spec(hosts=["b.example.com"]), "spec.hosts[0]"),
    Case("destination_rule", "minimal", {"host": "reviews"}, spec(host="ratings"), "spec.host"),
    Case(
        "gateway",
        "minimal",
        {"servers": [{**_HTTP, "hosts": ["*"]}]},
        spec(servers=[{**_HTTP, "hosts": ["b.example.com"]}]),
        "spec.servers[0].hosts[0]",
    ),
    Case(
        "virtual_service",
        "minimal",
        {"hosts": ["reviews"], "http": [{"route": [{"destination": {"host": "reviews"}}]}]},
        spec(hosts=["ratings"]),
        "spec.hosts[0]",
    ),
    Case(
        "service_entry",
        "full",
        {
            **METADATA,
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
        spec(workloadSelector={"labels": {"app": "other"}}),
        "spec.workloadSelector.labels.app",
    ),
    Case(
        "destination_rule",
        "full",
        {
            **METADATA,
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
            "workload_selector": SELECTOR,
        },
    ),
    Case(
        "gateway",
        "full",
        {
            **METADATA,
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
            **METADATA,
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
)
