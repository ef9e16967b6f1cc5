"""Inside the controller's worker: mistakes become sentences, secrets stay secret, nothing stays behind."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import (
    DESTINATION_RULE,
    VIRTUAL_SERVICE,
    WASM_PLUGIN,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.outcome import Outcome
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.planned import PlannedWorlds
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.run import Run
from ansible_collections.service_mesh.istio.plugins.module_utils.task.arguments import ArgumentSpec
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operation import Operation, Surroundings
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.config import CONFIG, kind_operation
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.control_plane import CONTROL_PLANE
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.injection import INJECTION
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.remote_cluster import REMOTE_CLUSTER
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.sidecar_rollout import SIDECAR_ROLLOUT
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import (
    InvalidArguments,
    failed,
    run_in_worker,
    validated,
)

SERVER = "https://127.0.0.1:1"
NAMED = {"host": SERVER, "api_key": "hunter2"}


def refused(operation: Operation[Any], arguments: dict[str, Any]) -> str:
    with pytest.raises(InvalidArguments) as refusal:
        validated(operation, arguments)
    assert refusal.value.hint == f"'ansible-doc service_mesh.istio.{operation.name}' lists the options"
    return refusal.value.reason


ENTRY = {"name": "a", "namespace": "b"}
ROUTE = kind_operation(VIRTUAL_SERVICE)
PLUGIN = kind_operation(WASM_PLUGIN)
RULE = kind_operation(DESTINATION_RULE)


@pytest.mark.parametrize(
    ("operation", "arguments", "reason"),
    [
        (ROUTE, {**ENTRY, "hosts": ["a", 0.10]}, "'hosts[1]' must be text, but YAML reads it as the number 0.1"),
        (ROUTE, {**ENTRY, "hosts": ["a", None]}, "'hosts[1]' must be text, but YAML reads it as null"),
        (ROUTE, {**ENTRY, "hosts": 8080}, "'hosts' must be text, but YAML reads it as the number 8080"),
        (
            ROUTE,
            {**ENTRY, "hosts": ["a"], "name": False},
            "'name' must be text, but YAML reads it as the boolean false",
        ),
        (CONFIG, {"src": [None]}, "'src[0]' must be text, but YAML reads it as null"),
        (PLUGIN, {**ENTRY, "url": 1}, "'url' must be text, but YAML reads it as the number 1"),
        (
            CONFIG,
            {"wasm_plugins": [{**ENTRY, "url": "oci://a", "sha256": 123}]},
            "'wasm_plugins[0].sha256' must be text, but YAML reads it as the number 123",
        ),
        (
            CONFIG,
            {"virtual_services": [{**ENTRY, "namespace": 1.0, "gateways": ["mesh", True]}]},
            "'virtual_services[0].gateways[1]' must be text, but YAML reads it as the boolean true; "
            "'virtual_services[0].namespace' must be text, but YAML reads it as the number 1.0",
        ),
    ],
)
def test_no_text_is_made_of_numbers(operation: Operation[Any], arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidArguments) as refusal:
        validated(operation, arguments)
    assert (refusal.value.reason, "in quotes" in refusal.value.hint) == (reason, True)


@pytest.mark.parametrize(
    ("operation", "arguments", "reason", "hint"),
    [
        (
            ROUTE,
            {**ENTRY, "hosts": [["a", "b"]]},
            "'hosts[0]' is a list, and text belongs here",
            "leave out the brackets",
        ),
        (
            ROUTE,
            {**ENTRY, "hosts": ["a", {"b": 1}]},
            "'hosts[1]' is a mapping, and text belongs here",
            "one text of it",
        ),
        (RULE, {**ENTRY, "spec_host": ["a"]}, "'spec_host' is a list, and text belongs here", "one text of it"),
        (
            RULE,
            {"name": {"a": "b"}, "namespace": "b", "spec_host": "a"},
            "'name' is a mapping, and text belongs here",
            "one text of it",
        ),
        (
            CONFIG,
            {"destination_rules": [{**ENTRY, "host": ["a"], "export_to": [1]}]},
            "'destination_rules[0].export_to[0]' must be text, but YAML reads it as the number 1; "
            "'destination_rules[0].host' is a list, and text belongs here",
            "in quotes; what a template gives becomes text by '| string'. Give the one text",
        ),
    ],
)
def test_no_text_is_made_of_lists_and_mappings(
    operation: Operation[Any], arguments: dict[str, Any], reason: str, hint: str
) -> None:
    with pytest.raises(InvalidArguments) as refusal:
        validated(operation, arguments)
    assert refusal.value.reason == reason
    assert hint in refusal.value.hint


@pytest.mark.parametrize(
    ("operation", "arguments", "reason"),
    [
        (CONFIG, {"src": None}, "'src' is null: [] says that there is none"),
        (CONFIG, {"objects": None, "src": []}, "'objects' is null: [] says that there is none"),
        (CONFIG, {"gateways": None, "prune": True, "set": "a"}, "'gateways' is null: [] says that there is none"),
        (
            CONFIG,
            {"virtual_services": [{**ENTRY, "hosts": ["r"], "http": None}]},
            "'virtual_services[0].http' is null: [] says that there is none",
        ),
        (
            CONFIG,
            {"authorization_policies": [ENTRY, {**ENTRY, "selector": None, "rules": None}]},
            "'authorization_policies[1].rules' is null: [] says that there is none; "
            "'authorization_policies[1].selector' is null: leave it out",
        ),
        (
            CONFIG,
            {"workload_entries": [{**ENTRY, "weight": None}]},
            "'workload_entries[0].weight' is null: leave it out",
        ),
        (
            CONFIG,
            {"gateways": [{**ENTRY, "state": None}]},
            "value of state must be one of: present, absent, got: None in 'gateways[0]'; "
            "'gateways[0].state' is null: leave it out",
        ),
        (ROUTE, {**ENTRY, "hosts": ["a"], "labels": None}, "'labels' is null: leave it out"),
        (ROUTE, {"name": "a", "namespace": None, "hosts": ["a"]}, "'namespace' is null: leave it out"),
        (ROUTE, {**ENTRY, "hosts": ["a"], "http": None}, "'http' is null: [] says that there is none"),
        (RULE, {**ENTRY, "spec_host": "a", "traffic_policy": None}, "'traffic_policy' is null: leave it out"),
        (PLUGIN, {**ENTRY, "url": "oci://a", "priority": None}, "'priority' is null: leave it out"),
        (PLUGIN, {**ENTRY, "url": "oci://a", "plugin_name": None}, "'plugin_name' is null: leave it out"),
    ],
)
def test_null_is_not_the_same_as_absent(operation: Operation[Any], arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidArguments) as refusal:
        validated(operation, arguments)
    # Of some of them ansible-core 2.16 says something, too.
    assert refusal.value.reason.endswith(reason)
    assert "a template gives 'omit'" in refusal.value.hint


def test_what_is_no_field_of_an_object_may_be_null() -> None:
    assert validated(ROUTE, {**ENTRY, "hosts": ["a"], "context": None})["context"] is None


def test_what_is_no_field_of_an_object_may_be_written_as_one_likes() -> None:
    given = {**ENTRY, "hosts": ["8080"], "http": [{"timeout": 1}], "context": 1, "take_ownership_from": [1]}
    assert validated(ROUTE, given)["context"] == "1"


@pytest.mark.parametrize(
    ("operation", "arguments", "reason"),
    [
        (CONFIG, {"objectz": []}, "unknown option 'objectz' (did you mean 'objects'?)"),
        (CONFIG, {"zzz": []}, "unknown option 'zzz'"),
        (
            CONFIG,
            {"virtual_services": [{**ENTRY, "hostz": ["x"]}]},
            "unknown option 'virtual_services[0].hostz' (did you mean 'hosts'?)",
        ),
        (
            CONTROL_PLANE,
            {"version": "1.29.1", "values": {"istio": {}}},
            "unknown option 'values.istio' (did you mean 'istiod'?)",
        ),
        (
            CONFIG,
            {"virtual_services": [ENTRY, {"name": "a"}, {**ENTRY, "http": [1]}, None]},
            "missing required arguments: namespace in 'virtual_services[1]'; "
            "'virtual_services[2].http[0]' must be a mapping and is a number; "
            "'virtual_services[3]' must be a mapping and is null",
        ),
        (
            CONTROL_PLANE,
            {"charts": None, "values": 1},
            "state is present but all of the following are missing: version; "
            "'values' must be a mapping and is a number",
        ),
        (CONFIG, {"state": "gone"}, "value of state must be one of: present, absent, got: gone"),
        (
            CONTROL_PLANE,
            {"version": "1.29.1", "charts": {"directory": "/a", "repository": "b"}},
            "parameters are mutually exclusive: repository|directory|archives in 'charts'",
        ),
        (CONFIG, {"objects": [{}, None]}, "'objects[1]' must be a mapping and is null"),
        (
            INJECTION,
            {"namespaces": ["web", '{"mode": "enabled"}', "name=a", {"name": "b"}]},
            "'namespaces[0]' must be a mapping and is text; missing required arguments: name in 'namespaces[1]'",
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


@pytest.mark.parametrize(
    ("operation", "arguments", "place"),
    [
        (CONFIG, {"objects": [[{"kind": "Secret", "stringData": {"key": "geheim"}}]]}, "objects[0]"),
        (CONFIG, {"objects": ["geheim", 4711]}, "objects[1]"),
        (SIDECAR_ROLLOUT, {"prometheus": [{"url": "x", "password": "geheim"}]}, "prometheus"),
        (SIDECAR_ROLLOUT, {"prometheus": {"password": ["geheim"]}}, "prometheus"),
        (REMOTE_CLUSTER, {"cluster_name": "a", "primary": "b", "remote": [{"api_key": "geheim"}]}, "remote"),
        (REMOTE_CLUSTER, {"cluster_name": "a", "primary": "b", "remote": "geheim"}, "remote"),
        (REMOTE_CLUSTER, {"cluster_name": "a", "primary": "b", "remote": 4711}, "remote"),
    ],
)
def test_no_mistake_quotes_what_may_be_secret(operation: Operation[Any], arguments: dict[str, Any], place: str) -> None:
    reason = refused(operation, arguments)
    assert f"'{place}'" in reason
    assert "geheim" not in reason
    assert "4711" not in reason


def test_parameters_have_defaults_and_aliases_in_them() -> None:
    params = validated(INJECTION, {"namespaces": [{"name": "web", "create": "yes"}], "ssl_ca_cert": "/ca"})
    assert (params["host"], params["ca_cert"]) == (None, "/ca")
    assert params["namespaces"] == [{"name": "web", "mode": None, "revision": None, "create": True}]
    assert params["take_ownership_from"] == []


def ended(operation: Operation[Any], arguments: Mapping[str, Any] = NAMED, **environment: str) -> dict[str, Any]:
    """A task as the action plugin runs it: options first, then the operation."""
    surroundings = Surroundings(check_mode=True, diff_mode=True, progress=print, planned=PlannedWorlds())
    try:
        return run_in_worker(operation, validated(operation, dict(arguments)), surroundings, environment)
    except Failure as error:
        return failed(error)


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


def test_a_tasks_environment_names_the_cluster() -> None:
    """No cluster is asked: this one's address is refused before."""
    result = ended(CONFIG, {}, K8S_AUTH_HOST="not-a-url", K8S_AUTH_API_KEY="t")
    assert "'not-a-url' is not the URL of an API server" in result["msg"]
