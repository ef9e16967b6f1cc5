# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with a task's options, each mistake with its place.

Ansible's validator names the option that a list belongs to. With two hundred
routes in it, people need the number of the one that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.validation import check_type_dict
from ansible.module_utils.errors import UnsupportedError

from ..kube.text import did_you_mean

_Options = Mapping[str, Any]
_RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")
# By name, because a value may be secret.
_NAMES: Mapping[type, str] = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list"}


def mistakes(options: _Options, rules: _Options, given: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """In words; nothing when there are none."""
    nested = {name: option for name, option in options.items() if _entries(option, given.get(name), name)}
    emptied: dict[str, Any] = {name: [] if option["type"] == "list" else {} for name, option in nested.items()}
    yield from _of_level(options, rules, {**given, **emptied}, place)
    for name, option in nested.items():
        for where, entry in _entries(option, given[name], f"{place}.{name}" if place else name):
            if (content := _mapping(entry)) is None:
                yield f"'{where}' must be a mapping and is {_NAMES.get(type(entry), 'null')}"
            elif "options" in option:
                yield from mistakes(option["options"], {rule: option.get(rule) for rule in _RULES}, content, where)


def _of_level(options: _Options, rules: _Options, given: Mapping[str, Any], place: str) -> Iterator[str]:
    """What the validator says of options whose own entries are left out."""
    flat = {name: {key: option[key] for key in option if key != "options"} for name, option in options.items()}
    result = ArgumentSpecValidator(flat, **rules).validate({name: _without_nulls(given[name]) for name in given})
    prefix, suffix = (f"{place}.", f" in '{place}'") if place else ("", "")
    for unknown in sorted(map(str, result.unsupported_parameters)):
        yield f"unknown option '{prefix}{unknown}'{did_you_mean(unknown, options)}"
    for error in result.errors:
        if not isinstance(error, UnsupportedError):
            yield f"{error.msg}{suffix}"


def _entries(option: _Options, value: Any, place: str) -> list[tuple[str, Any]]:
    """The mappings that an option takes, each with its place. What should be a list and is none is the validator's."""
    if value is None or ("options" not in option and option.get("elements") != "dict"):
        return []
    if option["type"] != "list":
        return [(place, value)]
    return [(f"{place}[{number}]", item) for number, item in enumerate(value)] if isinstance(value, list) else []


def _mapping(entry: Any) -> Mapping[str, Any] | None:
    """An entry as the validator takes it, for which JSON is a mapping, too."""
    try:
        return dict(check_type_dict(entry))
    except TypeError:
        return None


def _without_nulls(value: Any) -> Any:
    """They are told with their place, and from ansible-core 2.17 on the validator has nothing against them."""
    return [item for item in value if item is not None] if isinstance(value, list) else value
