# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of control_plane: to install, and to remove."""

from __future__ import annotations

from ...istio import releases
from ...istio.control_plane import run_control_plane
from ...istio.desired_control_plane import (
    COMPONENTS,
    DEFAULT_COMPONENTS,
    MERGE,
    VALUES_MERGE,
    ControlPlane,
    Remote,
    judged,
)
from ...istio.names import check_names
from ...istio.prechecks import known_codes
from ...istio.removal import Uninstall
from ...istio.revisions import checked_revision
from ...istio.sizing import SIZES
from ...istio.uninstall import run_uninstall
from ...reconcile.outcome import Outcome
from ...reconcile.run import Run
from ..arguments import STATE, WAIT, ArgumentSpec
from ..mesh_arguments import ADOPTION, CHART_SOURCE, MODE
from ..operation import Operation, Params
from .chart_source import chart_source


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
    check_names(mesh_id=params.get("mesh_id"), cluster_name=params.get("cluster_name"), network=params.get("network"))
    return judged(
        ControlPlane(
            version=releases.checked_version(params["version"]),
            charts=chart_source(params),
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
            remote=_remote(params.get("remote")),
            config_cluster=params.get("config_cluster") or "",
            inventory=params.get("inventory") or params.get("mesh_id") or "",
            take_over_from=params.get("take_over_from") or "",
            protected=params["protected"],
            adopt=frozenset(params["adopt"]),
            adopt_changes=params["adopt_changes"],
            mesh_config=params.get("mesh_config") or {},
            high_availability=params["high_availability"],
            sizing=params.get("sizing"),
            injection_default=params["injection_default"],
            values=params.get("values") or {},
            values_merge=params["values_merge"],
            helm=params["helm_binary"],
            wait_timeout=params["wait_timeout"],
        )
    )


def _remote(said: Params | None) -> Remote | None:
    """An empty name says that the cluster is a remote one; nothing at all does not."""
    if said is None or all(value is None for value in said.values()):
        return None
    return Remote(said.get("primary") or "", said.get("address") or "")


def _run_control_plane(run: Run, request: ControlPlane | Uninstall) -> Outcome:
    return run_uninstall(run, request) if isinstance(request, Uninstall) else run_control_plane(run, request)


# What is there tells its version: only who installs has to say one.
_REMOVABLE = ArgumentSpec({"version": {"type": "str"}}, {"required_if": [("state", "present", ["version"])]})
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
            "remote": {
                "type": "dict",
                "options": {
                    "primary": {"type": "str"},
                    "address": {"type": "str"},
                },
            },
            "config_cluster": {"type": "str"},
            "inventory": {"type": "str"},
            "take_over_from": {"type": "str"},
            "mesh_config": {"type": "dict"},
            "high_availability": {"type": "bool", "default": False},
            "sizing": {"type": "str", "choices": list(SIZES)},
            "injection_default": {"type": "bool", "default": False},
            "values": {"type": "dict", "options": {component: {"type": "dict"} for component in COMPONENTS}},
            "values_merge": {"type": "str", "choices": list(VALUES_MERGE), "default": MERGE},
        }
    )
    + CHART_SOURCE
    + _REMOVABLE
    + ADOPTION
    + _REMOVAL
    + STATE
    + MODE
    + WAIT,
    _control_plane,
    _run_control_plane,
)
