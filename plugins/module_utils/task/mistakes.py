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
from ansible.module_utils.errors import UnsupportedError

from ..istio.yaml_text import shown
from ..kube.text import did_you_mean

_Options = Mapping[str, Any]
_RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")


def mistakes(options: _Options, rules: _Options, given: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """In words; nothing when there are none."""
    nested = {name: option for name, option in options.items() if given.get(name) is not None and _has_entries(option)}
    emptied = {name: _emptied(option, given[name]) for name, option in nested.items()}
    yield from _of_level(options, rules, {**given, **emptied}, place)
    for name, option in nested.items():
        for where, entry in _entries(option, given[name], f"{place}.{name}" if place else name):
            if not isinstance(entry, Mapping):
                yield f"'{where}' must be a mapping and is {shown(entry)}"
            elif "options" in option:
                yield from mistakes(option["options"], {rule: option.get(rule) for rule in _RULES}, entry, where)


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


def _has_entries(option: _Options) -> bool:
    return "options" in option or option.get("elements") == "dict"


def _entries(option: _Options, value: Any, place: str) -> list[tuple[str, Any]]:
    """Text is the validator's, which takes JSON for a mapping, and so is what should be a list and is none."""
    if option["type"] == "list":
        found = [(f"{place}[{number}]", item) for number, item in enumerate(value)] if isinstance(value, list) else []
    else:
        found = [(place, value)]
    return [(where, item) for where, item in found if not isinstance(item, str)]


def _emptied(option: _Options, value: Any) -> Any:
    """What is left for the validator."""
    if option["type"] == "list":
        return [item for item in value if isinstance(item, str)] if isinstance(value, list) else value
    return value if isinstance(value, str) else {}


def _without_nulls(value: Any) -> Any:
    """They are told with their place, and from ansible-core 2.17 on the validator has nothing against them."""
    return [item for item in value if item is not None] if isinstance(value, list) else value
