# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a kind of Istio's API is to the modules, and how its options become an object.

First-level keys of a spec are options of a module, in snake_case and typed;
deeper values are Istio's own camelCase and are never converted. The kinds
themselves are a table, in kinds.py.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..kube.resources import Resource

OptionType = Literal["str", "int", "dict", "list"]
_METADATA = ("name", "namespace", "labels", "annotations")


@dataclass(frozen=True)
class SpecOption:
    """A first-level key of a kind's spec. `required` says whether an object cannot be without it."""

    field: str
    type: OptionType
    elements: Literal["str", "dict"] | None = None
    choices: tuple[str, ...] = ()
    required: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind: its module's name, where it lives, its place in the order, its options."""

    name: str
    plural_name: str
    resource: Resource
    rank: int
    options: Mapping[str, SpecOption]


def module_options(kind: Kind, taken: Container[str]) -> dict[str, str]:
    """The module's name of each option: its own, or `spec_<name>` where the task has an option of that name.

    What collides with an object's metadata is called so in the table already, and so everywhere.
    """
    return {name: f"spec_{name}" if name in taken else name for name in kind.options}


def manifest(kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
    """The object that a kind's options describe."""
    metadata = {key: values[key] for key in _METADATA if values.get(key) is not None}
    spec = {option.field: values[name] for name, option in kind.options.items() if values.get(name) is not None}
    return {
        "apiVersion": kind.resource.api_version,
        "kind": kind.resource.kind,
        "metadata": metadata,
        "spec": spec,
    }
