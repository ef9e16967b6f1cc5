# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations, one for each module: which options, which request, which function of the layer below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..istio import releases
from ..istio.adoption import ADOPTABLE
from ..istio.charts import Archive, ChartSource
from ..istio.config import Config, config_of_kind, config_of_many, run_config
from ..istio.config_info import Query, query, run_query
from ..istio.control_plane import run_control_plane
from ..istio.desired_control_plane import (
    COMPONENTS,
    DEFAULT_COMPONENTS,
    MERGE,
    VALUES_MERGE,
    ControlPlane,
    judged,
)
from ..istio.desired_gateway import REFUSE, REPLACE, SERVICE_TYPES, TYPES, GatewayDeployment
from ..istio.desired_gateway import judged as judged_gateway
from ..istio.facts import ROOT_NAMESPACE
from ..istio.gateways import run_gateway_deployment
from ..istio.injection import NamespaceInjection, namespace_injection, run_injection
from ..istio.kind import Kind, module_options
from ..istio.phases import PHASES, Wanted, run_upgrade
from ..istio.precheck_facts import ARRIVING, OPERATIONS, Target, read_facts
from ..istio.prechecks import checked, known_codes, require
from ..istio.removal import Uninstall
from ..istio.revisions import checked_revision, shown
from ..istio.shift import CHOICES, Selection, checked_selection
from ..istio.sizing import SIZES
from ..istio.status import GATHER, mesh_status
from ..istio.tags import RevisionTag, checked_tag, run_revision_tag
from ..istio.uninstall import run_uninstall
from ..istio.upgrade_record import IN_PLACE, STRATEGIES
from ..istio.webhooks import DEFAULT_REVISION
from ..reconcile.outcome import Outcome
from ..reconcile.run import Run
from .arguments import (
    CHART_SOURCE,
    CHECKS,
    CONNECTION,
    MODE,
    NAMESPACE_INJECTION,
    OBJECT_SET,
    ON_ERROR,
    OWNERSHIP,
    STATE,
    VALIDATE,
    WAIT,
    ArgumentSpec,
    spec_of_kind,
    spec_of_lists,
)
from .operation import Operation, Params


def kind_operation(kind: Kind) -> Operation[Config]:
    """The operation of a module that applies objects of one kind."""

    common = STATE + OWNERSHIP + CHECKS
    names = module_options(kind, (CONNECTION + common).options)

    def prepare(params: Params) -> Config:
        return config_of_kind(kind, {**params, **{name: params[names[name]] for name in kind.options}})

    return Operation(kind.name, spec_of_kind(kind, names) + _needs(kind, names) + common, prepare, run_config)


def _needs(kind: Kind, names: Mapping[str, str]) -> ArgumentSpec:
    """What an object of the kind cannot be without."""
    needed = [names[name] for name, option in kind.options.items() if option.required]
    return ArgumentSpec({}, {"required_if": [("state", "present", needed)]} if needed else {})


# The action plugin replaces what `src` names by what stands there, which may be vaulted.
_MANIFESTS = ArgumentSpec(
    {
        "src": {"type": "list", "elements": "str", "no_log": True},
        "objects": {"type": "list", "elements": "dict"},
    }
)
CONFIG: Operation[Config] = Operation(
    "config",
    _MANIFESTS + spec_of_lists() + STATE + OWNERSHIP + CHECKS + OBJECT_SET + ON_ERROR + VALIDATE,
    config_of_many,
    run_config,
)

CONFIG_INFO: Operation[Query] = Operation(
    "config_info",
    ArgumentSpec(
        {
            "kinds": {"type": "list", "elements": "str", "default": []},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "label_selectors": {"type": "list", "elements": "str", "default": []},
            "managed_fields": {"type": "bool", "default": False},
        }
    ),
    query,
    run_query,
)


def _chart_source(params: Params) -> ChartSource:
    charts: Mapping[str, Any] = params.get("charts") or {}
    cache = {"cache": Path(charts["cache"])} if charts.get("cache") else {}
    kept: dict[str, Any] = {**cache, "use_cache": charts.get("use_cache", True)}
    if charts.get("directory"):
        return ChartSource(directory=charts["directory"], **kept)
    if charts.get("archives"):
        return ChartSource(archives=tuple(Archive(**archive) for archive in charts["archives"]), **kept)
    return ChartSource(repository=charts.get("repository") or releases.chart_repository(params["version"]), **kept)


def _control_plane(params: Params) -> ControlPlane | Uninstall:
    return _wanted(params) if params["state"] == "present" else _unwanted(params)


def _unwanted(params: Params) -> Uninstall:
    return Uninstall(
        mode=params["mode"],
        namespace=params["namespace"],
        revision=checked_revision(params.get("revision")),
        components=tuple(params["components"]),
        inventory=params.get("inventory") or params.get("mesh_id") or "",
        take_over_from=params.get("take_over_from") or "",
        ignored=known_codes(params["ignore_checks"]),
        remove_crds=params["remove_crds"],
        remove_configuration=params["remove_configuration"],
        remove_leftovers=params["remove_leftovers"],
        wait_timeout=params["wait_timeout"],
    )


def _wanted(params: Params) -> ControlPlane:
    return judged(
        ControlPlane(
            version=releases.checked_version(params["version"]),
            charts=_chart_source(params),
            mode=params["mode"],
            namespace=params["namespace"],
            revision=checked_revision(params.get("revision")),
            components=tuple(params["components"]),
            profile=params.get("profile"),
            platform=params.get("platform"),
            compatibility_version=params.get("compatibility_version"),
            image_hub=params["image_hub"],
            pull_secrets=tuple(params["pull_secrets"]),
            mesh_id=params.get("mesh_id"),
            cluster_name=params.get("cluster_name"),
            network=params.get("network"),
            inventory=params.get("inventory") or params.get("mesh_id") or "",
            take_over_from=params.get("take_over_from") or "",
            protected=params["protected"],
            adopt=frozenset(params["adopt"]),
            adopt_changes=params["adopt_changes"],
            mesh_config=params.get("mesh_config") or {},
            high_availability=params["high_availability"],
            sizing=params.get("sizing"),
            values=params.get("values") or {},
            values_merge=params["values_merge"],
            helm=params["helm_binary"],
            wait_timeout=params["wait_timeout"],
        )
    )


def _run_control_plane(run: Run, request: ControlPlane | Uninstall) -> Outcome:
    return run_uninstall(run, request) if isinstance(request, Uninstall) else run_control_plane(run, request)


# What is there tells its version: only who installs has to say one.
_REMOVABLE = ArgumentSpec({"version": {"type": "str"}}, {"required_if": [("state", "present", ["version"])]})
_ADOPTION = ArgumentSpec(
    {
        "adopt": {"type": "list", "elements": "str", "choices": list(ADOPTABLE), "default": []},
        "adopt_changes": {"type": "bool", "default": False},
    }
)
_REMOVAL = ArgumentSpec(
    {
        "protected": {"type": "bool", "default": False},
        "ignore_checks": {"type": "list", "elements": "str", "default": []},
        "remove_crds": {"type": "bool", "default": False},
        "remove_configuration": {"type": "bool", "default": False},
        "remove_leftovers": {"type": "bool", "default": False},
    }
)
CONTROL_PLANE: Operation[ControlPlane | Uninstall] = Operation(
    "control_plane",
    ArgumentSpec(
        {
            "namespace": {"type": "str", "default": "istio-system"},
            "revision": {"type": "str"},
            "components": {
                "type": "list",
                "elements": "str",
                "choices": list(COMPONENTS),
                "default": list(DEFAULT_COMPONENTS),
            },
            "profile": {"type": "str"},
            "platform": {"type": "str"},
            "compatibility_version": {"type": "str"},
            "image_hub": {"type": "str", "default": "docker.io/istio"},
            # The names of Secrets, which are no secrets.
            "pull_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "mesh_id": {"type": "str"},
            "cluster_name": {"type": "str"},
            "network": {"type": "str"},
            "inventory": {"type": "str"},
            "take_over_from": {"type": "str"},
            "mesh_config": {"type": "dict"},
            "high_availability": {"type": "bool", "default": False},
            "sizing": {"type": "str", "choices": list(SIZES)},
            "values": {"type": "dict", "options": {component: {"type": "dict"} for component in COMPONENTS}},
            "values_merge": {"type": "str", "choices": list(VALUES_MERGE), "default": MERGE},
        }
    )
    + CHART_SOURCE
    + _REMOVABLE
    + _ADOPTION
    + _REMOVAL
    + STATE
    + MODE
    + WAIT,
    _control_plane,
    _run_control_plane,
)


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
    given: dict[str, Any] = {name: params.get(name) or {} for name in _GATEWAY_MAPPINGS}
    given |= {name: tuple(params.get(name) or ()) for name in _GATEWAY_LISTS}
    return judged_gateway(
        GatewayDeployment(
            name=params["name"],
            namespace=params["namespace"],
            version=releases.checked_version(params["version"]),
            charts=_chart_source(params),
            present=params["state"] == "present",
            type=params["type"],
            network=params.get("network"),
            mode=params["mode"],
            revision=params.get("revision"),
            replicas=params.get("replicas"),
            pull_secrets=tuple(params["pull_secrets"]),
            replace=params["replace"],
            take_ownership_from=tuple(params["take_ownership_from"]),
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
    + CHART_SOURCE
    + MODE
    + WAIT,
    _gateway_deployment,
    run_gateway_deployment,
)


def _injection(params: Params) -> tuple[list[NamespaceInjection], list[str]]:
    return [namespace_injection(**entry) for entry in params["namespaces"]], params["take_ownership_from"]


def _run_injection(run: Run, request: tuple[list[NamespaceInjection], list[str]]) -> Outcome:
    return run_injection(run, *request)


INJECTION: Operation[tuple[list[NamespaceInjection], list[str]]] = Operation(
    "injection",
    ArgumentSpec({"namespaces": {"type": "list", "elements": "dict", "required": True, "options": NAMESPACE_INJECTION}})
    + OWNERSHIP,
    _injection,
    _run_injection,
)


def _gather(params: Params) -> frozenset[str]:
    return frozenset(params["gather"])


def _run_mesh_info(run: Run, gather: frozenset[str]) -> Outcome:
    status, warnings = mesh_status(run.client, gather)
    return Outcome(extra={"mesh": status}, warnings=warnings)


MESH_INFO: Operation[frozenset[str]] = Operation(
    "mesh_info",
    ArgumentSpec({"gather": {"type": "list", "elements": "str", "choices": list(GATHER), "default": []}}),
    _gather,
    _run_mesh_info,
)


def _precheck(params: Params) -> tuple[Target, frozenset[str]]:
    version = params.get("version")
    target = Target(
        operation=params["operation"],
        version=releases.parsed(version) if version else None,
        revision=params.get("revision") or DEFAULT_REVISION,
        namespace=params["namespace"],
        image_hub=params["image_hub"],
    )
    return target, known_codes(params["ignore_checks"])


def _run_precheck(run: Run, request: tuple[Target, frozenset[str]]) -> Outcome:
    target, ignored = request
    facts = read_facts(run.client, target)
    findings = checked(facts, ignored)
    return Outcome(extra={"precheck": require(facts, findings)}, warnings=list(map(str, findings)))


def _upgrade(params: Params) -> Wanted:
    selection = Selection(
        tuple(params["namespaces"]), params.get("selector") or "", params.get("percentage"), params.get("tag") or ""
    )
    version = params.get("version")
    return Wanted(
        phase=params["phase"],
        strategy=params["strategy"],
        version=releases.checked_version(version) if version else "",
        revision=shown(checked_revision(params.get("revision"))),
        from_revision=params.get("from_revision") or "",
        namespace=params["namespace"],
        mode=params["mode"],
        selection=checked_selection(selection),
        restart=params["restart"],
        take_ownership_from=tuple(params["take_ownership_from"]),
        wait_timeout=params["wait_timeout"],
    )


UPGRADE: Operation[Wanted] = Operation(
    "upgrade",
    ArgumentSpec(
        {
            "phase": {"type": "str", "choices": list(PHASES), "required": True},
            "strategy": {"type": "str", "choices": list(STRATEGIES), "default": IN_PLACE},
            "version": {"type": "str"},
            "revision": {"type": "str"},
            "from_revision": {"type": "str"},
            "namespace": {"type": "str", "default": ROOT_NAMESPACE},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "selector": {"type": "str"},
            "percentage": {"type": "int"},
            "tag": {"type": "str"},
            "restart": {"type": "bool", "default": True},
        },
        {
            "required_if": [("phase", "start", ["version"]), ("phase", "shift", list(CHOICES), True)],
            "mutually_exclusive": [CHOICES],
        },
    )
    + MODE
    + OWNERSHIP
    + WAIT,
    _upgrade,
    run_upgrade,
)


PRECHECK: Operation[tuple[Target, frozenset[str]]] = Operation(
    "precheck",
    ArgumentSpec(
        {
            "operation": {"type": "str", "choices": list(OPERATIONS), "required": True},
            "version": {"type": "str"},
            "revision": {"type": "str"},
            "namespace": {"type": "str", "default": "istio-system"},
            "image_hub": {"type": "str", "default": "docker.io/istio"},
            "ignore_checks": {"type": "list", "elements": "str", "default": []},
        },
        {"required_if": [("operation", name, ["version"]) for name in ARRIVING]},
    ),
    _precheck,
    _run_precheck,
)


def _revision_tag(params: Params) -> RevisionTag:
    return checked_tag(
        RevisionTag(
            tag=params["tag"],
            revision=params["revision"] if params["state"] == "present" else None,
            namespace=params["namespace"],
            take_ownership_from=tuple(params["take_ownership_from"]),
            force=params["force"],
        )
    )


REVISION_TAG: Operation[RevisionTag] = Operation(
    "revision_tag",
    ArgumentSpec(
        {
            "tag": {"type": "str", "required": True},
            "revision": {"type": "str"},
            "namespace": {"type": "str", "default": ROOT_NAMESPACE},
            "force": {"type": "bool", "default": False},
        },
        {"required_if": [("state", "present", ["revision"])]},
    )
    + STATE
    + OWNERSHIP,
    _revision_tag,
    run_revision_tag,
)
