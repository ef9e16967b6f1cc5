# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Argument specs: an option stands once, with its rules, and every module composes them.

Each constant here and in mesh_arguments.py has a documentation fragment of the
same name in plugins/doc_fragments; ansible-test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..istio.facts import ROOT_NAMESPACE
from ..istio.kind import Kind, SpecOption
from ..istio.kinds import KINDS
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
WAIT = ArgumentSpec({"wait_timeout": {"type": "float", "default": 300.0}})

METADATA = ArgumentSpec(
    {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str", "required": True},
        "labels": {"type": "dict"},
        "annotations": {"type": "dict"},
    }
)


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
