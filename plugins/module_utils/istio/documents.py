# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in a file, as plain values: documents of YAML, or texts of JSON.

Where a field stands is found out later, only when something is wrong with it:
good files pay nothing for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .yaml_text import (
    DuplicateKey,
    FieldPath,
    InvalidSource,
    finite,
    locate,
    refused,
    too_deep,
    twice,
    yaml_nodes,
    yaml_values,
)

_SPACE = re.compile(r"\s*")


@dataclass(frozen=True)
class File:
    """A file of the controller: how the user called it, and its text."""

    place: str
    text: str

    @property
    def is_json(self) -> bool:
        return self.place.lower().endswith(".json")

    @property
    def as_yaml(self) -> str:
        """JSON is YAML but for tabs, which it has only between values."""
        return self.text.replace("\t", " ") if self.is_json else self.text


@dataclass(frozen=True)
class Document:
    """One document of a file; they count from 1, empty ones included, as an editor shows them."""

    file: File
    number: int
    content: Any

    @property
    def place(self) -> str:
        return f"{self.file.place}, document {self.number}"

    def locate(self, path: FieldPath) -> tuple[int, str]:
        """The line of a field (0 when it cannot be found) and, where it is a plain value, how it is written."""
        try:
            node = dict(yaml_nodes(self.file.place, self.file.as_yaml))[self.number]
        except (InvalidSource, KeyError):  # JSON that is no YAML, or several texts without separators
            return 0, ""
        return locate(node, path)


def documents(file: File) -> Iterator[Document]:
    """The documents of a file that hold something. Raises InvalidSource."""
    found = _json_values(file) if file.is_json else yaml_values(file.place, file.text)
    for number, content in found:
        if content is not None:
            yield Document(file, number, content)


def _json_values(file: File) -> Iterator[tuple[int, Any]]:
    decoder = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_no_number, parse_float=finite)
    position, number = _after_space(file.text, 0), 0
    while position < len(file.text):
        number += 1
        try:
            content, position = decoder.raw_decode(file.text, position)
        except json.JSONDecodeError as error:
            raise refused(file.place, error.lineno, f"it is not JSON: {error.msg}") from error
        except RecursionError as error:
            raise too_deep(file.place, 0) from error
        except _Twice as error:
            raise _with_lines(file, str(error)) from error
        except _NoNumber as error:
            raise refused(file.place, 0, f"JSON has no number {error}") from error
        except ValueError as error:  # of 400 digits, or of an exponent of 400
            raise refused(file.place, 0, "it has a number that is too large") from error
        yield number, content
        position = _after_space(file.text, position)


def _with_lines(file: File, key: str) -> InvalidSource:
    """JSON's reader does not tell lines, YAML's does."""
    try:
        list(yaml_values(file.place, file.as_yaml))
    except DuplicateKey as error:
        return error
    except InvalidSource:  # JSON that is no YAML
        pass
    return twice(file.place, key)


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


class _Twice(Exception):
    """A key of a JSON object that stands twice."""


class _NoNumber(Exception):
    """NaN or Infinity, which Python takes for JSON."""


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        keys = [key for key, _value in pairs]
        raise _Twice(next(key for key in keys if keys.count(key) > 1))
    return content


def _no_number(text: str) -> Any:
    raise _NoNumber(text)
