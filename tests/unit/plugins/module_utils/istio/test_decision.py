"""Who injects a Pod, and why: all combinations of the labels, and worlds of any revisions and tags."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.decision import (
    Decision,
    decision_asks,
    injectors_of,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.second_filter import Subject
from hypothesis import given
from hypothesis import strategies as st
from unit.support.clusters import Made, injector, made, snapshot

NI, NR, PI, PR = "istio-injection", "istio.io/rev", "sidecar.istio.io/inject", "istio.io/rev"
INJECTION, REVISION = ("", "enabled", "disabled"), ("", "default", "r1", "prod")
SWITCH = ("", "true", "false")
COMBINATIONS = list(product(INJECTION, REVISION, SWITCH, REVISION))
Labels = tuple[str, str, str, str]


def labelled(combination: Labels, namespace: str = "web", **more: Any) -> Subject:
    of_namespace, of_pod = ({NI: combination[0], NR: combination[1]}, {PI: combination[2], PR: combination[3]})
    spaces, pods = ({key: value for key, value in found.items() if value} for found in (of_namespace, of_pod))
    return Subject(namespace, {"kubernetes.io/metadata.name": namespace, **spaces}, {**pods}, **more)


def decided(combination: Labels, *objects: Made, **more: Any) -> Decision:
    return injectors_of(snapshot(*objects)).decide(labelled(combination, **more))


def config(policy: str = "enabled", revision: str = "", **more: Any) -> Made:
    name = f"istio-sidecar-injector-{revision}" if revision else "istio-sidecar-injector"
    text = json.dumps({"policy": policy, **more})
    return made("ConfigMap", f"istio-system/{name}", data={"config": text, "values": "{}"})


def expected(combination: Labels, by_name: dict[str, str], by_default: bool) -> str:
    """Whose proxy it is, as Istio documents the precedence of the labels."""
    injection, of_namespace, switch, of_pod = combination
    if injection not in ("", "enabled") or switch == "false":
        return ""
    if injection:
        return by_name.get("default", "")
    if of_namespace or of_pod:
        return by_name.get(of_namespace or of_pod, "")
    return by_name.get("default", "") if switch or by_default else ""


LAYOUTS: dict[str, tuple[list[Made], dict[str, str], bool, int]] = {
    "default and a revision": (
        [injector(), injector("r1"), injector("r1", "prod")],
        {"default": "default", "r1": "r1", "prod": "r1"},
        False,
        63,
    ),
    "a revision": ([injector("r1"), injector("r1", "prod")], {"r1": "r1", "prod": "r1"}, False, 20),
    "a revision with the tag default": (
        [injector("r1"), injector("r1", "prod"), injector("r1", "default")],
        {"default": "r1", "r1": "r1", "prod": "r1"},
        False,
        63,
    ),
    "by default": ([injector(by_default=True)], {"default": "default"}, True, 44),
    "nothing": ([], {}, False, 0),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_all_combinations(name: str) -> None:
    objects, by_name, by_default, count = LAYOUTS[name]
    found = {combination: decided(combination, *objects) for combination in COMBINATIONS}
    assert {key: decision.revision for key, decision in found.items()} == {
        key: expected(key, by_name, by_default) for key in COMBINATIONS
    }
    assert sum(decision.injected for decision in found.values()) == count
    assert not any(decision.others for decision in found.values())
    assert all(decision.because for decision in found.values())


def test_two_injectors_are_told() -> None:
    objects = [injector(), injector("r1"), injector("r1", "default")]
    twice = [one for one in COMBINATIONS if decided(one, *objects).others]
    assert len(twice) == 43
    told = decided(("enabled", "", "", ""), *objects).told()
    assert told["others"] == ["istio-revision-tag-default/namespace.sidecar-injector.istio.io"]
    assert told["webhook"] == "istio-sidecar-injector/namespace.sidecar-injector.istio.io"


_names = st.sampled_from(["r1", "r2", "r3", "prod", "test", "default"])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Made], dict[str, str], bool]:
    """Control planes, tags, and the revision that each name means."""
    revisions = draw(st.sets(st.sampled_from(["", "r1", "r2", "r3"])))
    targets = sorted(revision for revision in revisions if revision)
    tags = draw(st.dictionaries(st.sampled_from(["prod", "test", "default"]), st.sampled_from(targets or [""])))
    tags = {tag: target for tag, target in tags.items() if target and not (tag == "default" and "" in revisions)}
    by_default = draw(st.booleans()) and "" in revisions
    objects = [injector(revision, by_default=by_default and not revision) for revision in sorted(revisions)]
    objects += [injector(target, tag) for tag, target in tags.items()]
    return objects, {**{revision or "default": revision or "default" for revision in revisions}, **tags}, by_default


@given(
    world=worlds(),
    injection=st.sampled_from(["", "enabled", "disabled", "Enabled"]),
    names=st.tuples(_names | st.just(""), _names | st.just("")),
    switch=st.sampled_from(["", "true", "false"]),
)
def test_any_world(
    world: tuple[list[Made], dict[str, str], bool], injection: str, names: tuple[str, str], switch: str
) -> None:
    objects, by_name, by_default = world
    combination = (injection, names[0], switch, names[1])
    decision = decided(combination, *objects)
    assert (decision.revision, decision.others) == (expected(combination, by_name, by_default), ())


BOTH = [injector(), injector("r1"), injector("r1", "prod")]


@pytest.mark.parametrize(
    ("combination", "rule", "because"),
    [
        (("enabled", "r1", "", "r1"), "namespace_enabled", "the namespace has the label istio-injection=enabled"),
        (("", "r1", "", ""), "namespace_revision", "the namespace has the label istio.io/rev=r1"),
        (
            ("", "prod", "true", ""),
            "namespace_revision",
            "the namespace has the label istio.io/rev=prod, a tag of the revision r1, "
            "and the Pod has the label sidecar.istio.io/inject=true",
        ),
        (("", "", "", "r1"), "pod_revision", "the Pod has the label istio.io/rev=r1"),
        (("", "", "true", ""), "pod_label", "the Pod has the label sidecar.istio.io/inject=true"),
        (
            ("disabled", "r1", "true", "r1"),
            "namespace_disabled",
            "the namespace has the label istio-injection=disabled, which no label of a Pod overrules",
        ),
        (("", "r1", "false", ""), "pod_label", "the Pod has the label sidecar.istio.io/inject=false"),
        (
            ("", "prdo", "", ""),
            "unknown_revision",
            "the namespace has the label istio.io/rev=prdo, and there is no revision or tag 'prdo' "
            "(did you mean 'prod'?): there are default, prod, r1",
        ),
        (
            ("", "", "", "r2"),
            "unknown_revision",
            "the Pod has the label istio.io/rev=r2, and there is no revision or tag 'r2': there are default, prod, r1",
        ),
        (("", "", "", ""), "no_label", "neither the namespace nor the Pod has a label that asks for a sidecar"),
    ],
)
def test_it_says_why(combination: Labels, rule: str, because: str) -> None:
    decision = decided(combination, *BOTH)
    assert (decision.rule, decision.because) == (rule, because)


@pytest.mark.parametrize(
    ("combination", "objects", "rule"),
    [
        (("", "", "", ""), [], "no_injector"),
        (("enabled", "", "", ""), [injector("r1")], "no_default"),
        (("", "", "true", ""), [injector("r1")], "no_default"),
        (("", "", "", ""), [injector(by_default=True)], "mesh_default"),
    ],
)
def test_it_depends_on_who_is_there(combination: Labels, objects: list[Made], rule: str) -> None:
    assert decided(combination, *objects).rule == rule


def test_a_webhook_that_somebody_has_changed() -> None:
    changed = injector("r1")
    for hook in changed["webhooks"]:
        hook["namespaceSelector"] = {"matchLabels": {"istio.io/deactivated": "never-match"}}
    assert decided(("", "r1", "", ""), changed).rule == "selectors"
    for hook in changed["webhooks"]:
        hook |= {"name": "mine.sidecar-injector.istio.io", "namespaceSelector": {}}
    assert decided(("", "r1", "", ""), changed).told() == {
        "injected": True,
        "revision": "r1",
        "tag": "",
        "webhook": "istio-sidecar-injector-r1/mine.sidecar-injector.istio.io",
        "rule": "selectors",
        "label": "",
        "because": "the selectors of the webhook match",
        "others": [],
        "doubt": "the ConfigMap istio-system/istio-sidecar-injector-r1 could not be read, "
        "so Istio's defaults are taken for granted",
    }


@pytest.mark.parametrize(
    ("policy", "more", "subject", "injected", "rule"),
    [
        ("enabled", {}, {}, True, "namespace_enabled"),
        ("disabled", {}, {}, False, "policy"),
        ("", {}, {}, False, "policy"),
        ("enabled", {}, {"host_network": True}, False, "host_network"),
        ("enabled", {}, {"namespace": "kube-system"}, False, "system_namespace"),
        ("enabled", {}, {"annotations": {PI: "false"}}, False, "pod_annotation"),
        ("disabled", {}, {"annotations": {PI: "true"}}, True, "namespace_enabled"),
        ("enabled", {}, {"annotations": {PI: "yes"}}, True, "namespace_enabled"),
        ("enabled", {"neverInjectSelector": [{"matchLabels": {PR: "x"}}]}, {}, False, "never_inject_selector"),
        ("enabled", {"neverInjectSelector": [{}]}, {}, True, "namespace_enabled"),
        ("disabled", {"alwaysInjectSelector": [{"matchLabels": {PR: "x"}}]}, {}, True, "namespace_enabled"),
        ("disabled", {"alwaysInjectSelector": [{}]}, {}, False, "policy"),
        (
            "enabled",
            {"neverInjectSelector": [{"matchLabels": {PR: "x"}}], "alwaysInjectSelector": [{"matchLabels": {PR: "x"}}]},
            {},
            False,
            "never_inject_selector",
        ),
    ],
)
def test_istiod_has_the_last_word(
    policy: str, more: dict[str, Any], subject: dict[str, Any], injected: bool, rule: str
) -> None:
    decision = decided(("enabled", "", "", "x"), injector(), config(policy, **more), **subject)
    assert (decision.injected, decision.rule, decision.doubt) == (injected, rule, "")


def test_a_label_is_stronger_than_the_annotation_and_than_selectors() -> None:
    never = config(neverInjectSelector=[{"matchExpressions": [{"key": PI, "operator": "Exists"}]}])
    assert decided(("enabled", "", "true", ""), injector(), never, annotations={PI: "false"}).injected


def test_each_revision_has_a_configuration_of_its_own() -> None:
    objects = [injector(), injector("r1"), config("disabled", "r1"), config()]
    assert not decided(("", "r1", "", ""), *objects).injected
    assert decided(("enabled", "", "", ""), *objects).injected


def test_what_has_to_be_read() -> None:
    asks = decision_asks(snapshot(injector(), injector("r1"), injector("r1", "prod")))
    assert {(ask.namespace, ask.name) for ask in asks} == {
        ("istio-system", "istio-sidecar-injector"),
        ("istio-system", "istio-sidecar-injector-r1"),
    }


@pytest.mark.parametrize("text", ["policy: [", "", "- a"])
def test_a_broken_configuration_is_a_doubt(text: str) -> None:
    broken = made("ConfigMap", "istio-system/istio-sidecar-injector", data={"config": text})
    decision = decided(("enabled", "", "", ""), injector(), broken)
    assert decision.injected
    assert decision.doubt.startswith("the ConfigMap istio-system/istio-sidecar-injector ")
