# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of injection_info."""

from __future__ import annotations

from ...istio.injection_info import Query, injection_query, run_injection_info
from ..arguments import ArgumentSpec
from ..mesh_arguments import WORKLOAD_KINDS
from ..operation import Operation

_CHANGE = {
    "namespace": {"type": "str", "required": True},
    "workload": {"type": "str"},
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
}

INJECTION_INFO: Operation[Query] = Operation(
    "injection_info",
    ArgumentSpec(
        {
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "selector": {"type": "str"},
            "allow_partial": {"type": "bool", "default": False},
            "explain": {"type": "list", "elements": "str", "default": []},
            "what_if": {"type": "list", "elements": "dict", "default": [], "options": _CHANGE},
        }
    )
    + WORKLOAD_KINDS,
    injection_query,
    run_injection_info,
)
