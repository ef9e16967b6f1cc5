# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation of proxy_log_level."""

from __future__ import annotations

from ...istio.proxy_logs import LogLevel, run_log_level
from ...istio.workload_settings import LOG_LEVELS
from ..arguments import ArgumentSpec
from ..operation import Operation, Params


def _log_level(params: Params) -> LogLevel:
    return LogLevel(
        params["namespace"],
        params["level"],
        tuple(params.get("pods") or ()),
        params.get("selector") or "",
        params["request_timeout"],
    )


PROXY_LOG_LEVEL: Operation[LogLevel] = Operation(
    "proxy_log_level",
    ArgumentSpec(
        {
            "namespace": {"type": "str", "required": True},
            "pods": {"type": "list", "elements": "str"},
            "selector": {"type": "str"},
            "level": {"type": "str", "required": True, "choices": list(LOG_LEVELS)},
        },
        {"required_one_of": [("pods", "selector")], "mutually_exclusive": [("pods", "selector")]},
    ),
    _log_level,
    run_log_level,
)
