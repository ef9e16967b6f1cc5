# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Numbers, booleans and nulls where only text can stand, found before Ansible makes text of them.

Of an unquoted 0.10 Ansible's `type: str` makes '0.1', of `no` 'False', of a null in a list '': nobody has meant that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..istio.yaml_text import shown

HINT = "Put it in quotes; what a template gives becomes text by '| string'"


def no_texts(options: Mapping[str, Any], given: Mapping[str, Any], place: str = "") -> Iterator[str]:
    """What is wrong with the values given for some options, each with its place."""
    for name in options.keys() & given.keys():
        yield from _of_option(options[name], given[name], f"{place}{name}")


def _of_option(option: Mapping[str, Any], value: Any, place: str) -> Iterator[str]:
    inner, takes_text = option.get("options"), "str" in (option["type"], option.get("elements"))
    items = [(f"{place}[{number}]", item) for number, item in enumerate(value)] if isinstance(value, list) else []
    for where, item in items or [(place, value)]:
        if inner and isinstance(item, Mapping):
            yield from no_texts(inner, item, f"{where}.")
        elif takes_text and (isinstance(item, (bool, int, float)) or (items and item is None)):
            yield f"'{where}' must be text, but YAML reads it as {shown(item)}"
