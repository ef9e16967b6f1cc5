# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs of what installs, injects and restarts; those of every module are in arguments.py.

Apart from them, because a task pays for what it loads: who applies routes knows no charts and no waves.
"""

from __future__ import annotations

from ..istio import injection, modes
from ..istio.adoption import ADOPTABLE
from ..istio.charts import CHARTS
from ..istio.on_failure import ON_FAILURE
from ..istio.rollout_window import DAYS
from .arguments import ArgumentSpec

ADOPTION = ArgumentSpec(
    {
        "adopt": {"type": "list", "elements": "str", "choices": list(ADOPTABLE), "default": []},
        "adopt_changes": {"type": "bool", "default": False},
    }
)
MODE = ArgumentSpec({"mode": {"type": "str", "choices": list(modes.MODES), "default": modes.DEDICATED}})

_GATE = {
    "type": "list",
    "elements": "dict",
    "default": [],
    "options": {
        "name": {"type": "str"},
        "query": {"type": "str"},
        "min": {"type": "float"},
        "max": {"type": "float"},
        "url": {"type": "str"},
        "approve_within": {"type": "float"},
    },
    "mutually_exclusive": [("query", "url", "approve_within")],
    "required_one_of": [("query", "url", "approve_within")],
}
_WORKLOAD = {
    "kind": {"type": "str", "default": "Deployment"},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
}
_WAVE = {
    "name": {"type": "str", "required": True},
    "namespaces": {"type": "list", "elements": "str"},
    "selector": {"type": "str"},
    "percentage": {"type": "int"},
    "workloads": {"type": "list", "elements": "dict", "options": _WORKLOAD},
    "gates": _GATE,
    "pause": {"type": "float"},
    "max_parallel": {"type": "int"},
}
_WINDOW = {
    "begin": {"type": "str", "required": True},
    "end": {"type": "str", "required": True},
    "days": {"type": "list", "elements": "str", "choices": list(DAYS)},
    "timezone": {"type": "str", "default": "UTC"},
}
_PROMETHEUS = {
    "url": {"type": "str", "required": True},
    "token": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_cert": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "timeout": {"type": "float", "default": 10.0},
}
ROLLOUT = ArgumentSpec(
    {
        "waves": {
            "type": "list",
            "elements": "dict",
            "options": _WAVE,
            "mutually_exclusive": [("namespaces", "selector", "percentage", "workloads")],
        },
        "max_parallel": {"type": "int", "default": 4},
        "failure_budget": {"type": "int", "default": 0},
        "pause": {"type": "float", "default": 0.0},
        "window": {"type": "dict", "options": _WINDOW},
        "gates": _GATE,
        "prometheus": {"type": "dict", "options": _PROMETHEUS},
        "on_failure": {"type": "str", "choices": list(ON_FAILURE), "default": "stop"},
        "allow_downtime": {"type": "bool", "default": False},
        "wait_timeout": {"type": "float", "default": 300.0},
    }
)

_ARCHIVE = {
    "chart": {"type": "str", "required": True, "choices": list(CHARTS)},
    "path": {"type": "path", "required": True},
    "sha256": {"type": "str", "required": True},
}
CHART_SOURCE = ArgumentSpec(
    {
        "version": {"type": "str", "required": True},
        "charts": {
            "type": "dict",
            "options": {
                "repository": {"type": "str"},
                "directory": {"type": "path"},
                "archives": {"type": "list", "elements": "dict", "options": _ARCHIVE},
                "cache": {"type": "path"},
                "use_cache": {"type": "bool", "default": True},
            },
            "mutually_exclusive": [("repository", "directory", "archives")],
        },
        "helm_binary": {"type": "str", "default": "helm"},
    }
)

WORKLOAD_KINDS = ArgumentSpec(
    {
        "workload_kinds": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "group": {"type": "str", "required": True},
                "kind": {"type": "str", "required": True},
                "version": {"type": "str"},
                "plural": {"type": "str"},
                "template": {"type": "str"},
                "replicas": {"type": "str"},
                "ready": {"type": "str"},
                "hash_label": {"type": "str"},
            },
        }
    }
)

NAMESPACE_INJECTION = {
    "name": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": list(injection.NAMESPACE_MODES)},
    "revision": {"type": "str"},
    "create": {"type": "bool", "default": False},
}
