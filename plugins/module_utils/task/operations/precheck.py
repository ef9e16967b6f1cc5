# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of precheck."""

from __future__ import annotations

from ...istio import releases
from ...istio.precheck_facts import ARRIVING, OPERATIONS, Target, read_facts
from ...istio.prechecks import checked, known_codes, require
from ...istio.webhooks import DEFAULT_REVISION
from ...reconcile.outcome import Outcome
from ...reconcile.run import Run
from ..arguments import ArgumentSpec
from ..operation import Operation, Params


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
