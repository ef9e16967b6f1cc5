# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of injection."""

from __future__ import annotations

from ...istio.discovery_scope import SCOPES, DiscoveryScope, discovery_scopes
from ...istio.injection import InjectionError, NamespaceInjection, namespace_injection
from ...istio.injection_selection import Selection
from ...istio.selectors import checked_selector
from ...istio.setting_injection import Injection, checked, run_injection
from ...istio.shares import checked_percentage
from ...istio.workload_injection import WORKLOAD_MODES, WorkloadInjection, workload_injection
from ...istio.workload_kinds import WorkloadKind, workload_kinds
from ...istio.workload_settings import AMOUNTS, LOG_LEVELS, Settings
from ..arguments import MESH_ROOT, OWNERSHIP, ArgumentSpec
from ..mesh_arguments import NAMESPACE_INJECTION, WORKLOAD_KINDS
from ..operation import Operation, Params


def _injection(params: Params) -> Injection:
    kinds = workload_kinds(params["workload_kinds"])
    scopes = [
        DiscoveryScope(one["namespace"], one["scope"], tuple(one["namespaces"])) for one in params["discovery_scopes"]
    ]
    return checked(
        Injection(
            namespaces=tuple(namespace_injection(**one) for one in params["namespaces"]),
            selections=tuple(map(_selection, params["selections"])),
            workloads=tuple(_workload(one, kinds) for one in params["workloads"]),
            scopes=discovery_scopes(scopes, params["discovery_groups"]),
            root_namespace=params["root_namespace"],
            more_protected=frozenset(params["system_namespaces"]),
            kinds=kinds,
            guard=params["guard_pending_restart"],
            take_ownership_from=tuple(params["take_ownership_from"]),
        )
    )


def _selection(given: Params) -> Selection:
    wish: NamespaceInjection = namespace_injection("", given.get("mode"), given.get("revision"), create=False)
    percentage = checked_percentage(given["percentage"], InjectionError, "selections.percentage")
    return Selection(wish, checked_selector(given.get("selector"), InjectionError, "selections.selector"), percentage)


def _workload(given: Params, kinds: tuple[WorkloadKind, ...]) -> WorkloadInjection:
    settings = Settings(
        given.get("resources") or {},
        given.get("pass_through") or {},
        given.get("lifecycle") or {},
        given.get("log_level") or "",
    )
    return workload_injection(given["namespace"], given["name"], given["kind"], given.get("mode"), settings, kinds)


_SELECTION = {
    "selector": {"type": "str"},
    "percentage": {"type": "int", "default": 100},
    "mode": NAMESPACE_INJECTION["mode"],
    "revision": NAMESPACE_INJECTION["revision"],
}
_PASS_THROUGH = {
    "inbound_ports": {"type": "list", "elements": "int"},
    "outbound_ports": {"type": "list", "elements": "int"},
    "outbound_ranges": {"type": "list", "elements": "str"},
}
_LIFECYCLE = {
    "hold_application": {"type": "bool"},
    "drain_duration": {"type": "str"},
    "exit_on_zero_connections": {"type": "bool"},
    "minimum_drain_duration": {"type": "str"},
}
_WORKLOAD = {
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "kind": {"type": "str", "default": "Deployment"},
    "mode": {"type": "str", "choices": list(WORKLOAD_MODES)},
    "resources": {"type": "dict", "options": {name: {"type": "str", "required": True} for name in AMOUNTS}},
    "pass_through": {"type": "dict", "no_log": False, "options": _PASS_THROUGH},  # of traffic, not of a secret
    "lifecycle": {"type": "dict", "options": _LIFECYCLE},
    "log_level": {"type": "str", "choices": list(LOG_LEVELS)},
}
_SCOPE = {
    "namespace": {"type": "str", "required": True},
    "scope": {"type": "str", "required": True, "choices": list(SCOPES)},
    "namespaces": {"type": "list", "elements": "str", "default": []},
}

INJECTION: Operation[Injection] = Operation(
    "injection",
    ArgumentSpec(
        {
            "namespaces": {"type": "list", "elements": "dict", "default": [], "options": NAMESPACE_INJECTION},
            "selections": {"type": "list", "elements": "dict", "default": [], "options": _SELECTION},
            "workloads": {"type": "list", "elements": "dict", "default": [], "options": _WORKLOAD},
            "discovery_scopes": {"type": "list", "elements": "dict", "default": [], "options": _SCOPE},
            "discovery_groups": {"type": "dict", "default": {}},
            "system_namespaces": {"type": "list", "elements": "str", "default": []},
            "guard_pending_restart": {"type": "bool", "default": False},
        },
    )
    + MESH_ROOT
    + WORKLOAD_KINDS
    + OWNERSHIP,
    _injection,
    run_injection,
)
