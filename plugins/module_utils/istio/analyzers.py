# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of what objects mean together, as a table.

`early` ones need nothing but the input and run before any request; all run
against the cluster, for what changes only. An error refuses the task, a warning
informs. A `reference` is a warning and told with doubt in check mode, where a task
before this one may only have planned what is missing, and where we may not look at
the whole cluster. A `rooted` one goes by the root namespace of the mesh, whose
policies are for all namespaces.
`istioctl` names the same finding of `istioctl analyze`; severities agree with it
(pkg/config/analysis/msg/messages.yaml) where it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from . import policy_checks as policy
from . import routing_checks as routing
from .kind import Kind
from .kinds import (
    AUTHORIZATION_POLICY,
    DESTINATION_RULE,
    ENVOY_FILTER,
    GATEWAY,
    PEER_AUTHENTICATION,
    PROXY_CONFIG,
    REQUEST_AUTHENTICATION,
    SERVICE_ENTRY,
    SIDECAR,
    TELEMETRY,
    TRAFFIC_EXTENSION,
    VIRTUAL_SERVICE,
    WASM_PLUGIN,
)
from .world import Change, World

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Analyzer:
    """One check: what it finds in an object of its kinds, field and sentence each."""

    code: str
    level: Level
    kinds: tuple[Kind, ...]
    find: Callable[[Change, World], Iterator[tuple[str, str]]]
    sentence: str
    early: bool = False
    reference: bool = False
    rooted: bool = False
    istioctl: str = ""


_FOR_WORKLOADS = (
    AUTHORIZATION_POLICY,
    ENVOY_FILTER,
    PEER_AUTHENTICATION,
    PROXY_CONFIG,
    REQUEST_AUTHENTICATION,
    SIDECAR,
    TELEMETRY,
    TRAFFIC_EXTENSION,
    WASM_PLUGIN,
)

_ALL = (
    Analyzer(
        "reserved_name",
        "error",
        (GATEWAY,),
        policy.reserved_name,
        "a C(Gateway) is called V(mesh), which means all sidecars",
        early=True,
    ),
    Analyzer(
        "reserved_namespace",
        "error",
        _FOR_WORKLOADS,
        policy.reserved_namespace,
        "an object for workloads stands in a namespace in which nothing ever gets a proxy",
        early=True,
    ),
    Analyzer(
        "weights_zero",
        "error",
        (VIRTUAL_SERVICE,),
        routing.weights_zero,
        "a route has several destinations whose weights sum to 0",
        early=True,
        istioctl="IST0106",
    ),
    Analyzer(
        "same_workloads",
        "error",
        (SIDECAR, TELEMETRY, PEER_AUTHENTICATION),
        policy.same_workloads,
        "two of a kind are for the same workloads, as two without a selector in one namespace",
        early=True,
        istioctl="IST0110, IST0111, IST0159, IST0160",
    ),
    Analyzer(
        "mesh_host_taken",
        "error",
        (VIRTUAL_SERVICE,),
        routing.mesh_host,
        "two C(VirtualService) are for one host of the sidecars",
        early=True,
        istioctl="IST0109",
    ),
    Analyzer(
        "gateway_host_taken",
        "error",
        (VIRTUAL_SERVICE,),
        routing.gateway_host,
        "two C(VirtualService) take every request, or every TLS or TCP connection, for one host on one gateway",
        early=True,
    ),
    Analyzer(
        "gateway_conflict",
        "error",
        (GATEWAY,),
        routing.gateway_conflict,
        "two servers are for one host and port of the same gateway Pods",
        early=True,
        istioctl="IST0145",
    ),
    Analyzer(
        "subset_not_defined",
        "error",
        (VIRTUAL_SERVICE,),
        routing.undefined_subset,
        "a route names a subset that no C(DestinationRule) defines",
        reference=True,
        istioctl="IST0101",
    ),
    Analyzer(
        "subset_in_use",
        "error",
        (DESTINATION_RULE,),
        routing.removed_subset,
        "a subset goes away to which a C(VirtualService) still routes",
        reference=True,
        istioctl="IST0101",
    ),
    Analyzer(
        "weights_not_100",
        "warning",
        (VIRTUAL_SERVICE,),
        routing.weights_not_100,
        "the weights of a route with several destinations do not sum to 100",
    ),
    Analyzer(
        "gateway_not_defined",
        "warning",
        (VIRTUAL_SERVICE,),
        routing.unknown_gateway,
        "a C(VirtualService) is for a C(Gateway) that does not exist",
        reference=True,
        istioctl="IST0101",
    ),
    Analyzer(
        "rule_shadowed",
        "warning",
        (DESTINATION_RULE,),
        routing.shadowed_rule,
        "two C(DestinationRule) of a namespace say the same of one host",
    ),
    Analyzer(
        "service_host_taken",
        "warning",
        (SERVICE_ENTRY,),
        routing.service_entry_host,
        "two C(ServiceEntry) of different namespaces are for one host and seen by the same workloads",
    ),
    Analyzer(
        "first_allow",
        "warning",
        (AUTHORIZATION_POLICY,),
        policy.first_allow,
        "a policy is the first that allows something for workloads, which refuses all else from then on",
        rooted=True,
    ),
    Analyzer(
        "strict_outside_mesh",
        "warning",
        (PEER_AUTHENTICATION,),
        policy.strict,
        "mutual TLS becomes V(STRICT) where workloads without a proxy send plaintext",
        rooted=True,
    ),
)
ANALYZERS: Mapping[str, Analyzer] = {analyzer.code: analyzer for analyzer in _ALL}
ROOTED_KINDS = frozenset(kind.name for analyzer in _ALL if analyzer.rooted for kind in analyzer.kinds)
