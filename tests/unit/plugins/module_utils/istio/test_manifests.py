"""What can never be an object is refused with file, document, line and field; everything at once."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.documents import File, documents
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.manifests import (
    InvalidManifest,
    Manifest,
    field_name,
    judged,
    problems,
)
from hypothesis import given
from hypothesis import strategies as st

NULL = "is null, which is not the same as absent: leave the field out"
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def manifest(**parts: Any) -> dict[str, Any]:
    head = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService"}
    return {**head, "metadata": {"name": "a", "namespace": "web"}, "spec": {"hosts": ["a"]}, **parts}


def nested(levels: int) -> dict[str, Any]:
    """An object that is as deep, where anything may stand."""
    inner: list[Any] = []
    for _level in range(levels):
        inner = [inner]
    return manifest(apiVersion="extensions.istio.io/v1alpha1", kind="WasmPlugin", spec={"pluginConfig": {"a": inner}})


def named(**metadata: Any) -> dict[str, Any]:
    return manifest(metadata={"name": "a", "namespace": "web", **metadata})


def wrong(content: Any) -> list[str]:
    return [f"{field_name(problem.path)} {problem.text}".strip() for problem in problems(content)]


def refused(text: str, name: str = "routes.yaml") -> InvalidManifest:
    with pytest.raises(InvalidManifest) as refusal:
        judged(Manifest(found.content, found.place, locate=found.locate) for found in documents(File(name, text)))
    return refusal.value


def test_a_right_object_passes_unchanged() -> None:
    content = manifest(spec={"hosts": ["a"], "http": [{"timeout": "5s", "match": [{"port": 80}]}]})
    (found,) = judged([Manifest(copy.deepcopy(content), "objects[0]")])
    assert (found.content, found.place) == (content, "objects[0]")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([manifest()], ["is a list, not an object; a list of objects is written as documents"]),
        ("text", ["is a text, not an object"]),
        ({}, ["apiVersion is missing", "kind is missing", "metadata.name is missing"]),
        (manifest(kind=""), ["kind is missing"]),
        ({"apiVersion": "v1", "kind": "List"}, ["items is missing, and a list of objects belongs here"]),
        ({"kind": "List", "items": None}, ["items is null, and a list of objects belongs here"]),
        ({"kind": "List", "items": {"a": 1}}, ["items is a mapping, and a list of objects belongs here"]),
        ({**manifest(), "apiVersion": "example.com/v1", "kind": "List"}, []),
        (manifest(apiVersion=1), ["apiVersion must be text, but YAML reads {it} as the number 1"]),
        (manifest(metadata=[]), ["metadata.name is missing", "metadata is a list, and a mapping belongs here"]),
        (manifest(spec=["a"]), ["spec is a list, and a mapping belongs here"]),
        (named(labels=["a"]), ["metadata.labels is a list, and a mapping belongs here"]),
        (named(name=False), ["metadata.name must be text, but YAML reads {it} as the boolean false: put it in quotes"]),
        (named(name={}), ["metadata.name is a mapping, and text belongs here"]),
        (named(name="a" * 254), ["metadata.name has 254 characters, and a name has at most 253"]),
        (named(name="a/b"), ["metadata.name is 'a/b', which cannot be the name of an object"]),
        (named(namespace="Web"), ["metadata.namespace is 'Web', which cannot be the name of a namespace"]),
        (named(namespace="a" * 64), ["which cannot be the name of a namespace: at most 63"]),
        (named(namespace=7), ["metadata.namespace must be text, but YAML reads {it} as the number 7"]),
        (named(labels={"version": 0.1}), ["metadata.labels.version must be text, but YAML reads {it} as the number"]),
        (named(annotations={"a.b/c": True}), ["metadata.annotations[a.b/c] must be text"]),
        (manifest(spec={"hosts": [8080]}), ["spec.hosts[0] must be text, but YAML reads {it} as the number 8080"]),
        (manifest(spec={"exportTo": [0.1]}), ["spec.exportTo[0] must be text, but YAML reads {it} as the number 0.1"]),
        (manifest(spec={"subjectAltNames": [1]}), ["spec.subjectAltNames[0] must be text"]),
        (manifest(spec={"sha256": 123}), ["spec.sha256 must be text, but YAML reads {it} as the number 123"]),
        (manifest(spec={"http": None}), [f"spec.http {NULL}"]),
        (manifest(spec={"http": [{"timeout": None}]}), [f"spec.http[0].timeout {NULL}"]),
        (manifest(spec=None), [f"spec {NULL}"]),
        (manifest(spec={"a": "x" * 1_100_000}), ["has 1.1 MB, and an object may have 1 MB"]),
        (manifest(spec={"a": "网" * 400_000}), ["has 1.2 MB, and an object may have 1 MB"]),
        (manifest(spec={"a": "网" * 180_000}), []),
        (nested(190), []),
        (nested(400), ["is nested deeper than 200 levels"]),
        (nested(100_000), ["is nested deeper than 200 levels"]),
    ],
)
def test_what_is_wrong_is_said(content: Any, told: list[str]) -> None:
    found = wrong(content)
    assert len(found) == len(told), found
    assert [text for text, begin in zip(found, told, strict=True) if begin not in text] == []


def test_numbers_in_other_apis_are_their_business() -> None:
    pod: dict[str, Any] = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"resources": {"limits": {"cpu": 1}}}]},
    }
    deployment = manifest(apiVersion="apps/v1", kind="Deployment", spec={"host": 1, "replicas": 1, "template": pod})
    assert wrong(deployment) == []
    pod["metadata"]["labels"]["a"] = 1
    assert wrong(deployment)[0].startswith("spec.template.metadata.labels.a must be text")


def test_what_users_may_fill_freely_may_hold_null() -> None:
    plugin = manifest(apiVersion="extensions.istio.io/v1alpha1", kind="WasmPlugin", spec={"pluginConfig": {"a": None}})
    wasm = {"wasm": {"url": "oci://a", "pluginConfig": {"a": None, "hosts": [1], "labels": {"b": 1}}}}
    extension = manifest(apiVersion="extensions.istio.io/v1alpha1", kind="TrafficExtension", spec=wasm)
    patch = {"applyTo": "HTTP_FILTER", "patch": {"operation": "MERGE", "value": {"a": None, "hosts": [1]}}}
    envoy = manifest(apiVersion="networking.istio.io/v1alpha3", kind="EnvoyFilter", spec={"configPatches": [patch]})
    schema = {"properties": {"host": {"default": None}, "labels": {"nullable": True}}}
    crd = manifest(apiVersion="apiextensions.k8s.io/v1", kind="CustomResourceDefinition", spec={"versions": [schema]})
    assert [wrong(content) for content in (plugin, extension, envoy, crd)] == [[], [], [], []]


def test_a_port_may_be_called_as_a_field_is() -> None:
    ports = {"host": 8080, "subset": 81, "hostname": 82}
    entry = manifest(kind="WorkloadEntry", spec={"address": "10.0.0.1", "ports": ports})
    group = manifest(kind="WorkloadGroup", spec={"template": {"ports": ports}})
    service = manifest(kind="ServiceEntry", spec={"hosts": ["a"], "endpoints": [{"address": "a", "ports": ports}]})
    assert [wrong(content) for content in (entry, group, service)] == [[], [], []]
    assert wrong(manifest(spec={"host": 8080}))[0].startswith("spec.host must be text")


def test_stamps_that_tools_leave_behind_are_dropped() -> None:
    template = {"metadata": {"creationTimestamp": None, "labels": {"a": "b"}}}
    (found,) = judged([Manifest({**named(creationTimestamp=None), "spec": {"template": template}}, "objects[0]")])
    assert found.content["metadata"] == {"name": "a", "namespace": "web"}
    assert found.content["spec"] == {"template": {"metadata": {"labels": {"a": "b"}}}}


def test_what_only_the_server_sets_is_left_out() -> None:
    theirs = {
        "resourceVersion": "7",
        "uid": "b7",
        "generation": 2,
        "selfLink": "/a",
        "managedFields": [{"manager": "m"}],
    }
    times = {"creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-01T00:00:00Z"}
    mine = {"labels": {"uid": "a"}, "annotations": {"generation": "2"}, "finalizers": ["a/b"]}
    inner = {"metadata": {"uid": "kept"}}
    (found,) = judged([Manifest({**named(**theirs, **times, **mine), "spec": inner}, "objects[0]")])
    assert found.content["metadata"] == {"name": "a", "namespace": "web", **mine}
    assert found.content["spec"] == inner


def test_every_problem_has_its_file_document_line_and_field() -> None:
    error = refused(
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n---\n"
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata:\n  name: off\n  labels:\n"
        "    version: 0.10\nspec:\n  hosts:\n    - 8080\n  http:\n"
    )
    assert str(error) == (
        "The input holds what cannot be applied: "
        "routes.yaml, document 2, line 8: metadata.name must be text, but YAML reads off as the boolean false: "
        "put it in quotes; "
        "routes.yaml, document 2, line 10: metadata.labels.version must be text, "
        "but YAML reads 0.10 as the number 0.1: put it in quotes; "
        "routes.yaml, document 2, line 13: spec.hosts[0] must be text, but YAML reads 8080 as the number 8080: "
        "put it in quotes; "
        f"routes.yaml, document 2, line 14: spec.http {NULL}. "
        "Correct it; nothing has been sent to the cluster."
    )
    assert (error.code, error.subject) == ("invalid_manifest", "routes.yaml, document 2")


def test_an_item_of_a_list_has_a_line_too() -> None:
    text = '{"kind": "List", "items": [\n{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}},\n"text"\n]}'
    error = refused(text, "all.json")
    assert error.reason == "all.json, document 1, items[1], line 3 is a text, not an object"


def test_a_long_list_of_problems_is_cut() -> None:
    with pytest.raises(InvalidManifest) as refusal:
        judged(Manifest(manifest(spec=None), f"objects[{number}]") for number in range(50))
    assert refusal.value.reason.count("spec is null") == 10
    assert refusal.value.reason.endswith("; and 40 more")


@given(VALUES)
def test_any_value_is_judged_in_words(value: Any) -> None:
    """Whatever stands in the input, there is a verdict and no surprise."""
    content = {**manifest(), "spec": value} if isinstance(value, dict) else value
    assert all(problem.text for problem in problems(content))
    assert problems(content) == problems(copy.deepcopy(content))


@given(VALUES, st.sampled_from(["data", "spec"]))
def test_null_never_passes(value: Any, part: str) -> None:
    content = {**manifest(apiVersion="v1", kind="Thing"), part: {"deep": [value, None]}}
    assert f"{part}.deep[1] {NULL}" in wrong(content)


@pytest.mark.parametrize(
    ("kind", "part", "of_bytes"),
    [
        ("Secret", "data", "data"),
        ("Secret", "stringData", "data"),
        ("ConfigMap", "data", "binaryData"),
        ("ConfigMap", "binaryData", "binaryData"),
    ],
)
def test_what_keys_lead_to_is_text_and_never_quoted(kind: str, part: str, of_bytes: str) -> None:
    values = {
        "pin": 918273,
        "key": None,
        "deep": {"a": "geheim"},
        "bytes": "geheim\udcff",
        "yes": True,
        "good": "geheim",
    }
    assert sorted(wrong(manifest(apiVersion="v1", kind=kind, spec={}, **{part: values}))) == [
        f"{part}.bytes holds bytes that are no text: give it under {of_bytes}, encoded with base64",
        f"{part}.deep is a mapping, and text belongs here",
        f"{part}.key {NULL}",
        f"{part}.pin must be text, and is a number or a boolean to YAML: put it in quotes",
        f"{part}.yes must be text, and is a number or a boolean to YAML: put it in quotes",
    ]
    whole = wrong(manifest(apiVersion="v1", kind=kind, **{part: ["geheim"]}))
    assert whole == [f"{part} must be a mapping of keys to texts"]


def test_the_texts_of_a_secret_are_stored_in_its_data() -> None:
    secret = {**named(), "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"a": "b2xk", "b": "Yg=="}}
    given = copy.deepcopy({**secret, "stringData": {"a": "new", "c": "ü"}})
    (found,) = judged([Manifest(given, "objects[0]")])
    assert found.content == {**secret, "data": {"a": "bmV3", "b": "Yg==", "c": "w7w="}}
    assert given["stringData"] == {"a": "new", "c": "ü"}, "the caller's own is left alone"


def test_other_kinds_may_call_a_field_as_they_like() -> None:
    other = {**named(), "apiVersion": "example.com/v1", "kind": "Secret", "stringData": {"a": 1}}
    (found,) = judged([Manifest(copy.deepcopy(other), "objects[0]")])
    assert found.content == other
