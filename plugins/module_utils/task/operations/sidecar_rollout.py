# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of sidecar_rollout."""

from __future__ import annotations

from ...istio.facts import ROOT_NAMESPACE
from ...istio.rollout_waves import RolloutError
from ...istio.rollout_world import Scope
from ...istio.selectors import checked_selector
from ...istio.sidecar_rollout import Rollout, run_sidecar_rollout
from ..arguments import ArgumentSpec
from ..mesh_arguments import ROLLOUT
from ..operation import Operation, Params
from .rollout_options import how_of


def _rollout(params: Params) -> Rollout:
    names = params.get("namespaces")
    selector = checked_selector(params.get("selector"), RolloutError)
    scope = Scope(None if names is None else tuple(names), selector, params["allow_partial"])
    return Rollout(scope, how_of(params), tuple(params["pods"]))


SIDECAR_ROLLOUT: Operation[Rollout] = Operation(
    "sidecar_rollout",
    ArgumentSpec(
        {
            "namespaces": {"type": "list", "elements": "str"},
            "selector": {"type": "str"},
            "allow_partial": {"type": "bool", "default": False},
            "pods": {"type": "list", "elements": "str", "default": []},
            "namespace": {"type": "str", "default": ROOT_NAMESPACE},
        }
    )
    + ROLLOUT,
    _rollout,
    run_sidecar_rollout,
)
