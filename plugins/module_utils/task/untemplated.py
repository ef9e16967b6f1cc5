# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an option takes from a variable in which there is nothing to template.

ansible-core (2.19) looks for templates value by value, with a context and a
container for each: a thousand objects of an inventory take it longer than all
that the task does with them. Most inventories hold their objects as they are.
And every worker compiles every template anew, a millisecond each: of a role's
twenty options that is more than half of what a small task takes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_ONE_VARIABLE = re.compile(
    r"\{\{\s*(?!(?i:true|false|none)\b)([A-Za-z_]\w*)(\s*\|\s*default\(omit\))?(\s+or\s+omit)?\s*\}\}"
)
_TEMPLATE = re.compile(r"\{[{%#]|#jinja2:")
# By name, because the tagged ones are ansible-core's own. All others (vaulted, undefined, lazy) are left to it.
_TEXTS = frozenset({"str", "_AnsibleTaggedStr"})
_MAPPINGS = frozenset({"dict", "_AnsibleTaggedDict"})
_LISTS = frozenset({"list", "_AnsibleTaggedList"})
_NUMBERS: Mapping[str, type] = {"int": int, "_AnsibleTaggedInt": int, "float": float, "_AnsibleTaggedFloat": float}
_CONSTANTS = frozenset({"bool", "NoneType"})


class NeedsTemplating(Exception):
    """Only ansible-core can tell the value."""


class LeftOut(Exception):
    """There is no such variable, or nothing in it, and then the option is not given."""


def untemplated(option: object, variables: Mapping[str, Any]) -> Any:
    """The value to which `option`, a template of one variable, leads. Raises NeedsTemplating and LeftOut."""
    found = _ONE_VARIABLE.fullmatch(option) if isinstance(option, str) else None
    if not found:
        raise NeedsTemplating
    name, may_be_missing, may_be_empty = found.groups()
    if name not in variables:
        raise LeftOut if may_be_missing else NeedsTemplating
    value = _plain(variables[name])
    if may_be_empty and not value:
        raise LeftOut
    return value


def _plain(value: Any) -> Any:
    kind = type(value).__name__
    if kind in _TEXTS:
        return _text(value)
    if kind in _MAPPINGS:
        return {_plain(key): _plain(item) for key, item in value.items()}
    if kind in _LISTS:
        return [_plain(item) for item in value]
    if kind in _CONSTANTS:
        return value
    if kind in _NUMBERS:
        return _NUMBERS[kind](value)
    raise NeedsTemplating


def _text(value: str) -> str:
    if _TEMPLATE.search(value):
        raise NeedsTemplating
    return str.__str__(value)
