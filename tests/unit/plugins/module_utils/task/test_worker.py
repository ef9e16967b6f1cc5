"""Inside the controller's worker: arguments become plain data, mistakes become sentences, nothing stays behind."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.engine import Outcome
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.planned import Planned
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.run import Run
from ansible_collections.service_mesh.istio.plugins.module_utils.task.arguments import ArgumentSpec
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operation import Operation
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations import CONFIG, CONTROL_PLANE, INJECTION
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import (
    InvalidArguments,
    plain,
    run_in_worker,
    validated,
)
from hypothesis import given
from hypothesis import strategies as st

PASSWORD = VaultSecret(b"password")
SERVER = "https://127.0.0.1:1"
NAMED = {"host": SERVER, "api_key": "hunter2"}


def types(value: Any) -> set[type]:
    """Every type inside a value, keys included."""
    if isinstance(value, Mapping):
        return {type(value)}.union(*(types(inner) for pair in value.items() for inner in pair))
    if isinstance(value, list):
        return {type(value)}.union(*map(types, value))
    return {type(value)}


EXACT = {dict, list, str, int, float, bool, type(None)}


class Word(str):
    """A subclass with a text of its own, as tagged types are."""

    __slots__ = ()

    def __str__(self) -> str:
        return Word("wrong")


LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
TREE = st.recursive(
    LEAF | st.text(max_size=4).map(Word),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=3).map(Word) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(TREE)
def test_plain_data_has_exact_types_only(value: Any) -> None:
    for tree in (value, wrap_var(value)):
        assert types(plain(tree)) <= EXACT


@given(TREE)
def test_plain_data_is_plain_already(value: Any) -> None:
    once = plain(value)
    assert plain(once) == once
    assert plain(json.loads(json.dumps(once))) == once


@given(st.recursive(LEAF, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_what_is_plain_stays_as_it_is(value: Any) -> None:
    assert plain(value) == value


def test_a_boolean_stays_one() -> None:
    assert plain([True, 1, 1.0]) == [True, 1, 1.0]
    assert [type(value) for value in plain([True, 1, 1.0])] == [bool, int, float]


@pytest.fixture
def _vault(monkeypatch: pytest.MonkeyPatch) -> None:
    """Newer cores decrypt by what is at hand in the process; older ones by the loader that read the file."""
    context = getattr(importlib.import_module("ansible.parsing.vault"), "VaultSecretsContext", None)
    if context:
        monkeypatch.setattr(context, "_current", context([("default", PASSWORD)]))


@pytest.mark.usefixtures("_vault")
def test_what_a_playbook_holds_becomes_plain() -> None:
    """Texts, numbers, dates and vaulted values as the core's own loader makes them."""
    secret = VaultLib([("default", PASSWORD)]).encrypt("hunter2").decode().replace("\n", "\n  ")
    text = "text: a\nint: 1\nhalf: 0.5\non time: true\nnone:\nday: 2026-01-31\nlist: [{b: c}]\nvault: !vault |\n  "
    loader = DataLoader()
    loader.set_vault_secrets([("default", PASSWORD)])
    value = loader.load(text + secret)
    assert not types(value) <= EXACT
    assert types(plain(value)) <= EXACT
    assert plain(value) == {
        "text": "a",
        "int": 1,
        "half": 0.5,
        "on time": True,
        "none": None,
        "day": "2026-01-31",
        "list": [{"b": "c"}],
        "vault": "hunter2",
    }


def refused(operation: Operation[Any], arguments: dict[str, Any]) -> str:
    with pytest.raises(InvalidArguments) as refusal:
        validated(operation, arguments)
    assert refusal.value.hint == f"'ansible-doc service_mesh.istio.{operation.name}' lists the options"
    return refusal.value.reason


ENTRY = {"name": "a", "namespace": "b"}


@pytest.mark.parametrize(
    ("operation", "arguments", "reason"),
    [
        (CONFIG, {"objectz": []}, "unknown option 'objectz' (did you mean 'objects'?)"),
        (CONFIG, {"zzz": []}, "unknown option 'zzz'"),
        (
            CONFIG,
            {"virtual_services": [{**ENTRY, "hostz": ["x"]}]},
            "unknown option 'virtual_services.hostz' (did you mean 'hosts'?)",
        ),
        (
            CONTROL_PLANE,
            {"version": "1.29.1", "values": {"istio": {}}},
            "unknown option 'values.istio' (did you mean 'istiod'?)",
        ),
        (
            CONFIG,
            {"virtual_services": [{"name": "a"}]},
            "missing required arguments: namespace found in virtual_services",
        ),
        (CONTROL_PLANE, {}, "missing required arguments: version"),
        (CONFIG, {"state": "gone"}, "value of state must be one of: present, absent, got: gone"),
        (
            CONTROL_PLANE,
            {"version": "1.29.1", "charts": {"directory": "/a", "repository": "b"}},
            "parameters are mutually exclusive: repository|directory|archives found in charts",
        ),
    ],
)
def test_a_mistake_is_said(operation: Operation[Any], arguments: dict[str, Any], reason: str) -> None:
    assert refused(operation, arguments) == reason


def test_all_mistakes_are_said_at_once() -> None:
    reason = refused(CONFIG, {"objectz": [], "state": "gone"})
    assert reason == (
        "unknown option 'objectz' (did you mean 'objects'?); value of state must be one of: present, absent, got: gone"
    )


def test_parameters_have_defaults_and_aliases_in_them() -> None:
    params = validated(INJECTION, {"namespaces": [{"name": "web", "create": "yes"}], "ssl_ca_cert": "/ca"})
    assert (params["host"], params["ca_cert"]) == (None, "/ca")
    assert params["namespaces"] == [{"name": "web", "mode": None, "revision": None, "create": True}]
    assert params["take_ownership_from"] == []


def ended(operation: Operation[Any], arguments: Mapping[str, Any] = NAMED, **environment: str) -> dict[str, Any]:
    return run_in_worker(
        operation,
        arguments,
        check_mode=True,
        diff_mode=True,
        environment=environment,
        planned=Planned(),
        progress=print,
    )


def prepared(work: Any) -> Operation[Any]:
    """An operation that ends, one way or another, before a cluster is asked."""

    def run(_run: Run, _request: object) -> Outcome:
        return Outcome(extra={"answer": 42})

    return Operation("unit", ArgumentSpec({"word": {"type": "str"}}), work, run)


def fail(text: str) -> Any:
    def prepare(_params: Mapping[str, Any]) -> None:
        raise Failure(text, subject="x", hint="Ask Ann")

    return prepare


def test_a_failure_becomes_a_failed_task() -> None:
    assert ended(prepared(fail("It broke"))) == {
        "failed": True,
        "changed": False,
        "msg": "It broke. Ask Ann.",
        "failure": {"code": "failure", "object": "x", "reason": "It broke", "hint": "Ask Ann"},
    }


def test_a_failure_never_quotes_a_secret_of_the_connection() -> None:
    assert ended(prepared(fail("Bad token hunter2")))["msg"] == "Bad token (hidden). Ask Ann."


def test_a_bug_is_told_by_its_place_alone() -> None:
    def prepare(params: Mapping[str, Any]) -> int:
        return int(params["word"])

    result = ended(prepared(prepare), {**NAMED, "word": "hunter3"})
    assert result["failure"]["code"] == "bug"
    assert "ValueError in " in result["msg"]
    assert "hunter" not in json.dumps(result)


def test_a_result_never_has_the_arguments_in_it() -> None:
    result = ended(prepared(lambda params: params), {**NAMED, "word": "hunter3"})
    assert result["answer"] == 42
    assert (result["changed"], result["plan"], result["requests"]) == (False, [], {})
    assert "hunter" not in json.dumps(result)


def test_a_tasks_environment_is_there_for_its_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAYS", "before")
    seen: dict[str, str] = {}

    def prepare(_params: Mapping[str, Any]) -> None:
        seen.update(os.environ)
        os.environ["LEFT_BEHIND"] = "by the operation"
        raise Failure("Enough")

    before = dict(os.environ)
    ended(prepared(prepare), STAYS="during", NEW="5")
    assert (seen["STAYS"], seen["NEW"]) == ("during", "5")
    assert dict(os.environ) == before


def test_the_environment_is_restored_after_wrong_options_too() -> None:
    before = dict(os.environ)
    assert ended(CONFIG, {"objectz": []}, NEW="5")["failure"]["code"] == "invalid_arguments"
    assert dict(os.environ) == before


def test_a_tasks_environment_names_the_cluster() -> None:
    """No cluster is asked: this one's address is refused before."""
    result = ended(CONFIG, {}, K8S_AUTH_HOST="not-a-url", K8S_AUTH_API_KEY="t")
    assert "'not-a-url' is not the URL of an API server" in result["msg"]
