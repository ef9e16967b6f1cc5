# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of upgrade."""

from __future__ import annotations

from ...istio import releases
from ...istio.facts import ROOT_NAMESPACE
from ...istio.phases import PHASES, Wanted, run_upgrade
from ...istio.revisions import checked_revision, shown
from ...istio.selectors import checked_selector
from ...istio.shift import CHOICES, Selection, checked_selection
from ...istio.upgrade_record import IN_PLACE, STRATEGIES, UpgradeError
from ..arguments import OWNERSHIP, ArgumentSpec
from ..mesh_arguments import MODE, ROLLOUT
from ..operation import Operation, Params
from .rollout_options import how_of


def _upgrade(params: Params) -> Wanted:
    names, everything = params.get("namespaces"), "for everything say 'percentage: 100'"
    selection = Selection(
        None if names is None else tuple(names),
        checked_selector(params.get("selector"), UpgradeError, everything=everything),
        params.get("percentage"),
        params.get("tag") or "",
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
        how=how_of(params),
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
            "namespaces": {"type": "list", "elements": "str"},
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
    + ROLLOUT,
    _upgrade,
    run_upgrade,
)
