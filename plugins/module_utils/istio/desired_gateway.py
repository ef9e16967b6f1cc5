# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway as it shall be deployed, and what its options say as values of the chart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.errors import Failure
from . import modes
from .charts import ChartSource
from .desired_control_plane import ConflictingOptions
from .port_names import is_readable
from .values import Tree, at, merged

INGRESS, EGRESS, EAST_WEST = "ingress", "egress", "eastwest"
TYPES = (INGRESS, EGRESS, EAST_WEST)
SERVICE_TYPES = ("LoadBalancer", "NodePort", "ClusterIP", "None")
REFUSE, BESIDE = "refuse", "beside"
REPLACE = (REFUSE, BESIDE)

# Options of a Service and of its ports, and what the chart calls them.
_SERVICE: Mapping[str, str] = {
    "type": "type",
    "annotations": "annotations",
    "cluster_ip": "clusterIP",
    "external_ips": "externalIPs",
    "external_traffic_policy": "externalTrafficPolicy",
    "internal_traffic_policy": "internalTrafficPolicy",
    "ip_families": "ipFamilies",
    "ip_family_policy": "ipFamilyPolicy",
    "load_balancer_class": "loadBalancerClass",
    "load_balancer_ip": "loadBalancerIP",
    "load_balancer_source_ranges": "loadBalancerSourceRanges",
}
_PORT: Mapping[str, str] = {
    "name": "name",
    "port": "port",
    "target_port": "targetPort",
    "node_port": "nodePort",
    "protocol": "protocol",
    "app_protocol": "appProtocol",
}
_AUTOSCALING: Mapping[str, str] = {
    "min": "minReplicas",
    "max": "maxReplicas",
    "cpu": "targetCPUUtilizationPercentage",
}
_BUDGET: Mapping[str, str] = {"min_available": "minAvailable", "max_unavailable": "maxUnavailable"}
# What the task needs to know itself is said by an option; said in values, the two could differ.
_SAID_BY_OPTION: Mapping[str, str] = {"name": "name", "revision": "revision", "networkGateway": "network"}
# Helm takes no longer name for a release, and a Deployment beside the first one still fits into a Service's name.
_LONGEST = 53
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_PORTS = range(1, 65536)


class InvalidName(Failure):
    """Not a name that a gateway can have."""

    code = "invalid_name"


class InvalidPorts(Failure):
    """Ports that cannot be those of one Service."""

    code = "invalid_ports"


@dataclass(frozen=True)
class GatewayDeployment:
    """A gateway as it shall be deployed. What is not said is left to the chart."""

    name: str
    namespace: str
    version: str
    charts: ChartSource
    present: bool = True
    type: str = INGRESS
    network: str | None = None
    mode: str = modes.DEDICATED
    revision: str | None = None
    replicas: int | None = None
    autoscaling: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, Any] = field(default_factory=dict)
    affinity: Mapping[str, Any] = field(default_factory=dict)
    node_selector: Mapping[str, Any] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    topology_spread_constraints: Sequence[Mapping[str, Any]] = ()
    service: Mapping[str, Any] = field(default_factory=dict)
    pod_disruption_budget: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, Any] = field(default_factory=dict)
    env: Mapping[str, Any] = field(default_factory=dict)
    pull_secrets: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    replace: str = REFUSE
    take_ownership_from: tuple[str, ...] = ()
    adopt: frozenset[str] = frozenset()
    adopt_changes: bool = False
    helm: str = "helm"
    wait_timeout: float = 300.0

    def __str__(self) -> str:
        return f"the gateway {self.namespace}/{self.name}"


def judged(wanted: GatewayDeployment) -> GatewayDeployment:
    """The same, if it can be right. Raises what says why it cannot."""
    _refuse_name(wanted)
    for refuse in (_refuse_network, _refuse_autoscaling, _refuse_idle_budget, _refuse_said_twice) * wanted.present:
        refuse(wanted)
    for problem in _problems_of_ports(wanted.service.get("ports") or []):
        raise InvalidPorts(
            f"The ports of {wanted} cannot be those of one Service",
            subject="service.ports",
            reason=problem,
            hint="Correct 'service.ports'",
        )
    return wanted


def chart_values(wanted: GatewayDeployment) -> Tree:
    """The chart's values: what the options say, and over it what the user says."""
    told: Tree = {
        **_given(
            revision=wanted.revision,
            networkGateway=wanted.network if wanted.type == EAST_WEST else None,
            resources={part: amounts for part, amounts in wanted.resources.items() if amounts},
            affinity=wanted.affinity,
            nodeSelector=wanted.node_selector,
            tolerations=list(wanted.tolerations),
            topologySpreadConstraints=list(wanted.topology_spread_constraints),
            podDisruptionBudget=_renamed(wanted.pod_disruption_budget, _BUDGET),
            labels={name: str(value) for name, value in wanted.labels.items()},
            annotations={name: str(value) for name, value in wanted.annotations.items()},
            env={name: str(value) for name, value in wanted.env.items()},
            imagePullSecrets=[{"name": name} for name in wanted.pull_secrets],
            service=_service(wanted),
        ),
        **_scale(wanted),
    }
    return merged(told, wanted.values)


def port_warnings(wanted: GatewayDeployment) -> Iterator[str]:
    """Ports of the Service of which Istio cannot tell what they carry."""
    for port in at(chart_values(wanted), ("service", "ports")) or []:
        if not is_readable(port):
            yield (
                f"Istio cannot tell from its name what the port '{port.get('name')}' ({port.get('port')}) of {wanted} "
                "carries, and takes it for TCP. Name it like http-shop or tls-shop, or set 'app_protocol'"
            )


def _given(**values: Any) -> Tree:
    return {name: value for name, value in values.items() if value}


def _renamed(given: Mapping[str, Any], names: Mapping[str, str]) -> Tree:
    return {names[name]: value for name, value in given.items() if name in names and value is not None}


def _service(wanted: GatewayDeployment) -> Tree:
    """The traffic of an egress gateway comes from inside, so nothing outside has to reach it."""
    told = {"type": "ClusterIP"} if wanted.type == EGRESS else {}
    ports = [{"protocol": "TCP", "targetPort": port["port"], **_renamed(port, _PORT)} for port in _ports(wanted)]
    return {**told, **_renamed(wanted.service, _SERVICE), **({"ports": ports} if ports else {})}


def _ports(wanted: GatewayDeployment) -> Sequence[Mapping[str, Any]]:
    return wanted.service.get("ports") or []


def _scale(wanted: GatewayDeployment) -> Tree:
    if wanted.replicas is not None:
        return {"autoscaling": {"enabled": False}, "replicaCount": wanted.replicas}
    scaling = _renamed(wanted.autoscaling, _AUTOSCALING)
    return {"autoscaling": {"enabled": True, **scaling}} if scaling else {}


def _refuse_name(wanted: GatewayDeployment) -> None:
    if len(wanted.name) > _LONGEST or not _NAME.fullmatch(wanted.name):
        raise InvalidName(
            f"'{wanted.name}' cannot be the name of a gateway",
            subject="name",
            reason=f"its Service, its labels and its Pods bear it: at most {_LONGEST} lower-case letters, digits and "
            "'-', with a letter at the beginning and no '-' at the end",
            hint="Write it like ingress or partners-1",
        )


def _refuse_network(wanted: GatewayDeployment) -> None:
    """An east-west gateway is one of a network, and its ports are those between clusters."""
    if wanted.type == EAST_WEST and not wanted.network:
        raise _conflict(
            f"{wanted} is of type 'eastwest' and names no network",
            "network",
            "other clusters find it by the network whose door it is",
            "Set 'network' (mesh_network) to that of this cluster",
        )
    if wanted.type != EAST_WEST and wanted.network:
        raise _conflict(
            f"{wanted} is of type '{wanted.type}' and names a network",
            "network",
            "only a gateway between clusters is the door of a network",
            "Set 'type: eastwest', or take 'network' away",
        )
    if wanted.type == EAST_WEST and wanted.service.get("ports"):
        raise _conflict(
            f"{wanted} is of type 'eastwest' and has ports of its own",
            "service.ports",
            "the ports between clusters are fixed: 15021, 15443, 15012 and 15017",
            "Take 'service.ports' away, or deploy another gateway for other ports",
        )


def _refuse_autoscaling(wanted: GatewayDeployment) -> None:
    if wanted.replicas is not None and wanted.autoscaling:
        raise _conflict(
            f"{wanted} has both 'replicas' and 'autoscaling'",
            "replicas",
            "the autoscaler decides about the number of replicas",
            "Keep one of them",
        )
    least, most = (at(chart_values(wanted), ("autoscaling", name)) for name in ("minReplicas", "maxReplicas"))
    if isinstance(least, int) and isinstance(most, int) and least > most:
        raise _conflict(
            f"The autoscaling of {wanted} has more replicas at least than at most",
            "autoscaling",
            f"'min' is {least} and 'max' is {most}",
            "Correct one of them",
        )


def _refuse_idle_budget(wanted: GatewayDeployment) -> None:
    """The chart leaves a budget out without a word where there is one replica."""
    values = chart_values(wanted)
    if not values.get("podDisruptionBudget"):
        return
    fixed = at(values, ("autoscaling", "enabled")) is False
    least = values.get("replicaCount") if fixed else at(values, ("autoscaling", "minReplicas"))
    if not isinstance(least, int) or least < 2:
        raise _conflict(
            f"{wanted} has a disruption budget and may have a single replica",
            "pod_disruption_budget",
            "a budget for one Pod would hold up every drain of its node, so the chart leaves it out",
            "Set 'replicas' or 'autoscaling.min' to 2 or more, or take the budget away",
        )


def _refuse_said_twice(wanted: GatewayDeployment) -> None:
    for key, option in _SAID_BY_OPTION.items():
        if wanted.values.get(key) is not None:
            raise _conflict(
                f"'{key}' of the chart 'gateway' is said by the option '{option}'",
                f"values.{key}",
                "the task has to know it, too, to find what it deploys",
                f"Set '{option}' and take the value away",
            )


def _conflict(what: str, subject: str, reason: str, hint: str) -> ConflictingOptions:
    return ConflictingOptions(what[0].upper() + what[1:], subject=subject, reason=reason, hint=hint)


def _problems_of_ports(ports: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Everything that is wrong with them, one at a time."""
    for port in ports:
        for part in ("port", "target_port", "node_port"):
            if port.get(part) is not None and port[part] not in _PORTS:
                yield f"'{port['name']}' has the {part} {port[part]}, and ports are between 1 and 65535"
    for part in ("name", "port", "node_port"):
        seen = Counter(_identity(port, part) for port in ports if port.get(part) is not None)
        for identity, times in seen.items():
            if times > 1:
                yield f"the {part} {identity[0]} stands there {times} times"


def _identity(port: Mapping[str, Any], part: str) -> tuple[str, str]:
    """A name is one of the Service; a number is one of its protocol."""
    return str(port[part]), "" if part == "name" else str(port.get("protocol") or "TCP")
