# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of mesh_info."""

from __future__ import annotations

from ...istio.status import GATHER, mesh_status
from ...reconcile.outcome import Outcome
from ...reconcile.run import Run
from ..arguments import ArgumentSpec
from ..operation import Operation, Params


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
