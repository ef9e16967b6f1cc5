# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of injection."""

from __future__ import annotations

from ...istio.injection import NamespaceInjection, namespace_injection, run_injection
from ...reconcile.outcome import Outcome
from ...reconcile.run import Run
from ..arguments import NAMESPACE_INJECTION, OWNERSHIP, ArgumentSpec
from ..operation import Operation, Params


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
