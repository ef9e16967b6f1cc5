# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of a sidecar as annotations of the Pod template, and what of them can never be right.

istiod makes no Pod with an annotation that it cannot read, so everything is judged before it is written.
Source: Istio, annotation.yaml of istio/api, pkg/kube/inject (validation of annotations), mesh/v1alpha1 ProxyConfig, and
the template of the sidecar (files/injection-template.yaml) of 1.28 to 1.31.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.errors import Failure
from .quantities import quantity

LOG_LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")
LOG_LEVEL = "sidecar.istio.io/logLevel"
PROXY_CONFIG = "proxy.istio.io/config"
PORTS = {
    "inbound_ports": "traffic.sidecar.istio.io/excludeInboundPorts",
    "outbound_ports": "traffic.sidecar.istio.io/excludeOutboundPorts",
}
RANGES = "traffic.sidecar.istio.io/excludeOutboundIPRanges"
# Each amount: its annotation, its resource, and whether it is a limit. One of them makes istiod forget all amounts of
# the mesh, so there are all four or none.
AMOUNTS = {
    "cpu_request": ("sidecar.istio.io/proxyCPU", "cpu", False),
    "cpu_limit": ("sidecar.istio.io/proxyCPULimit", "cpu", True),
    "memory_request": ("sidecar.istio.io/proxyMemory", "memory", False),
    "memory_limit": ("sidecar.istio.io/proxyMemoryLimit", "memory", True),
}
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?([numkMGTPE]|[KMGTPE]i)?")
_DURATION = re.compile(r"([0-9]+(\.[0-9]+)?(ms|s|m|h))+")
_NO_UNIT = re.compile(r"[0-9.]+")
_PORT = range(1, 65536)


class InvalidSetting(Failure):
    """A setting of a sidecar that can never be right."""

    code = "invalid_setting"


@dataclass(frozen=True)
class Settings:
    """What is said about the sidecars of a workload; what is not said is the mesh's business."""

    resources: Mapping[str, str] = field(default_factory=dict)
    pass_through: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    lifecycle: Mapping[str, Any] = field(default_factory=dict)
    log_level: str = ""


def annotations_for(settings: Settings, where: str) -> dict[str, str]:
    """The annotations that make the settings. Raises InvalidSetting, with the place."""
    return {
        **dict(_amounts(settings.resources, where)),
        **dict(_excluded(settings.pass_through, where)),
        **_proxy_config(settings.lifecycle, where),
        **({LOG_LEVEL: settings.log_level} if settings.log_level else {}),
    }


def _amounts(resources: Mapping[str, str], where: str) -> Iterator[tuple[str, str]]:
    """A limit of 0 is none. A request of 0 has to be said: Kubernetes takes the limit for one that is missing."""
    for name, text in resources.items():
        annotation, resource, is_limit = AMOUNTS[name]
        amount = _judged(text, resource, f"{where}: resources.{name}")
        if amount or not is_limit:
            yield annotation, text if amount else "0"
    for resource in ("cpu", "memory") if resources else ():
        request, limit = (resources[f"{resource}_{part}"] for part in ("request", "limit"))
        if quantity(limit) and quantity(request) > quantity(limit):
            raise InvalidSetting(
                f"{where}: the {resource} request is larger than the limit",
                subject=f"resources.{resource}_request",
                reason=f"{request} is more than {limit}, and Kubernetes makes no such Pod",
                hint="Raise the limit, lower the request, or set the limit to 0 for none",
            )


def _judged(text: str, resource: str, where: str) -> Any:
    if not _QUANTITY.fullmatch(text):
        raise InvalidSetting(
            f"{where}: '{text}' is no amount",
            subject=where.rpartition(": ")[2],
            reason="istiod would refuse every Pod of the workload",
            hint="Write for example 100m (of a core) or 128Mi; 0 stands for unlimited",
        )
    if resource == "memory" and _NO_UNIT.fullmatch(text) and quantity(text):
        raise InvalidSetting(
            f"{where}: '{text}' has no unit",
            subject=where.rpartition(": ")[2],
            reason=f"to Kubernetes it is {text} bytes, with which no proxy starts",
            hint=f"Did you mean {text}Mi?",
        )
    if resource == "memory" and text.endswith(("n", "u", "m")):
        raise InvalidSetting(
            f"{where}: '{text}' are parts of a byte",
            subject=where.rpartition(": ")[2],
            reason="'m' is a thousandth",
            hint=f"Did you mean {text[:-1]}Mi?",
        )
    return quantity(text)


def _excluded(pass_through: Mapping[str, Sequence[Any]], where: str) -> Iterator[tuple[str, str]]:
    for name, annotation in PORTS.items():
        ports = sorted(set(pass_through.get(name) or ()))
        wrong = [port for port in ports if port not in _PORT]
        if wrong:
            raise InvalidSetting(
                f"{where}: {wrong[0]} is no port",
                subject=f"pass_through.{name}",
                reason="ports go from 1 to 65535",
                hint="Correct it",
            )
        if ports:
            yield annotation, ",".join(map(str, ports))
    ranges = sorted({_range(text, where) for text in pass_through.get("outbound_ranges") or ()})
    if ranges:
        yield RANGES, ",".join(ranges)


def _range(text: str, where: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise InvalidSetting(
            f"{where}: '{text}' is no range of addresses",
            subject="pass_through.outbound_ranges",
            reason=str(error),
            hint="Write it like 10.1.0.0/16, or 10.1.2.3/32 for one address",
        ) from error


def _proxy_config(lifecycle: Mapping[str, Any], where: str) -> dict[str, str]:
    """One annotation holds a whole ProxyConfig, so its text must always be the same for the same settings."""
    for name in ("drain_duration", "minimum_drain_duration"):
        if lifecycle.get(name) and not _DURATION.fullmatch(lifecycle[name]):
            raise InvalidSetting(
                f"{where}: '{lifecycle[name]}' is no duration",
                subject=f"lifecycle.{name}",
                reason="istiod would refuse every Pod of the workload",
                hint="Write for example 30s or 1m30s",
            )
    _refuse_unheard(lifecycle, where)
    config: dict[str, Any] = {}
    if lifecycle.get("hold_application") is not None:
        config["holdApplicationUntilProxyStarts"] = lifecycle["hold_application"]
    if lifecycle.get("drain_duration"):
        config["terminationDrainDuration"] = lifecycle["drain_duration"]
    metadata = {}
    if lifecycle.get("exit_on_zero_connections") is not None:
        metadata["EXIT_ON_ZERO_ACTIVE_CONNECTIONS"] = str(lifecycle["exit_on_zero_connections"]).lower()
    if lifecycle.get("minimum_drain_duration"):
        metadata["MINIMUM_DRAIN_DURATION"] = lifecycle["minimum_drain_duration"]
    if metadata:
        config["proxyMetadata"] = metadata
    return {PROXY_CONFIG: json.dumps(config, sort_keys=True)} if config else {}


def _refuse_unheard(lifecycle: Mapping[str, Any], where: str) -> None:
    """Each of the two ways to end has a duration of its own, and does not look at the other's."""
    by_count = bool(lifecycle.get("exit_on_zero_connections"))
    unheard = "drain_duration" if by_count else "minimum_drain_duration"
    if lifecycle.get(unheard):
        reason = "with" if by_count else "without"
        raise InvalidSetting(
            f"{where}: '{unheard}' would do nothing",
            subject=f"lifecycle.{unheard}",
            reason=f"{reason} 'exit_on_zero_connections' the proxy does not look at it",
            hint=f"Say '{'minimum_' if by_count else ''}drain_duration', or change 'exit_on_zero_connections'",
        )
