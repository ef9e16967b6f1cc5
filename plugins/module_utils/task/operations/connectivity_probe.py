# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of connectivity_probe."""

from __future__ import annotations

from ...istio.connectivity import Check, Other, checked, run_absent, run_present
from ...istio.facts import ROOT_NAMESPACE
from ...istio.probe_objects import Probe
from ...reconcile.outcome import Outcome
from ...reconcile.run import Run
from ..arguments import STATE, ArgumentSpec
from ..operation import Operation, Params

_OTHER = {"name": {"type": "str", "required": True}, "network": {"type": "str", "default": ""}}


def _connectivity_probe(params: Params) -> tuple[Check, bool]:
    probe = Probe(params["cluster_name"], params["namespace"], params.get("revision") or "")
    others = tuple(Other(one["name"], one["network"]) for one in params.get("ask") or ())
    check = Check(probe, params["network"], others, max(1, params["times"]), params["wait_timeout"])
    return checked(check), params["state"] == "present"


def _run_connectivity_probe(run: Run, request: tuple[Check, bool]) -> Outcome:
    check, present = request
    return (run_present if present else run_absent)(run, check)


CONNECTIVITY_PROBE: Operation[tuple[Check, bool]] = Operation(
    "connectivity_probe",
    ArgumentSpec(
        {
            "cluster_name": {"type": "str", "required": True},
            "network": {"type": "str", "default": ""},
            "namespace": {"type": "str", "default": ROOT_NAMESPACE},
            "revision": {"type": "str"},
            "ask": {"type": "list", "elements": "dict", "options": _OTHER},
            "times": {"type": "int", "default": 3},
            "wait_timeout": {"type": "float", "default": 60.0},
        }
    )
    + STATE,
    _connectivity_probe,
    _run_connectivity_probe,
)
