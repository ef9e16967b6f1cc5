"""Every kind, four ways: check, do, check, do; then a drifted field, and its end. The audit log has the last word."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kind import Kind
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict
from integration.support.bed import Cluster
from integration.support.case import Case
from integration.support.cases import CASES
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("every_kind")
Changes = Callable[[], list[str]]
METADATA = {"labels", "annotations"}
SAME = ("changed", "plan", "summary", "diff")
LABELLED = [case for case in CASES if "labels" in case.options]


def spec(case: Case) -> dict[str, Any]:
    options = case.kind.options
    return {options[name].field: value for name, value in case.options.items() if name not in METADATA}


def essence(found: dict[str, Any]) -> tuple[Any, Any]:
    return found["spec"], found["metadata"].get("labels")


def actions(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["action"], row["name"]) for row in result["plan"]]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_cases_give_every_option_a_value(kind: Kind) -> None:
    used = {option for case in CASES if case.module == kind.name for option in case.options}
    assert used == {*kind.options, *METADATA}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_life(case: Case, namespace: str, operations: Operations, cluster: Cluster, changes: Changes) -> None:
    """Present four ways, then absent four ways."""
    wanted = case.given(namespace)
    _four_ways(operations, case.module, wanted, "create", changes)
    live = cluster.get(case.resource, "subject", namespace)
    assert live["spec"] == spec(case)
    assert [entry["manager"] for entry in live["metadata"]["managedFields"]] == ["service_mesh.istio/config"]
    gone = {"name": "subject", "namespace": namespace, "state": "absent"}
    operations.run(case.module, gone, check=True)
    assert cluster.names(case.resource, namespace) == {"subject"}
    _four_ways(operations, case.module, gone, "delete", changes)
    assert cluster.names(case.resource, namespace) == set()


def _four_ways(operations: Operations, module: str, wanted: dict[str, Any], action: str, changes: Changes) -> None:
    check = operations.run(module, wanted, check=True)
    assert (check["changed"], actions(check), changes()) == (True, [(action, "subject")], [])
    done = operations.run(module, wanted)
    assert [done[key] for key in SAME] == [check[key] for key in SAME]
    assert len(changes()) == 1
    for again in (operations.run(module, wanted, check=True), operations.run(module, wanted)):
        assert (again["changed"], again["plan"], again["diff"]) == (False, [], [])
        assert again["summary"] == {"create": 0, "update": 0, "delete": 0, "unchanged": 1}
    assert changes() == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_changed_field_is_named_and_taken_back(
    case: Case, namespace: str, operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    wanted = case.given(namespace)
    operations.run(case.module, wanted)
    before = cluster.get(case.resource, "subject", namespace)
    cluster.patch(case.resource, "subject", namespace, case.drift)
    changes()
    with pytest.raises(Conflict, match=r"kubectl-patch.*take_ownership_from"):
        operations.run(case.module, wanted, check=True)
    taken = {**wanted, "take_ownership_from": ["kubectl-patch"]}
    check = operations.run(case.module, taken, check=True)
    assert ([row["fields"] for row in check["plan"]], changes()) == ([[case.path]], [])
    healed = operations.run(case.module, taken)
    assert (healed["plan"], len(changes())) == (check["plan"], 1)
    assert essence(cluster.get(case.resource, "subject", namespace)) == essence(before)
    assert operations.run(case.module, wanted)["changed"] is False


@pytest.mark.parametrize("case", LABELLED, ids=lambda case: case.id)
def test_removed_field_is_put_back_and_dropped_option_goes(
    case: Case, namespace: str, operations: Operations, cluster: Cluster
) -> None:
    wanted = case.given(namespace)
    operations.run(case.module, wanted)
    cluster.patch(case.resource, "subject", namespace, {"metadata": {"labels": {"team": None}}})
    check = operations.run(case.module, wanted, check=True)
    assert [row["fields"] for row in check["plan"]] == [["metadata.labels"]]
    assert operations.run(case.module, wanted)["plan"] == check["plan"]
    dropped = operations.run(case.module, {key: value for key, value in wanted.items() if key != "labels"})
    assert [row["fields"] for row in dropped["plan"]] == [["metadata.labels"]]
    assert "labels" not in cluster.get(case.resource, "subject", namespace)["metadata"]


def test_host_of_the_cluster_and_host_of_the_rule(namespace: str, cluster: Cluster) -> None:
    case = next(case for case in CASES if case.module == "destination_rule")
    by_token = Operations({"host": cluster.server, "api_key": cluster.token, "ca_cert": cluster.ca_file})
    assert by_token.run(case.module, case.given(namespace))["changed"] is True
    assert cluster.get(case.resource, "subject", namespace)["spec"] == {"host": "reviews"}
