# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML, read as strictly as it is written carelessly, and as Kubernetes' own tools read it.

PyYAML keeps the last of two equal keys, makes dates of texts and crashes the
process over deep nesting. Here these are refused, or read as Kubernetes reads
them, and every refusal names a line.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from typing import Any

from ..kube.errors import Failure
from ..kube.yaml_loader import DEEPEST, TooDeep, limited_loader, without_names

MISSING_LIBRARY: str | None = None
try:
    import yaml
except ImportError as error:
    MISSING_LIBRARY = error.name or str(error)

FieldPath = tuple[Any, ...]  # keys and positions
# What all values of a document may weigh, each as often as an alias repeats it: far beyond any objects of 1 MB.
_MOST = 64_000_000
_ITEM = 32  # an item of a list or mapping, beside its text
_TAG = "tag:yaml.org,2002:"
_MERGE = f"{_TAG}merge"
_TEXT = f"{_TAG}str"
_SEQUENCE, _MAPPING = f"{_TAG}seq", f"{_TAG}map"
# What YAML itself has beside. Any other tag may be a password that begins with "!", so only these are named.
_NAMED = {f"{_TAG}{name}": f"!!{name}" for name in ("binary", "map", "omap", "pairs", "seq", "set", "str")}
_NAMED["!vault"] = "!vault"
_NO_KEYS = frozenset({f"{_TAG}bool", f"{_TAG}null", f"{_TAG}float"})


class InvalidSource(Failure):
    """A file of the input cannot be had or is not YAML or JSON."""

    code = "invalid_source"
    default_hint = "Correct the file; nothing has been sent to the cluster"


class DuplicateKey(InvalidSource):
    """A key stands twice in one mapping, and one of its values would be lost."""


def refused(place: str, line: int, why: str, hint: str = "") -> InvalidSource:
    """The error of a file, with its line where there is one."""
    where = f"{place}, line {line}" if line else place
    return InvalidSource(f"{where} cannot be read", subject=where, reason=why, hint=hint)


def twice(place: str, key: str, lines: str = "", line: int = 0) -> DuplicateKey:
    """The error of a key that stands twice."""
    where = f"{place}, line {line}" if line else place
    why = f"the key '{key}' stands twice in one mapping{lines}"
    return DuplicateKey(f"{where} cannot be read", subject=where, reason=why, hint="Keep one of them")


def yaml_values(place: str, text: str) -> Iterator[tuple[int, Any]]:
    """The value of each document, with its number from 1. Raises InvalidSource."""
    for number, node in yaml_nodes(place, text):
        yield number, _Builder(place).value(node)


def yaml_nodes(place: str, text: str) -> Iterator[tuple[int, Any]]:
    """The node of each document, with its number from 1. Raises InvalidSource."""
    if MISSING_LIBRARY:
        hint = "Install the collection's requirements.txt"
        raise InvalidSource(f"The Python library '{MISSING_LIBRARY}' is missing", hint=hint)
    loader, number = _loader()(text), 0
    try:
        while loader.check_node():
            number += 1
            yield number, loader.get_node()
    except yaml.reader.ReaderError as error:
        raise refused(place, 0, "it holds characters that no text has: it is binary") from error
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(place, text, error) from error
    except (TooDeep, RecursionError) as error:
        raise too_deep(place, 0) from error
    finally:
        loader.dispose()


def too_deep(place: str, line: int) -> InvalidSource:
    return refused(place, line, f"it is nested deeper than {DEEPEST} levels, or holds itself by an alias")


@functools.cache
def _loader() -> Any:
    """That of all others, which looks at a text once: files repeat themselves."""
    base = limited_loader()

    @functools.lru_cache(maxsize=100_000)
    def plain(value: str) -> str:
        return str(resolver.resolve(yaml.ScalarNode, value, (True, False)))

    def resolve(self: Any, kind: Any, value: Any, implicit: Any) -> Any:
        is_plain = kind is yaml.ScalarNode and implicit[0]
        return plain(value) if is_plain else base.resolve(self, kind, value, implicit)

    resolver = base("")
    return type("Loader", (base,), {"resolve": resolve})


def _not_yaml(place: str, text: str, error: Any) -> InvalidSource:
    mark = error.problem_mark or error.context_mark
    line = mark.line if mark else 0
    lines = text.splitlines()
    if line < len(lines) and "\t" in lines[line][: len(lines[line]) - len(lines[line].lstrip())]:
        return refused(place, line + 1, "it is indented by a tab", "YAML takes only spaces: replace the tab")
    why = ": ".join(part for part in (error.context, error.problem) if part)
    return refused(place, line + 1, f"it is not YAML: {without_names(why)}")


class _Builder:
    """Plain values of one document's nodes, as Kubernetes' own tools read them."""

    def __init__(self, place: str) -> None:
        self.place = place
        self.left = _MOST

    def value(self, node: Any, depth: int = 0) -> Any:
        if isinstance(node, yaml.ScalarNode):
            self.left -= len(node.value)
            if self.left < 0:
                raise self._too_much(node)
            return node.value if node.tag == _TEXT else self._scalar(node)
        self.left -= len(node.value) * _ITEM
        if self.left < 0:  # aliases can hold each other many times over
            raise self._too_much(node)
        if depth > DEEPEST:  # or themselves
            raise too_deep(self.place, _line(node))
        if node.tag == _SEQUENCE and isinstance(node, yaml.SequenceNode):
            return [self.value(item, depth + 1) for item in node.value]
        if node.tag == _MAPPING and isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        raise self._unknown_tag(node)

    def _scalar(self, node: Any) -> Any:
        read = _SCALARS.get(node.tag)
        if read is None:
            raise self._unknown_tag(node)
        try:
            return read(node.value)
        except ValueError as error:
            raise refused(self.place, _line(node), "it has a number that JSON cannot hold") from error

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _MERGE:
                merged = {**self._merged(value_node, depth), **merged}
                continue
            key = self._key(key_node)
            if key in own:
                raise self._twice(node, key, _line(key_node))
            own[key] = self.value(value_node, depth + 1)
        return {**merged, **own} if merged else own

    def _merged(self, node: Any, depth: int) -> dict[str, Any]:
        """What `<<` brings in: a mapping, or several of which the first counts most."""
        given = node.value if isinstance(node, yaml.SequenceNode) else [node]
        self.left -= len(given) * _ITEM
        merged: dict[str, Any] = {}
        for part in given:
            content = self.value(part, depth + 1)
            if not isinstance(content, dict):
                raise refused(self.place, _line(node), "'<<' stands for no mapping")
            merged = {**content, **merged}
        return merged

    def _key(self, node: Any) -> str:
        if not isinstance(node, yaml.ScalarNode):
            hint = "Files of 'src' are no templates; quote what is meant as text, or use 'objects' with a lookup"
            raise refused(self.place, _line(node), "a mapping or list stands where a key belongs", hint)
        if node.tag in _NO_KEYS:
            why = f"YAML reads the key '{node.value}' as {shown(self._scalar(node))}"
            raise refused(self.place, _line(node), why, "Put the key in quotes")
        self.left -= len(node.value)
        return str(node.value)

    def _too_much(self, node: Any) -> InvalidSource:
        why = f"its aliases stand for more than {_MOST // 1_000_000} MB"
        return refused(self.place, _line(node), why, "Write out what is meant, or split the file")

    def _twice(self, node: Any, key: str, line: int) -> DuplicateKey:
        first = next(_line(key_node) for key_node, _value in node.value if key_node.value == key)
        return twice(self.place, key, f", in line {first} and in line {line}", line)

    def _unknown_tag(self, node: Any) -> InvalidSource:
        name = _NAMED.get(node.tag)
        why = f"the tag '{name}' is not known here" if name else "it has a tag, which is not known here"
        hint = "Remove the tag" if name else "Remove the tag, or put a text in quotes that begins with '!'"
        vaulted = "Encrypt the whole file by 'ansible-vault encrypt'"
        return refused(self.place, _line(node), why, vaulted if node.tag == "!vault" else hint)


def shown(value: Any) -> str:
    """A plain value in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    return f"the number {value}" if isinstance(value, (int, float)) else f"'{value}'"


def _nothing(_text: str) -> None:
    return None


def _boolean(text: str) -> bool:
    return text.lower() in ("yes", "true", "on")


def _integer(text: str) -> int | str:
    if ":" in text:  # 12:30 is 750 to YAML 1.1, and a text to Kubernetes
        return text
    digits = text.replace("_", "")
    octal = re.fullmatch(r"([-+]?)0([0-7]+)", digits)
    return int(f"{octal[1]}0o{octal[2]}", 0) if octal else int(digits, 0)


def finite(text: str) -> float:
    """The number that a text stands for. Raises ValueError for one beyond all that can be written again (1e400)."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _float(text: str) -> float | str:
    if ":" in text:
        return text
    if "inf" in text.lower() or "nan" in text.lower():
        raise ValueError(text)
    return finite(text.replace("_", ""))


# A date and "=" are texts to Kubernetes.
_SCALARS = {f"{_TAG}{name}": str for name in ("str", "timestamp", "value")} | {
    f"{_TAG}null": _nothing,
    f"{_TAG}bool": _boolean,
    f"{_TAG}int": _integer,
    f"{_TAG}float": _float,
}


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def locate(node: Any, path: FieldPath) -> tuple[int, str]:
    """The line of a field, or of what would hold it, and how the field is written where it is a plain value."""
    line = _line(node)
    for step in path:
        found = _step(node, step)
        if found is None:
            return line, ""
        line, node = found
    return line, node.value if isinstance(node, yaml.ScalarNode) else ""


def _step(node: Any, step: str | int) -> tuple[int, Any] | None:
    """The line of a key or an item, and its value."""
    if isinstance(step, int) and isinstance(node, yaml.SequenceNode) and step < len(node.value):
        return _line(node.value[step]), node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next(((_line(key), value) for key, value in node.value if key.value == step), None)
    return None
