"""Texts become documents exactly as Kubernetes' tools read them, or are refused with the line."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.documents import Document, File, documents
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.yaml_text import InvalidSource
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufeff\u2028\u2029"))
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=20)
NAMES = st.text("abcdxyz", min_size=1, max_size=8)  # of which no word of YAML can be made


def read(text: str, name: str = "shop.yaml") -> list[Document]:
    return list(documents(File(name, text)))


def contents(text: str, name: str = "shop.yaml") -> list[Any]:
    return [document.content for document in read(text, name)]


def refused(text: str, name: str = "shop.yaml") -> str:
    with pytest.raises(InvalidSource) as refusal:
        read(text, name)
    return str(refusal.value)


@given(st.lists(VALUES.filter(lambda value: value is not None), max_size=3))
def test_what_is_written_as_yaml_is_read_back(values: list[Any]) -> None:
    assert contents(yaml.safe_dump_all(values, allow_unicode=True, explicit_start=True)) == values


@given(st.lists(VALUES.filter(lambda value: value is not None), max_size=3), st.sampled_from([None, "\t", 2]))
def test_what_is_written_as_json_is_read_back(values: list[Any], indent: str | int | None) -> None:
    assert contents("\n".join(json.dumps(value, indent=indent) for value in values), "shop.json") == values


@given(st.text() | st.text("abc:-[]{}&*!|>'\"%@`#?, \n\t012.~<"), st.sampled_from(["a.yaml", "a.json"]))
def test_any_text_is_read_or_refused_in_words(text: str, name: str) -> None:
    """Nothing else comes out, whatever comes in, and what is read can be sent."""
    with contextlib.suppress(InvalidSource):
        json.dumps(contents(text, name), allow_nan=False)


@given(st.dictionaries(NAMES, st.integers(), min_size=1, max_size=6), st.data(), st.booleans())
def test_a_key_that_stands_twice_is_named_with_both_lines(
    mapping: dict[str, int], data: st.DataObject, as_json: bool
) -> None:
    keys = list(mapping)
    again = data.draw(st.sampled_from(keys))
    lines = [f'"{key}": {value}' for key, value in [*mapping.items(), (again, 0)]]
    text = "{\n" + ",\n".join(lines) + "\n}" if as_json else "\n" + "\n".join(lines)
    message = refused(text, "a.json" if as_json else "a.yaml")
    assert f"the key '{again}' stands twice" in message
    assert f"in line {keys.index(again) + 2} and in line {len(keys) + 2}" in message


@given(st.lists(NAMES, min_size=1, max_size=5, unique=True), st.integers(1, 5))
def test_a_field_is_found_by_its_line(path: list[str], before: int) -> None:
    nested = "\n".join(f"{'  ' * depth}{key}:" for depth, key in enumerate(path)) + " 0.10"
    (document,) = read("\n" * before + nested)
    assert document.locate(tuple(path)) == (before + len(path), "0.10")
    assert document.locate((*path[:-1], "missing"))[0] in (before + max(len(path) - 1, 1), before + len(path))


def test_documents_count_as_in_an_editor() -> None:
    found = read("---\n---\na: 1\n---\n# nothing\n---\nb: 2\n")
    assert [(document.place, document.content) for document in found] == [
        ("shop.yaml, document 2", {"a": 1}),
        ("shop.yaml, document 4", {"b": 2}),
    ]
    assert found[1].locate(("b",)) == (7, "2")


def test_values_are_those_that_kubernetes_reads() -> None:
    text = "[010, 0x1F, 12:30, 2024-01-01, 1_000, yes, =, 0.10, ~, -010, 1.5e+3, 1e3, '8080', 1:30.5]"
    assert contents(text) == [
        [8, 31, "12:30", "2024-01-01", 1000, True, "=", 0.1, None, -8, 1500.0, "1e3", "8080", "1:30.5"]
    ]


def test_a_port_may_be_a_key() -> None:
    assert contents("{8080: a, 010: b}") == [{"8080": "a", "010": "b"}]


def test_anchors_and_merges() -> None:
    text = "base: &base {a: 1, b: 1}\nmore: &more {b: 2, c: 2}\nall: {<<: [*base, *more], c: 3}\nsame: *base\n"
    assert contents(text)[0]["all"] == {"a": 1, "b": 1, "c": 3}
    assert contents(text)[0]["same"] == {"a": 1, "b": 1}


MERGES = f"e: &e {{}}\nm: &m {{<<: [{', '.join(['*e'] * 2000)}]}}\nl: &l [{', '.join(['*m'] * 2000)}]\n"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{last}'] * 10)}]\n" for last, name in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a:\n\tb: 1\n", "shop.yaml, line 2 cannot be read: it is indented by a tab. YAML takes only spaces"),
        ("a: 1\n\tb: 2\n", "line 2 cannot be read: it is indented by a tab"),
        ("a: \x01", "it is binary"),
        ("a: b: c\n", "line 1 cannot be read: it is not YAML: mapping values are not allowed in this context"),
        ("a: {{ name }}\n", "line 1 cannot be read: a mapping or list stands where a key belongs. Files of 'src' are"),
        ("on: 1\n", "YAML reads the key 'on' as the boolean true. Put the key in quotes"),
        ("a:\n  0.10: 1\n", "line 2 cannot be read: YAML reads the key '0.10' as the number 0.1"),
        ("~: 1\n", "YAML reads the key '~' as null"),
        ("a: !vault |\n  x\n", "the tag '!vault' is not known here. Encrypt the whole file by 'ansible-vault encrypt'"),
        ("a: !!binary aGk=\n", "the tag '!!binary' is not known here"),
        ("a: !!map [x]\n", "the tag '!!map' is not known here"),
        ("a: !!seq {x: y}\n", "the tag '!!seq' is not known here"),
        ("a: !!str [x]\n", "the tag '!!str' is not known here"),
        (
            "a: !Ref x\n",
            "it has a tag, which is not known here. Remove the tag, or put a text in quotes that begins with",
        ),
        ("a: .nan\n", "it has a number that JSON cannot hold"),
        ("a: 1\nb: 1.0e+400\n", "line 2 cannot be read: it has a number that JSON cannot hold"),
        ("a: !!int x\n", "it has a number that JSON cannot hold"),
        ("a: {<<: 1}\n", "'<<' stands for no mapping"),
        ("a: &x [*x]\n", "nested deeper than"),
        ("[" * 200_000, "nested deeper than"),
        (LAUGHS, "its aliases stand for more than 64 MB"),
        (MERGES, "its aliases stand for more than 64 MB"),
        (
            f"a: &a {'x' * 50_000}\nb: [{', '.join(['*a'] * 2000)}]\n",
            "line 1 cannot be read: its aliases stand for more",
        ),
        (f"a: &a {{? {'x' * 50_000} : y}}\nb: [{', '.join(['*a'] * 2000)}]\n", "its aliases stand for more"),
    ],
)
def test_what_is_refused_in_yaml(text: str, told: str) -> None:
    assert told in refused(text)


@pytest.mark.parametrize(
    "value",
    ["!Hunter2", "!!Hunter2", "!Hunter2 [a]", "!Hunter2!b c", "*Hunter2", "&Hunter2 a\nb: &Hunter2 c"],
)
@pytest.mark.usefixtures("each_loader")
def test_a_password_without_quotes_is_not_told(value: str) -> None:
    message = refused(f"password: {value}\n")
    assert "cannot be read: it" in message
    assert "Hunter2" not in message


@pytest.mark.usefixtures("each_loader")
def test_what_is_missing_is_told() -> None:
    assert "expected ',' or ']'" in refused("a: [b\n")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{\n"a": 1,\n', "shop.json, line 3 cannot be read: it is not JSON"),
        ('{"a": NaN}', "JSON has no number NaN"),
        ('{"a": 1e400}', "it has a number that is too large"),
        ('{"a": -1e400}', "it has a number that is too large"),
        ('{"a": ' + "9" * 5000 + "}", "it has a number that is too large"),
        ("[" * 200_000, "nested deeper than"),
        ('{"\\ud83d\\ude00": {"a": 1, "a": 2}}', "the key 'a' stands twice in one mapping"),
    ],
)
def test_what_is_refused_in_json(text: str, told: str) -> None:
    try:
        message = refused(text, "shop.json")
    except RecursionError:
        pytest.fail("the depth of JSON is not limited")
    assert told in message
