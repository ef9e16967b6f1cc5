"""Workloads and the reach of their proxies: rows that together give every first-level option a value."""

from __future__ import annotations

from .case import METADATA, Case, Options, spec

_HTTP: Options = {"number": 9080, "name": "http", "protocol": "HTTP"}
_PROBE: Options = {"periodSeconds": 5, "httpGet": {"port": 8080, "path": "/healthz"}}

CASES = (
    Case(
        "sidecar",
        "minimal",
        {"egress": [{"hosts": ["./*"]}]},
        spec(egress=[{"hosts": ["istio-system/*"]}]),
        "spec.egress[0].hosts[0]",
    ),
    Case(
        "sidecar",
        "full",
        {
            **METADATA,
            "workload_selector": {"labels": {"app": "reviews"}},
            "ingress": [{"port": _HTTP, "defaultEndpoint": "127.0.0.1:8080", "captureMode": "DEFAULT"}],
            "egress": [
                {"port": {**_HTTP, "name": "out"}, "bind": "127.0.0.1", "hosts": ["./ratings", "istio-system/*"]}
            ],
            "inbound_connection_pool": {"http": {"http1MaxPendingRequests": 10}, "tcp": {"maxConnections": 100}},
            "outbound_traffic_policy": {"mode": "REGISTRY_ONLY"},
        },
    ),
    Case("workload_entry", "minimal", {"address": "203.0.113.21"}, spec(address="203.0.113.22"), "spec.address"),
    Case(
        "workload_entry",
        "full",
        {
            **METADATA,
            "address": "203.0.113.21",
            "ports": {"http": 8080, "tcp-db": 15432},
            "spec_labels": {"app": "booking", "version": "v1"},
            "network": "machines",
            "locality": "europe/north/a",
            "weight": 0,
            "service_account": "booking",
        },
    ),
    Case(
        "workload_group",
        "minimal",
        {"template": {"serviceAccount": "booking"}},
        spec(template={"serviceAccount": "other"}),
        "spec.template.serviceAccount",
    ),
    Case(
        "workload_group",
        "full",
        {
            **METADATA,
            "metadata": {"labels": {"app": "booking"}, "annotations": {"example.com/owner": "bookings"}},
            "template": {"serviceAccount": "booking", "ports": {"http": 8080}, "weight": 10},
            "probe": _PROBE,
        },
    ),
)
