# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of mesh_info."""

from __future__ import annotations

from dataclasses import dataclass

from ...istio.facts import ROOT_NAMESPACE
from ...istio.status import GATHER, mesh_status
from ...reconcile.outcome import Outcome
from ...reconcile.run import Run
from ..arguments import ArgumentSpec
from ..operation import Operation, Params


@dataclass(frozen=True)
class Request:
    """What shall be told, and where a control plane shall be."""

    gather: frozenset[str]
    namespace: str


def _request(params: Params) -> Request:
    return Request(frozenset(params["gather"]), params["namespace"])


def _run_mesh_info(run: Run, request: Request) -> Outcome:
    status, warnings = mesh_status(run.client, request.gather, namespace=request.namespace)
    return Outcome(extra={"mesh": status}, warnings=warnings)


MESH_INFO: Operation[Request] = Operation(
    "mesh_info",
    ArgumentSpec(
        {
            "gather": {"type": "list", "elements": "str", "choices": list(GATHER), "default": []},
            "namespace": {"type": "str", "default": ROOT_NAMESPACE},
        }
    ),
    _request,
    _run_mesh_info,
)
