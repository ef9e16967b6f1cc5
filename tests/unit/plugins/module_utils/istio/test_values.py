"""Helm values: merged as Helm does, and checked against what a chart really reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.values import (
    UnknownValue,
    WrongValue,
    at,
    known_values,
    merged,
    refuse_wrong,
)
from hypothesis import given
from hypothesis import strategies as st

TREE = st.recursive(
    st.integers() | st.lists(st.integers(), max_size=2) | st.none(),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))


@pytest.mark.parametrize(
    ("base", "over", "result"),
    [
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1, "b": 2}, {"a": 3}, {"a": 3, "b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}, {"a": {"x": 1, "y": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": 5}, {"a": 5}),
        ({"a": 5}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
    ],
)
def test_mappings_are_merged_and_all_else_replaced(base: Any, over: Any, result: Any) -> None:
    assert merged(base, over) == result


@given(TREE, TREE)
def test_what_is_merged_in_has_the_last_word_and_nothing_else_is_lost(base: Any, over: Any) -> None:
    result = merged(base, over)
    assert merged(result, over) == result
    assert merged(base, {}) == merged({}, base) == merged(base, base) == base
    assert set(result) == {*base, *over}
    assert {key: result[key] for key in base if key not in over} == {k: v for k, v in base.items() if k not in over}


DEFAULTS = """
_internal_defaults_do_not_set:
  replicas: 1
  enabled: true
  surge: 100%
  name: ""
  names: []
  global: {hub: x, proxy: {}}
  resources: {}
"""
FILES = {
    "values.yaml": DEFAULTS,
    "files/profile-ambient.yaml": "ofAnotherChart: true\n",
    "files/profile-platform-gke.yaml": "{}\n",
    "files/profile-compatibility-version-1.28.yaml": "{}\n",
    "files/injection-template.yaml": "{{ .Values.global.mentionedInFile }}\n",
    "templates/a.yaml": "{{ .Values.mentioned.deep }} {{ if .Values.global.proxy.image }}\n",
    "templates/sub/_b.tpl": "{{ $.Values.inSubfolder }}\n",
    "templates/NOTES.txt": "{{ .Values.inNotes }}\n",
    "templates/c.md": "{{ .Values.inProse }}\n",
}


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_chart_knows_its_defaults_and_what_its_templates_mention(chart: Path) -> None:
    assert known_values(chart) == {
        "profile": None,
        "platform": None,
        "compatibilityVersion": None,
        "replicas": 1,
        "enabled": True,
        "surge": "100%",
        "name": "",
        "names": [],
        "global": {"hub": "x", "proxy": {"image": None}, "mentionedInFile": None},
        "resources": {},
        "mentioned": {"deep": None},
        "inSubfolder": None,
        "inNotes": None,
    }


def test_a_chart_without_istios_wrapping_works_too(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("name: a\n")
    assert known_values(tmp_path)["name"] == "a"


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"profile": "ambient", "replicas": 2, "inNotes": 1},
        {"profile": None, "platform": "gke", "compatibilityVersion": "1.28"},
        {"global": {"hub": "y", "proxy": {"image": "z"}}},
        {"mentioned": {"deep": {"anything": 1}}},
        {"resources": {"limits": {"cpu": 1}}},
        {"replicas": "2", "surge": 1, "enabled": None, "names": ["a"]},
        {"replicas": "25%"},
    ],
)
def test_what_a_chart_knows_passes(chart: Path, values: dict[str, Any]) -> None:
    refuse_wrong("istiod", chart, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replica": 2}, "The chart 'istiod' knows no value 'replica' (did you mean 'replicas'?)"),
        ({"global": {"hubb": "y"}}, "The chart 'istiod' knows no value 'global.hubb' (did you mean 'hub'?)"),
        ({"global": {"proxy": {"imag": "y"}}}, "knows no value 'global.proxy.imag' (did you mean 'image'?)"),
        ({"inProse": 1}, "The chart 'istiod' knows no value 'inProse'"),
        ({"mentioned": {"shallow": 1}}, "nothing in the chart reads it, so it would do nothing"),
    ],
)
def test_a_key_that_nothing_reads_is_refused(chart: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UnknownValue) as refusal:
        refuse_wrong("istiod", chart, values)
    assert message in str(refusal.value)
    assert "at this place the chart knows " in str(refusal.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"replicas": {"a": 1}},
            "The value 'replicas' of the chart 'istiod' has the wrong type: it is a mapping, and a",
        ),
        ({"replicas": "two"}, "it is a text, and a number belongs here (the chart's own is 1)"),
        ({"replicas": True}, "it is true or false, and a number belongs here"),
        ({"enabled": "yes"}, "it is a text, and true or false belongs here (the chart's own is True)"),
        ({"enabled": 1}, "it is a number, and true or false belongs here"),
        ({"name": 5}, "it is a number, and a text belongs here (the chart's own is ''): put it in quotes"),
        ({"names": "a"}, "it is a text, and a list belongs here (the chart's own is [])"),
        ({"global": ["a"]}, "it is a list, and a mapping belongs here (the chart's own is a mapping)"),
        ({"global": {"hub": {}}}, "The value 'global.hub' of the chart 'istiod' has the wrong type"),
        ({"resources": "large"}, "The value 'resources' of the chart 'istiod' has the wrong type"),
        (
            {"_internal_defaults_do_not_set": {"replicas": 2}},
            "'_internal_defaults_do_not_set' of the chart 'istiod' may not be set: it is where the chart keeps its own",
        ),
        ({"defaults": {}}, "'defaults' of the chart 'istiod' may not be set"),
        ({"profile": "ambiant"}, "has no profile 'ambiant' (did you mean 'ambient'?): this version knows ambient."),
        ({"global": {"platform": "eks"}}, "The chart 'istiod' has no platform 'eks': this version knows gke."),
        ({"compatibilityVersion": "1.2"}, "has no compatibilityVersion '1.2'"),
    ],
)
def test_a_value_that_a_chart_cannot_take_is_refused(chart: Path, values: dict[str, Any], message: str) -> None:
    (chart / "templates" / "d.yaml").write_text("{{ .Values.global.platform }}")
    with pytest.raises(WrongValue) as refusal:
        refuse_wrong("istiod", chart, values)
    assert message in str(refusal.value)


def test_a_value_below_the_wrong_chart_is_told_where_it_belongs(chart: Path) -> None:
    def elsewhere() -> list[tuple[str, dict[str, Any]]]:
        return [("cni", {"cniBinDir": ""}), ("base", {}), ("ztunnel", {"cniBinDir": None})]

    with pytest.raises(UnknownValue, match=r"It is a value of the chart 'cni' and of 'ztunnel': move it there\.$"):
        refuse_wrong("istiod", chart, {"cniBinDir": "/opt"}, elsewhere)


def test_a_chart_may_take_a_value_in_two_places(tmp_path: Path) -> None:
    """istiod's takes `pilot.x` for `x`, and ztunnel's what is below `global`."""
    (tmp_path / "values.yaml").write_text("hub: ''\n")
    (tmp_path / "templates").mkdir()
    template = tmp_path / "templates" / "a.yaml"
    template.write_text('{{- $_ := mustMergeOverwrite $.Values (index $.Values "pilot") }}')
    refuse_wrong("istiod", tmp_path, {"pilot": {"hub": "a"}})
    with pytest.raises(UnknownValue, match=r"knows no value 'pilot\.hob'"):
        refuse_wrong("istiod", tmp_path, {"pilot": {"hob": "a"}})
    template.write_text("#  Flatten globals, if defined on a per-chart basis\n{{- if true }}")
    refuse_wrong("ztunnel", tmp_path, {"global": {"hub": "a"}})


def test_a_value_is_found_at_its_place() -> None:
    assert at({"a": {"b": 1}}, ("a", "b")) == 1
    assert at({"a": 1}, ("a", "b")) is None
    assert at({}, ("a",)) is None


def test_what_a_chart_passes_on_has_keys_of_its_own(tmp_path: Path) -> None:
    """meshConfig is an API of its own: that a default names one of its keys says nothing of the others."""
    (tmp_path / "values.yaml").write_text("meshConfig: {enablePrometheusMerge: true}\nenv: {A: b}\n")
    refuse_wrong("istiod", tmp_path, {"meshConfig": {"accessLogFile": "/dev/stdout"}, "env": {"PILOT_X": "1"}})


def test_the_hint_shows_a_dozen_and_counts_the_rest(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("".join(f"key{number:02}: 1\n" for number in range(20)))
    with pytest.raises(UnknownValue) as refusal:
        refuse_wrong("base", tmp_path, {"zzz": 1})
    assert "knows compatibilityVersion, key00, key01" in refusal.value.hint
    assert refusal.value.hint.endswith("key10 and 11 more")
