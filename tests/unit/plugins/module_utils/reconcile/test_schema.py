"""Objects of a CRD that is only planned: found by its schema, as strictly as the server would."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.schema import (
    ObjectSchema,
    stands_alone,
    usable,
)

ROUTE = {
    "type": "object",
    "required": ["destination"],
    "properties": {
        "destination": {"type": "string"},
        "weight": {"type": "integer", "minimum": 0},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
SCHEMA = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "hosts": {"type": "array", "items": {"type": "string"}},
                "http": {"type": "array", "items": {"type": "object", "properties": {"route": ROUTE}}},
                "port": {
                    "x-kubernetes-int-or-string": True,
                    "anyOf": [{"type": "integer"}, {"type": "string"}],
                },
                "mode": {"type": "string", "enum": ["STRICT", "DISABLE"]},
                "timeout": {"type": "string", "nullable": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "half": {
                    "type": "object",
                    "properties": {"known": {"type": "integer"}},
                    "x-kubernetes-preserve-unknown-fields": True,
                },
                "properties": {"type": "object", "properties": {"nullable": {"type": "boolean"}}},
            },
            "x-kubernetes-validations": [{"rule": "self.hosts.size() > 0"}],
        }
    },
}


def said(**spec: Any) -> list[str]:
    content = {"apiVersion": "example.com/v1", "kind": "Route", "metadata": {"name": "a", "labels": {}}, "spec": spec}
    return ObjectSchema(SCHEMA).violations(content)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"hosts": ["a", "b"], "mode": "STRICT"},
        {"http": [{"route": {"destination": "a", "weight": 0, "headers": {"any": "thing"}}}]},
        {"port": 80},
        {"port": "http"},
        {"timeout": None},
        {"free": {"any": {"thing": [1]}}},
        {"half": {"known": 1, "unknown": 2}},
        {"properties": {"nullable": True}},
    ],
)
def test_what_is_right_passes(spec: dict[str, Any]) -> None:
    assert said(**spec) == []


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"hostz": ["a"]}, "unknown field 'spec.hostz' (did you mean 'hosts'?)"),
        ({"qqq": 1}, "unknown field 'spec.qqq'"),
        ({"http": [{"route": {"destination": "a", "wait": 1}}]}, "unknown field 'spec.http[0].route.wait'"),
        (
            {"http": [{}, {"route": {"destination": "a", "weigth": 1}}]},
            "unknown field 'spec.http[1].route.weigth' (did you mean 'weight'?)",
        ),
        ({"properties": {"nulable": True}}, "unknown field 'spec.properties.nulable' (did you mean 'nullable'?)"),
        ({"http": [{"route": {}}]}, "spec.http[0].route: 'destination' is a required property"),
        ({"http": [{"route": {"destination": "a", "weight": -1}}]}, "-1 is less than the minimum of 0"),
        ({"http": [{"route": {"destination": "a", "headers": {"b": 1}}}]}, "headers.b: 1 is not of type 'string'"),
        ({"hosts": "a"}, "spec.hosts: 'a' is not of type 'array'"),
        ({"hosts": ["a", 1]}, "spec.hosts[1]: 1 is not of type 'string'"),
        ({"hosts": None}, "spec.hosts: None is not of type 'array'"),
        ({"mode": "strict"}, "spec.mode: 'strict' is not one of ['STRICT', 'DISABLE']"),
        ({"half": {"known": "a"}}, "spec.half.known: 'a' is not of type 'integer'"),
        ({"timeout": 5}, "spec.timeout: 5 is not of type 'string', 'null'"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(spec: dict[str, Any], sentence: str) -> None:
    (violation,) = said(**spec)
    assert sentence in violation


@pytest.mark.parametrize("port", [True, 1.5, ["http"], None])
def test_an_int_or_string_is_nothing_else(port: Any) -> None:
    assert said(port=port)
    assert all(sentence.startswith("spec.port: ") for sentence in said(port=port))


def test_everything_wrong_is_said_at_once() -> None:
    assert said(hostz=[], mode="x", qqq=1) == [
        "unknown field 'spec.hostz' (did you mean 'hosts'?)",
        "unknown field 'spec.qqq'",
        "spec.mode: 'x' is not one of ['STRICT', 'DISABLE']",
    ]


def test_an_unknown_field_beside_the_spec_is_found() -> None:
    content = {"apiVersion": "example.com/v1", "kind": "Route", "metadata": {"name": "a"}, "sepc": {}}
    assert ObjectSchema(SCHEMA).violations(content) == ["unknown field 'sepc' (did you mean 'spec'?)"]


EMBEDDED = {"type": "object", "x-kubernetes-embedded-resource": True, "properties": {"spec": {"type": "object"}}}
DEFAULTED = {"type": "object", "required": ["a", "b"], "properties": {"a": {"default": 1}, "b": {"type": "string"}}}
CHOICE = {"type": "string", "nullable": True, "enum": ["x"]}


@pytest.mark.parametrize(
    ("schema", "value", "sentences"),
    [
        (EMBEDDED, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, []),
        (DEFAULTED, {"b": "c"}, []),
        (DEFAULTED, {}, ["inner: 'b' is a required property"]),
        (CHOICE, None, []),
    ],
)
def test_what_the_server_would_accept_is_accepted(schema: Any, value: Any, sentences: list[str]) -> None:
    assert ObjectSchema({"type": "object", "properties": {"inner": schema}}).violations({"inner": value}) == sentences


POSITIVE = {"type": "number", "minimum": 0, "exclusiveMinimum": True}
BELOW_ONE = {"type": "number", "maximum": 1, "exclusiveMaximum": True, "minimum": 0, "exclusiveMinimum": False}
NO_LIMIT = {"type": "number", "exclusiveMinimum": True}


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (POSITIVE, [0.1, 1], [0, -1]),
        (BELOW_ONE, [0, 0.9], [1, -0.1]),
        (NO_LIMIT, [0, 1, -1], ["a"]),
        ({"type": "string", "pattern": "^[a-z]+$"}, ["a"], ["A"]),
        ({"type": "string", "default": {"pattern": "["}}, ["a"], [1]),
    ],
)
def test_limits_and_patterns_mean_what_they_mean_to_the_server(schema: Any, right: list[Any], wrong: list[Any]) -> None:
    whole = ObjectSchema({"type": "object", "properties": {"inner": schema}})
    assert [whole.violations({"inner": value}) for value in right] == [[]] * len(right)
    assert all(whole.violations({"inner": value}) for value in wrong)


@pytest.mark.parametrize(
    "pattern", [r"^\p{L}+$", r"^[[:alpha:]]+$", r"^a\z", r"^\Qa\E", r"^\x{61}$", r"^(?<x>a)$", "a{99999999999}", "["]
)
def test_a_pattern_that_python_reads_otherwise_is_left_to_the_server(pattern: str) -> None:
    schema = {"type": "object", "properties": {"inner": {"type": "string", "pattern": pattern, "maxLength": 1}}}
    assert ObjectSchema(schema).violations({"inner": "ä"}) == []
    assert ObjectSchema(schema).violations({"inner": "aa"}) == ["inner: 'aa' is too long"]


@pytest.mark.parametrize(
    "broken",
    [
        {"type": "strin"},
        {"type": ["string"]},
        {"type": "object", "properties": None},
        {"type": "object", "properties": {"a": None}},
        {"type": "object", "properties": {"a": "string"}},
        {"type": "object", "properties": {"a": {}}, "required": 1},
        {"type": "object", "required": [["a"]]},
        {"type": "array", "items": [{"type": "string"}]},
        {"type": "string", "enum": "a"},
        {"type": "string", "pattern": 1},
        {"type": "string", "maxLength": "1"},
        {"type": "number", "exclusiveMinimum": 1},
        {"type": "number", "multipleOf": 0},
        {"anyOf": {"type": "string"}},
        {"anyOf": ["string"]},
        "string",
        None,
    ],
)
def test_what_is_no_schema_is_left_to_the_server(broken: Any) -> None:
    assert usable({"type": "object", "properties": {"spec": broken}}) is None
    assert isinstance(broken, dict) is False or usable({"type": "object", **broken, "anyOf": [broken]}) is None
    assert usable({"type": "object", "properties": None}) is None
    assert usable(SCHEMA)


REFERENCE = {"$ref": "#/components/schemas/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}


@pytest.mark.parametrize(
    ("properties", "alone"),
    [
        ({"metadata": {"allOf": [REFERENCE]}, "spec": {"type": "object"}}, True),
        ({"metadata": REFERENCE, "spec": {"allOf": [REFERENCE]}}, False),
        ({"spec": {"type": "object", "properties": {"metadata": {"type": "object"}}}}, True),
        ({"spec": {"type": "array", "items": REFERENCE}}, False),
    ],
)
def test_a_schema_that_refers_to_others_is_known(properties: dict[str, Any], alone: bool) -> None:
    """Kubernetes' own kinds are described in pieces; a CRD says all itself but for metadata."""
    assert stands_alone({"type": "object", "properties": properties}) is alone
