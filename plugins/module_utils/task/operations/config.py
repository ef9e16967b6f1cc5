# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations of config and config_info, and of each module of one kind."""

from __future__ import annotations

from collections.abc import Mapping

from ...istio.analyzers import ROOTED_KINDS
from ...istio.config import Config, config_of_kind, config_of_many, run_config
from ...istio.config_info import Query, query, run_query
from ...istio.kind import Kind, module_options
from ..arguments import (
    CHECKS,
    CONNECTION,
    MESH_ROOT,
    OBJECT_SET,
    ON_ERROR,
    OWNERSHIP,
    STATE,
    VALIDATE,
    ArgumentSpec,
    spec_of_kind,
    spec_of_lists,
)
from ..operation import Operation, Params


def kind_operation(kind: Kind) -> Operation[Config]:
    """The operation of a module that applies objects of one kind."""

    common = STATE + OWNERSHIP + CHECKS + (MESH_ROOT if kind.name in ROOTED_KINDS else ArgumentSpec({}))
    names = module_options(kind, (CONNECTION + common).options)

    def prepare(params: Params) -> Config:
        return config_of_kind(kind, {**params, **{name: params[names[name]] for name in kind.options}})

    fields = spec_of_kind(kind, names)
    return Operation(kind.name, fields + _needs(kind, names) + common, prepare, run_config, texts=fields.options)


def _needs(kind: Kind, names: Mapping[str, str]) -> ArgumentSpec:
    """What an object of the kind cannot be without."""
    needed = [names[name] for name, option in kind.options.items() if option.required]
    return ArgumentSpec({}, {"required_if": [("state", "present", needed)]} if needed else {})


# The action plugin replaces what `src` names by what stands there, which may be vaulted.
_MANIFESTS = ArgumentSpec(
    {
        "src": {"type": "list", "elements": "str", "no_log": True},
        "objects": {"type": "list", "elements": "dict"},
    }
)
CONFIG: Operation[Config] = Operation(
    "config",
    _MANIFESTS + spec_of_lists() + STATE + OWNERSHIP + CHECKS + MESH_ROOT + OBJECT_SET + ON_ERROR + VALIDATE,
    config_of_many,
    run_config,
    texts=(_MANIFESTS + spec_of_lists()).options,
)

CONFIG_INFO: Operation[Query] = Operation(
    "config_info",
    ArgumentSpec(
        {
            "kinds": {"type": "list", "elements": "str", "default": []},
            "namespaces": {"type": "list", "elements": "str", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "label_selectors": {"type": "list", "elements": "str", "default": []},
            "managed_fields": {"type": "bool", "default": False},
        }
    ),
    query,
    run_query,
)
