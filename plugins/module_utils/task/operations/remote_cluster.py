# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of remote_cluster: the one task that has to do with two clusters."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from ...istio.facts import ROOT_NAMESPACE
from ...istio.kinds import RESOURCES
from ...istio.registration import Registration, RemoteClusterError, checked
from ...istio.remote_cluster import run_register, run_unregister
from ...kube.client import Client
from ...kube.connection import connect
from ...kube.errors import Unreachable
from ...kube.kubeconfig import ConnectionOptions
from ...reconcile.outcome import Outcome
from ...reconcile.planned import Planned
from ...reconcile.run import Run
from ..arguments import OWNERSHIP, REMOTE, STATE, ArgumentSpec
from ..environment import remote_options
from ..operation import Operation, Params


@dataclass(frozen=True)
class Request:
    """A registration, and the way to the cluster that it is about; none where that is gone."""

    registration: Registration
    remote: ConnectionOptions | None
    state: str
    primary_unreachable: bool = False


def _remote_cluster(params: Params) -> Request:
    wanted = Registration(
        cluster=params["cluster_name"],
        primary=params["primary"],
        namespace=params["namespace"],
        remote_namespace=params["remote_namespace"] or params["namespace"],
        server=params["server"] or "",
        server_ca=params["server_ca"] or "",
        lifetime=timedelta(seconds=params["token_lifetime"]),
        rotate=params["rotate"],
        serves=params["serves"],
        config_account=params["config_account"] or "",
        wait_timeout=params["wait_timeout"],
        take_ownership_from=tuple(params["take_ownership_from"]),
    )
    remote = remote_options(params)
    _refuse_unreachable(params)
    if params["unreachable"]:
        remote = None
    elif remote is None:
        raise RemoteClusterError(
            "The remote cluster is not named",
            subject="remote",
            hint="Give its connection by 'remote'; to take out one that is gone for good, say 'unreachable: true'",
        )
    return Request(checked(wanted), remote, params["state"], params["primary_unreachable"])


def _refuse_unreachable(params: Params) -> None:
    said = [name for name in ("unreachable", "primary_unreachable") if params[name]]
    if said and params["state"] == "present":
        raise RemoteClusterError(
            "A cluster that cannot be reached cannot be registered",
            subject=said[0],
            hint=f"Leave '{said[0]}' out, or say 'state: absent'",
        )
    if len(said) > 1:
        raise RemoteClusterError(
            "Where both clusters are gone there is nothing to take out",
            subject=said[1],
            hint="Say of one of them that it cannot be reached",
        )


def _run_remote_cluster(run: Run, request: Request) -> Outcome:
    wanted = request.registration
    if request.remote is None:
        return run_unregister(run, None, wanted)
    client = Client(connect(request.remote), RESOURCES)
    remote = replace(run, client=client, planned=Planned())
    try:
        if request.state == "absent":
            outcome = run_unregister(None if request.primary_unreachable else run, remote, wanted)
        else:
            outcome = run_register(run, remote, wanted)
    except Unreachable as error:
        if request.state == "absent":
            error.hint += "; to take out a remote that is gone for good, say 'unreachable: true'"
        raise
    outcome.warnings += client.warnings
    return outcome


REMOTE_CLUSTER: Operation[Request] = Operation(
    "remote_cluster",
    ArgumentSpec(
        {
            "cluster_name": {"type": "str", "required": True},
            "primary": {"type": "str", "required": True},
            "namespace": {"type": "str", "default": ROOT_NAMESPACE},
            "remote_namespace": {"type": "str"},
            "server": {"type": "str"},
            "server_ca": {"type": "str"},
            "token_lifetime": {"type": "int", "default": 7776000, "no_log": False},
            "rotate": {"type": "bool", "default": False},
            "serves": {"type": "bool", "default": False},
            "config_account": {"type": "str"},
            "unreachable": {"type": "bool", "default": False},
            "primary_unreachable": {"type": "bool", "default": False},
            "wait_timeout": {"type": "float", "default": 60.0},
        }
    )
    + REMOTE
    + STATE
    + OWNERSHIP,
    _remote_cluster,
    _run_remote_cluster,
)
