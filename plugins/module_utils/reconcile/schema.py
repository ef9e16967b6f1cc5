# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validating an object against a structural schema, without asking the API server about the object.

The server answers more (CEL rules, admission). This finds wrong types, missing
and misspelt fields, where the CRD does not exist yet or where the user has
chosen to ask less.
Source of the dialect: Kubernetes, "CustomResourceDefinitions", structural schemas.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..kube.client import Object
from ..kube.text import did_you_mean

_ROOT = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_SCHEMAS = frozenset({"items", "additionalProperties", "not"})
_LISTS_OF_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf"})


class Malformed(Exception):
    """What stands in the place of a schema is none."""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_switch(value: Any) -> bool:
    return isinstance(value, bool)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


# What of the dialect is judged here, and what can stand there: whatever else does breaks the library.
_FITS: Mapping[str, Callable[[Any], bool]] = {
    "type": lambda value: value in _TYPES,
    "properties": _is_mapping,
    "additionalProperties": lambda value: isinstance(value, (bool, dict)),
    "required": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "enum": _is_list,
    "pattern": _is_text,
    "multipleOf": lambda value: _is_number(value) and value > 0,
    "uniqueItems": _is_switch,
    **dict.fromkeys(("items", "not"), _is_mapping),
    **dict.fromkeys(_LISTS_OF_SCHEMAS, _is_list),
    **dict.fromkeys(("minimum", "maximum"), _is_number),
    **dict.fromkeys(("exclusiveMinimum", "exclusiveMaximum"), _is_switch),
    **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"), _is_size),
}


class ObjectSchema:
    """The schema of a kind, made ready once for all of its objects. Raises Malformed."""

    def __init__(self, schema: Object) -> None:
        properties = schema.get("properties", {})
        if not isinstance(properties, dict):
            raise Malformed
        self._strict = _strict({**schema, "properties": {**properties, **_ROOT}})

    def violations(self, content: Object) -> list[str]:
        """What the schema holds against an object, a sentence each, with the field's path."""
        try:
            found = sorted(self._validator.iter_errors(content), key=lambda error: list(map(str, error.path)))
        except ImportError as error:
            return [f"the Python library '{error.name}' is missing: install the collection's requirements.txt"]
        return list(dict.fromkeys(text for error in found for text in _sentences(error)))

    @functools.cached_property
    def _validator(self) -> Any:
        """Imported only here: most tasks validate nothing by themselves, and every task would pay for it."""
        return importlib.import_module("jsonschema").Draft202012Validator(self._strict)


def stands_alone(schema: Any, below: str = "") -> bool:
    """Whether a schema says all itself; what a reference in its metadata says, every object has."""
    if isinstance(schema, list):
        return all(stands_alone(item, below) for item in schema)
    if not isinstance(schema, dict):
        return True
    return "$ref" not in schema and all(
        stands_alone(value, key) for key, value in schema.items() if (below, key) != ("properties", "metadata")
    )


def usable(schema: Object) -> ObjectSchema | None:
    """The schema made ready; None where it is in pieces or is none: then the server is asked, and it says why."""
    try:
        return ObjectSchema(schema) if stands_alone(schema) else None
    except Malformed:
        return None


def _strict(schema: Any) -> Any:
    """The same schema as JSON Schema, with unknown fields refused as `fieldValidation=Strict` does."""
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict) or not all(_FITS[key](value) for key, value in schema.items() if key in _FITS):
        raise Malformed
    known = _numeric({key: value for key, value in schema.items() if key in _FITS})
    if not _is_known_to_python(known.get("pattern", "")):
        del known["pattern"]
    if schema.get("x-kubernetes-int-or-string"):
        known["type"] = ["integer", "string"]
    if schema.get("nullable"):
        known.update(_nullable(known))
    return _closed(schema, {key: _inner(schema, key, value) for key, value in known.items()})


def _inner(schema: Object, key: str, value: Any) -> Any:
    """What a schema says by one of its keywords."""
    if key == "properties":
        return {name: _strict(inner) for name, inner in value.items()}
    if key in _LISTS_OF_SCHEMAS:
        return [_strict(inner) for inner in value]
    if key == "required":  # the server fills in defaults before it looks for what is missing
        return [name for name in value if not _has_default(schema, name)]
    return _strict(value) if key in _SCHEMAS else value


def _closed(schema: Object, translated: Object) -> Object:
    """No more fields than the schema knows, where it does not say otherwise."""
    if schema.get("x-kubernetes-embedded-resource"):
        translated["properties"] = {**translated.get("properties", {}), **_ROOT}
    closed = "properties" in schema and schema.get("type") == "object" and "additionalProperties" not in schema
    if closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        translated["additionalProperties"] = False
    return translated


def _numeric(known: Object) -> Object:
    """Limits as JSON Schema has them by now: what is excluded is a number, and not a word about another keyword."""
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if known.pop(exclusive, False) and limit in known:
            known[exclusive] = known.pop(limit)
    return known


def _is_known_to_python(pattern: str) -> bool:
    """Whether a pattern means to Python what it means to the server (RE2): classes by name are none to Python."""
    if "[:" in pattern:
        return False
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


def _nullable(known: Object) -> Object:
    """`type` and `enum` of a schema that also takes null."""
    kinds = {"type": [known["type"], "null"]} if isinstance(known.get("type"), str) else {}
    return {**kinds, **({"enum": [*known["enum"], None]} if "enum" in known else {})}


def _has_default(schema: Object, name: str) -> bool:
    inner = schema.get("properties", {}).get(name)
    return isinstance(inner, dict) and "default" in inner


def _sentences(error: Any) -> Iterator[str]:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path).lstrip(".")
    if error.validator != "additionalProperties":
        yield f"{path or 'the object'}: {error.message}"
        return
    known = list(error.schema.get("properties") or {})
    for key in sorted(set(error.instance) - set(known)):
        where = f"{path}.{key}" if path else key
        yield f"unknown field '{where}'{did_you_mean(key, known)}"
