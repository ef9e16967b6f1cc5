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
from collections.abc import Iterator
from typing import Any

from ..kube.client import Object
from ..kube.text import did_you_mean

_ROOT = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}


class ObjectSchema:
    """The schema of a kind, made ready once for all of its objects."""

    def __init__(self, schema: Object) -> None:
        self._strict = _strict({**schema, "properties": {**schema.get("properties", {}), **_ROOT}})

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


def _strict(schema: Any) -> Any:
    """The same schema as JSON Schema, with unknown fields refused as `fieldValidation=Strict` does."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    known = {key: value for key, value in schema.items() if not key.startswith("x-kubernetes-") and key != "nullable"}
    if schema.get("x-kubernetes-int-or-string"):
        known["type"] = ["integer", "string"]
    if schema.get("nullable"):
        known.update(_nullable(known))
    if schema.get("x-kubernetes-embedded-resource"):
        known["properties"] = {**known.get("properties", {}), **_ROOT}
    if "required" in known:  # the server fills in defaults before it looks for what is missing
        known["required"] = [name for name in known["required"] if not _has_default(schema, name)]
    translated = {
        key: {name: _strict(inner) for name, inner in value.items()} if key == "properties" else _strict(value)
        for key, value in known.items()
    }
    closed = "properties" in schema and schema.get("type") == "object" and "additionalProperties" not in schema
    if closed and not schema.get("x-kubernetes-preserve-unknown-fields"):
        translated["additionalProperties"] = False
    return translated


def _nullable(known: Object) -> Object:
    """`type` and `enum` of a schema that also takes null."""
    kinds = {"type": [known["type"], "null"]} if isinstance(known.get("type"), str) else {}
    return {**kinds, **({"enum": [*known["enum"], None]} if "enum" in known else {})}


def _has_default(schema: Object, name: str) -> bool:
    return "default" in schema.get("properties", {}).get(name, {})


def _sentences(error: Any) -> Iterator[str]:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.absolute_path).lstrip(".")
    if error.validator != "additionalProperties":
        yield f"{path or 'the object'}: {error.message}"
        return
    known = list(error.schema.get("properties") or {})
    for key in sorted(set(error.instance) - set(known)):
        where = f"{path}.{key}" if path else key
        yield f"unknown field '{where}'{did_you_mean(key, known)}"
