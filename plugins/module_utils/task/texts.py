# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers, booleans, lists and mappings where only text can stand, and nulls, found before Ansible changes them.

Of an unquoted 0.10 Ansible's `type: str` makes '0.1', of `no` 'False', of a null in a list '', and of a list what
Python writes for it: nobody has meant that. A null is to Ansible what is not given, so that all entries of an
inventory's list would go when each is commented out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..istio.yaml_text import shown

HINT = "Put it in quotes; what a template gives becomes text by '| string'"
_LEAVE_OUT = "Leave out an option that shall say nothing; a template gives 'omit' for it"
_PART = "Give the one text of it that is meant"
_ITEMS = f"{_PART}, or, where a template gives the whole list, leave out the brackets around it"


class NoText(NamedTuple):
    """What stands where text belongs, or is null, and what to do about it."""

    sentence: str
    hint: str


def no_texts(options: Mapping[str, Any], given: Mapping[str, Any], place: str = "") -> Iterator[NoText]:
    """What is wrong with the values given for some options, each with its place."""
    for name in options.keys() & given.keys():
        yield from _of_option(options[name], given[name], f"{place}{name}")


def _of_option(option: Mapping[str, Any], value: Any, place: str) -> Iterator[NoText]:
    if value is None:
        instead = "[] says that there is none" if option["type"] == "list" else "leave it out"
        yield NoText(f"'{place}' is null: {instead}", _LEAVE_OUT)
        return
    inner = option.get("options")
    if option["type"] == "list" and isinstance(value, list):
        items = [(f"{place}[{number}]", item) for number, item in enumerate(value)]
        takes_text, within = option.get("elements") == "str", True
    else:  # a list option takes a text for a list of it, and says itself what else it cannot be
        items, within = [(place, value)], False
        takes_text = option["type"] == "str" or (option.get("elements") == "str" and not isinstance(value, Mapping))
    for where, item in items:
        if inner and isinstance(item, Mapping):
            yield from no_texts(inner, item, f"{where}.")
        elif takes_text and not isinstance(item, str):
            yield _no_text(where, item, within)


def _no_text(place: str, value: Any, within: bool) -> NoText:
    if isinstance(value, list):
        return NoText(f"'{place}' is a list, and text belongs here", _ITEMS if within else _PART)
    if isinstance(value, Mapping):
        return NoText(f"'{place}' is a mapping, and text belongs here", _PART)
    return NoText(f"'{place}' must be text, but YAML reads it as {shown(value)}", HINT)
