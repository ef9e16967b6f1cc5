# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs: an option stands once, with its rules, and every module composes them.

Each constant here has a documentation fragment of the same name in
plugins/doc_fragments; ansible-test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..istio import injection, modes
from ..istio.adoption import ADOPTABLE
from ..istio.charts import CHARTS
from ..istio.facts import ROOT_NAMESPACE
from ..istio.kind import Kind, SpecOption
from ..istio.kinds import KINDS
from ..istio.on_failure import ON_FAILURE
from ..istio.rollout_window import DAYS
from ..reconcile import plan, writing

Options = Mapping[str, Any]
_RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_if")


@dataclass(frozen=True)
class ArgumentSpec:
    """Options and the rules between them, as Ansible's own validator takes them."""

    options: Options
    rules: Mapping[str, list[Any]] = field(default_factory=dict)

    def __add__(self, other: ArgumentSpec) -> ArgumentSpec:
        rules = {name: [*self.rules.get(name, []), *other.rules.get(name, [])] for name in _RULES}
        return ArgumentSpec({**self.options, **other.options}, {name: rule for name, rule in rules.items() if rule})


# Names and meaning are those of kubernetes.core; the environment is read by task/environment.py.
CONNECTION = ArgumentSpec(
    {
        "host": {"type": "str"},
        "api_key": {"type": "str", "no_log": True},
        "kubeconfig": {"type": "raw", "no_log": False},
        "context": {"type": "str"},
        "username": {"type": "str"},
        "password": {"type": "str", "no_log": True},
        "client_cert": {"type": "path", "aliases": ["cert_file"]},
        "client_key": {"type": "path", "no_log": False, "aliases": ["key_file"]},
        "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
        "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
        "proxy": {"type": "str"},
        "no_proxy": {"type": "str"},
        "proxy_headers": {"type": "dict", "no_log": True},
        "persist_config": {"type": "bool"},
        "impersonate_user": {"type": "str"},
        "impersonate_groups": {"type": "list", "elements": "str"},
        "use_current_context": {"type": "bool", "default": False},
        "require_tls_verify": {"type": "bool", "default": False},
        "request_timeout": {"type": "float", "default": 30.0},
    }
)

REMOTE = ArgumentSpec({"remote": {"type": "dict", "options": CONNECTION.options}})

STATE = ArgumentSpec({"state": {"type": "str", "choices": ["present", "absent"], "default": "present"}})
OWNERSHIP = ArgumentSpec({"take_ownership_from": {"type": "list", "elements": "str", "default": []}})
ADOPTION = ArgumentSpec(
    {
        "adopt": {"type": "list", "elements": "str", "choices": list(ADOPTABLE), "default": []},
        "adopt_changes": {"type": "bool", "default": False},
    }
)
OBJECT_SET = ArgumentSpec(
    {
        "set": {"type": "str"},
        "set_namespace": {"type": "str", "default": ROOT_NAMESPACE},
        "prune": {"type": "bool", "default": False},
        "prune_limit": {"type": "int", "default": 10},
        "adopt": {"type": "bool", "default": False},
    }
)
ON_ERROR = ArgumentSpec({"on_error": {"type": "str", "choices": list(writing.ON_ERROR), "default": "rollback"}})
VALIDATE = ArgumentSpec({"validate": {"type": "str", "choices": list(plan.VALIDATE), "default": "server"}})
CHECKS = ArgumentSpec({"ignore_checks": {"type": "list", "elements": "str", "default": []}})
MESH_ROOT = ArgumentSpec({"root_namespace": {"type": "str", "default": ROOT_NAMESPACE}})
MODE = ArgumentSpec({"mode": {"type": "str", "choices": list(modes.MODES), "default": modes.DEDICATED}})
WAIT = ArgumentSpec({"wait_timeout": {"type": "float", "default": 300.0}})

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

METADATA = ArgumentSpec(
    {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "labels": {"type": "dict"},
        "annotations": {"type": "dict"},
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


def spec_of_kind(kind: Kind, names: Mapping[str, str] | None = None) -> ArgumentSpec:
    """The options of a kind: its metadata and the first level of its spec, under other names where these are given."""
    return METADATA + ArgumentSpec(
        {(names or {}).get(name, name): _option(option) for name, option in kind.options.items()}
    )


def spec_of_lists() -> ArgumentSpec:
    """One list option for each kind; each entry takes what the kind's own module takes."""
    state = {"state": {"type": "str", "choices": ["present", "absent"]}}
    return ArgumentSpec(
        {
            kind.plural_name: {"type": "list", "elements": "dict", "options": {**spec_of_kind(kind).options, **state}}
            for kind in KINDS
        }
    )


def _option(option: SpecOption) -> dict[str, Any]:
    # Istio's specs name secrets and keys (image_pull_secret, verification_key) and hold none.
    spec: dict[str, Any] = {"type": option.type, "no_log": False}
    if option.elements:
        spec["elements"] = option.elements
    if option.choices:
        spec["choices"] = list(option.choices)
    return spec
