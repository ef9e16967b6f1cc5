"""What a task tells of what it did: one shape, whatever the number of objects."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import KUBERNETES
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired, Key
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.outcome import VERBS, Outcome
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import Action, Verb
from hypothesis import given
from hypothesis import strategies as st

SECRET = KUBERNETES["v1", "Secret"]


def content(name: str, value: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "web"}, "data": {"k": value}}


def action(verb: Verb, name: str = "a") -> Action:
    before = None if verb == "create" else content(name, "BEFORE")
    after = None if verb == "delete" else content(name, "BEFORE" if verb == "unchanged" else "AFTER")
    fields = ("data.k",) if verb == "update" else ()
    desired = Desired(after) if after else None
    return Action(verb, Key("v1", "Secret", "web", name), SECRET, fields, "", desired, before, after)


ACTIONS = st.lists(st.sampled_from([action(verb) for verb in get_args(Verb)]), max_size=5)


@given(ACTIONS)
def test_one_shape_for_none_one_and_many(actions: list[Action]) -> None:
    outcome = Outcome(actions)
    writing = [entry for entry in actions if entry.verb != "unchanged"]
    assert outcome.changed is bool(writing)
    assert sum(outcome.summary().values()) == len(actions)
    assert list(outcome.summary()) == list(VERBS) == list(get_args(Verb))
    assert [row["action"] for row in outcome.plan()] == [entry.verb for entry in writing]
    assert len(outcome.diff()) == len(writing)
    shapes = {tuple(row) for row in outcome.plan()}
    assert shapes <= {("action", "kind", "namespace", "name", "fields", "reason")}
    assert {tuple(sorted(entry)) for entry in outcome.diff()} <= {("after", "after_header", "before", "before_header")}


@given(ACTIONS)
def test_a_result_is_plain_json_without_secret_data(actions: list[Action]) -> None:
    outcome = Outcome(actions)
    text = json.dumps([outcome.plan(), outcome.summary(), outcome.diff()])
    assert "BEFORE" not in text
    assert "AFTER" not in text


def test_a_row_of_the_plan() -> None:
    assert Outcome([action("update")]).plan() == [
        {"action": "update", "kind": "Secret", "namespace": "web", "name": "a", "fields": ["data.k"], "reason": ""}
    ]


@pytest.mark.parametrize(
    ("verb", "headers", "sides"),
    [
        ("create", ("Secret web/a (does not exist)", "Secret web/a"), (False, True)),
        ("update", ("Secret web/a", "Secret web/a"), (True, True)),
        ("delete", ("Secret web/a", "Secret web/a (does not exist)"), (True, False)),
    ],
)
def test_a_diff_has_a_header_and_both_sides(verb: Verb, headers: tuple[str, str], sides: tuple[bool, bool]) -> None:
    (entry,) = Outcome([action(verb)]).diff()
    assert (entry["before_header"], entry["after_header"]) == headers
    assert (bool(entry["before"]), bool(entry["after"])) == sides
