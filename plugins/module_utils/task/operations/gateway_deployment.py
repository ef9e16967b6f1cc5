# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of gateway_deployment."""

from __future__ import annotations

from typing import Any

from ...istio import releases
from ...istio.desired_gateway import REFUSE, REPLACE, SERVICE_TYPES, TYPES, GatewayDeployment
from ...istio.desired_gateway import judged as judged_gateway
from ...istio.gateways import run_gateway_deployment
from ...istio.names import check_names
from ..arguments import OWNERSHIP, STATE, WAIT, ArgumentSpec
from ..mesh_arguments import ADOPTION, CHART_SOURCE, MODE
from ..operation import Operation, Params
from .chart_source import chart_source

_PORT = {
    "name": {"type": "str", "required": True},
    "port": {"type": "int", "required": True},
    "target_port": {"type": "int"},
    "node_port": {"type": "int"},
    "protocol": {"type": "str", "choices": ["TCP", "UDP"], "default": "TCP"},
    "app_protocol": {"type": "str"},
}
_SERVICE = {
    "type": {"type": "str", "choices": list(SERVICE_TYPES)},
    "ports": {"type": "list", "elements": "dict", "options": _PORT},
    "annotations": {"type": "dict"},
    "cluster_ip": {"type": "str"},
    "external_ips": {"type": "list", "elements": "str"},
    "external_traffic_policy": {"type": "str", "choices": ["Cluster", "Local"]},
    "internal_traffic_policy": {"type": "str", "choices": ["Cluster", "Local"]},
    "ip_families": {"type": "list", "elements": "str", "choices": ["IPv4", "IPv6"]},
    "ip_family_policy": {"type": "str", "choices": ["SingleStack", "PreferDualStack", "RequireDualStack"]},
    "load_balancer_class": {"type": "str"},
    "load_balancer_ip": {"type": "str"},
    "load_balancer_source_ranges": {"type": "list", "elements": "str"},
}
# Only what is copied as it is; names on both sides are the same.
_GATEWAY_MAPPINGS = (
    "autoscaling",
    "resources",
    "affinity",
    "node_selector",
    "service",
    "pod_disruption_budget",
    "labels",
    "annotations",
    "env",
    "values",
)
_GATEWAY_LISTS = ("tolerations", "topology_spread_constraints")


def _gateway_deployment(params: Params) -> GatewayDeployment:
    check_names(network=params.get("network"))
    given: dict[str, Any] = {name: params.get(name) or {} for name in _GATEWAY_MAPPINGS}
    given |= {name: tuple(params.get(name) or ()) for name in _GATEWAY_LISTS}
    return judged_gateway(
        GatewayDeployment(
            name=params["name"],
            namespace=params["namespace"],
            version=releases.checked_version(params["version"]),
            charts=chart_source(params),
            present=params["state"] == "present",
            type=params["type"],
            network=params.get("network"),
            mode=params["mode"],
            revision=params.get("revision"),
            replicas=params.get("replicas"),
            pull_secrets=tuple(params["pull_secrets"]),
            replace=params["replace"],
            take_ownership_from=tuple(params["take_ownership_from"]),
            adopt=frozenset(params["adopt"]),
            adopt_changes=params["adopt_changes"],
            helm=params["helm_binary"],
            wait_timeout=params["wait_timeout"],
            **given,
        )
    )


GATEWAY_DEPLOYMENT: Operation[GatewayDeployment] = Operation(
    "gateway_deployment",
    ArgumentSpec(
        {
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "type": {"type": "str", "choices": list(TYPES), "default": TYPES[0]},
            "network": {"type": "str"},
            "revision": {"type": "str"},
            "replicas": {"type": "int"},
            "autoscaling": {"type": "dict", "options": {name: {"type": "int"} for name in ("min", "max", "cpu")}},
            "resources": {"type": "dict", "options": {name: {"type": "dict"} for name in ("requests", "limits")}},
            "affinity": {"type": "dict"},
            "node_selector": {"type": "dict"},
            "tolerations": {"type": "list", "elements": "dict"},
            "topology_spread_constraints": {"type": "list", "elements": "dict"},
            "service": {"type": "dict", "options": _SERVICE},
            "pod_disruption_budget": {
                "type": "dict",
                "options": {name: {"type": "raw"} for name in ("min_available", "max_unavailable")},
                "mutually_exclusive": [("min_available", "max_unavailable")],
            },
            "labels": {"type": "dict"},
            "annotations": {"type": "dict"},
            "env": {"type": "dict"},
            # The names of Secrets, which are no secrets.
            "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "values": {"type": "dict"},
            "replace": {"type": "str", "choices": list(REPLACE), "default": REFUSE},
        }
    )
    + STATE
    + OWNERSHIP
    + ADOPTION
    + CHART_SOURCE
    + MODE
    + WAIT,
    _gateway_deployment,
    run_gateway_deployment,
)
