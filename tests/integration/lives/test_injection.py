"""Injection of namespaces and of many at once: four ways, one label at a time, and what is refused before a write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injection import InjectionError
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.shares import share_of
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import DuplicateObject
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.revisions import Revisions
from integration.support.workloads import Workload

Changes = Callable[[], list[str]]
Options = dict[str, Any]
ENABLED, BY_REVISION = {"istio-injection": "enabled"}, {"istio.io/rev": "canary"}
WAYS: dict[str, tuple[Options, dict[str, str]]] = {
    "enabled": ({}, ENABLED),
    "disabled": ({"mode": "disabled"}, {"istio-injection": "disabled"}),
    "revision": ({"revision": "canary"}, BY_REVISION),
    "tag": ({"revision": "prod"}, {"istio.io/rev": "prod"}),
}


@pytest.fixture(scope="module")
def revisions(answering: Revisions) -> Revisions:
    """The default control plane, and another one with a tag; both answer."""
    answering.install("canary", revisionTags=["prod"])
    answering.answer("canary")
    answering.answer("revision-tag-prod")
    return answering


pytestmark = pytest.mark.usefixtures("revisions")


def labels(cluster: Cluster, name: str) -> dict[str, str]:
    """Those of Istio; Kubernetes labels every namespace with its name."""
    found: dict[str, str] = cluster.get("namespace", name)["metadata"]["labels"]
    return {key: value for key, value in found.items() if key != "kubernetes.io/metadata.name"}


def refused(operations: Operations, changes: Changes, options: Options, match: str) -> InjectionError:
    """Refused in check mode and in a run, with nothing written."""
    changes()
    for check in (True, False):
        with pytest.raises(InjectionError, match=match) as raised:
            operations.run("injection", options, check=check)
    assert changes() == []
    return raised.value


@pytest.mark.parametrize("way", WAYS)
def test_label_and_clear(way: str, namespace: str, operations: Operations, cluster: Cluster, changes: Changes) -> None:
    options, expected = WAYS[way]
    _four_ways(operations, {"name": namespace, **options}, changes)
    assert labels(cluster, namespace) == expected
    _four_ways(operations, {"name": namespace, "mode": "clear"}, changes)
    assert labels(cluster, namespace) == {}


def test_namespace_is_created_on_request(
    new_namespace: str, operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    plan = _four_ways(operations, {"name": new_namespace, "create": True}, changes)
    assert [row["action"] for row in plan] == ["create"]
    assert labels(cluster, new_namespace) == ENABLED


def test_contradicting_label_goes_whoever_has_set_it(namespace: str, operations: Operations, cluster: Cluster) -> None:
    cluster.label(namespace, {"istio-injection": "enabled", "team": "shop"})
    wanted = {"namespaces": [{"name": namespace, "revision": "canary"}]}
    check = operations.run("injection", wanted, check=True)
    fields = ["metadata.labels.istio-injection", "metadata.labels.[istio.io/rev]"]
    assert [sorted(row["fields"]) for row in check["plan"]] == [sorted(fields)]
    assert operations.run("injection", wanted)["plan"] == check["plan"]
    assert labels(cluster, namespace) == {**BY_REVISION, "team": "shop"}
    assert operations.run("injection", wanted)["changed"] is False


def test_drifted_label_names_who_has_set_it(namespace: str, operations: Operations, cluster: Cluster) -> None:
    wanted: Options = {"namespaces": [{"name": namespace}]}
    operations.run("injection", wanted)
    cluster.patch("namespace", namespace, "default", {"metadata": {"labels": {"istio-injection": "disabled"}}})
    with pytest.raises(Conflict, match="kubectl-patch"):
        operations.run("injection", wanted, check=True)
    healed = operations.run("injection", {**wanted, "take_ownership_from": ["kubectl-patch"]})
    assert [row["fields"] for row in healed["plan"]] == [["metadata.labels.istio-injection"]]
    assert labels(cluster, namespace) == ENABLED


def _four_ways(operations: Operations, entry: Options, changes: Changes) -> list[Options]:
    wanted = {"namespaces": [entry]}
    changes()
    check = operations.run("injection", wanted, check=True)
    assert (check["changed"], changes()) == (True, [])
    done = operations.run("injection", wanted)
    assert (done["plan"], done["diff"]) == (check["plan"], check["diff"])
    assert changes() != []
    again = [operations.run("injection", wanted, check=True), operations.run("injection", wanted)]
    assert [result["changed"] for result in again] == [False, False]
    assert changes() == []
    plan: list[Options] = done["plan"]
    return plan


@pytest.fixture
def team(cluster: Cluster, namespaces: list[str], new_namespace: str) -> list[str]:
    """Twenty namespaces with a label of their own; one of them is on its way out."""
    names = [f"{new_namespace}-{number}" for number in range(20)]
    namespaces.extend(names)
    for name in names:
        cluster.create_namespace(name)
        cluster.label(name, {"team": new_namespace})
    return names


def test_a_selection_takes_what_nobody_has_named(
    team: list[str], new_namespace: str, operations: Operations, cluster: Cluster
) -> None:
    chosen = {"selector": f"team={new_namespace}", "mode": "enabled"}
    wanted = {
        "selections": [chosen],
        "namespaces": [{"name": team[0], "mode": "disabled"}],
        "system_namespaces": team[1:2],
    }
    assert operations.run("injection", wanted)["summary"]["update"] == 19
    assert labels(cluster, team[0])["istio-injection"] == "disabled"
    assert "istio-injection" not in labels(cluster, team[1])
    assert labels(cluster, team[2])["istio-injection"] == "enabled"
    assert operations.run("injection", wanted)["summary"] == {"create": 0, "update": 0, "delete": 0, "unchanged": 19}


def test_a_larger_percentage_contains_the_smaller(
    team: list[str], new_namespace: str, operations: Operations, cluster: Cluster
) -> None:
    for percentage in (0, 30, 60, 100):
        chosen = {"selector": f"team={new_namespace}", "percentage": percentage, "revision": "canary"}
        operations.run("injection", {"selections": [chosen]})
        found = {name for name in team if "istio.io/rev" in labels(cluster, name)}
        assert found == {name for name in team if share_of(name) < percentage}


def test_two_selections_may_not_disagree(
    team: list[str], new_namespace: str, operations: Operations, changes: Changes
) -> None:
    chosen = f"team={new_namespace}"
    rows = [{"selector": chosen, "mode": "enabled"}, {"selector": chosen, "revision": "canary"}]
    refused(operations, changes, {"selections": rows}, f"Two selections want the namespace '{team[0]}' to be different")


def test_a_namespace_has_one_setting(operations: Operations, changes: Changes, namespace: str) -> None:
    changes()
    with pytest.raises(DuplicateObject, match=f"Namespace {namespace} stands twice in the input"):
        operations.run("injection", {"namespaces": [{"name": namespace}, {"name": namespace, "mode": "disabled"}]})
    assert changes() == []


def test_system_namespaces_are_never_touched(operations: Operations, changes: Changes, namespace: str) -> None:
    for name in ("istio-system", "kube-public", namespace):
        options = {"namespaces": [{"name": name}], "system_namespaces": [namespace]}
        refused(operations, changes, options, f"The namespace '{name}' is")
    chosen = {"selector": "kubernetes.io/metadata.name in (istio-system, kube-system)", "mode": "enabled"}
    assert operations.run("injection", {"selections": [chosen]})["summary"]["unchanged"] == 0


def test_unknown_revision_suggests_those_that_exist(operations: Operations, changes: Changes, namespace: str) -> None:
    options = {"namespaces": [{"name": namespace, "revision": "canari"}]}
    error = refused(operations, changes, options, r"no revision or tag 'canari' on api \(did you mean 'canary'\?\)")
    assert "there are canary, default, prod" in error.reason


def test_namespace_that_is_being_deleted(
    operations: Operations, changes: Changes, namespace: str, cluster: Cluster
) -> None:
    held = {"metadata": {"finalizers": ["tests/held"]}}
    cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held", "namespace": namespace}})
    cluster.patch("configmap", "held", namespace, held)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")
    refused(operations, changes, {"namespaces": [{"name": namespace}]}, "is being deleted")
    cluster.patch("configmap", "held", namespace, {"metadata": {"finalizers": None}})


def test_istiod_that_is_down(
    operations: Operations, changes: Changes, namespace: str, revisions: Revisions, cluster: Cluster
) -> None:
    """Pods could not be made there; what is as it shall be is no reason to fail."""
    wanted = {"namespaces": [{"name": namespace, "revision": "canary"}]}
    revisions.answer("canary", ready=False)
    try:
        error = refused(operations, changes, wanted, f"would inject Namespace {namespace} on api is down")
        assert error.subject == "Service istio-system/istiod-canary"
        cluster.label(namespace, {"istio.io/rev": "canary"})
        cluster.label(namespace, {"istio-injection": "disabled"})
        assert operations.run("injection", {"namespaces": [{"name": namespace, "mode": "disabled"}]})["changed"]
    finally:
        revisions.answer("canary")
    operations.run("injection", wanted)
    revisions.answer("canary", ready=False)
    try:
        assert operations.run("injection", wanted)["changed"] is False
    finally:
        revisions.answer("canary")


def test_two_injectors_for_one_pod(
    operations: Operations, changes: Changes, namespace: str, revisions: Revisions, cluster: Cluster
) -> None:
    """What Helm makes of a tag `default` beside a control plane that has no revision."""
    rendered = revisions.rendered("istiod", revision="canary", revisionTags=["default"])
    name = "istio-revision-tag-default"
    cluster.apply(*(found for found in rendered if found["metadata"]["name"].startswith(name)), manager="helm")
    try:
        error = refused(operations, changes, {"namespaces": [{"name": namespace}]}, "Two injectors would match")
        assert f"{name}/namespace.sidecar-injector.istio.io" in error.reason
        assert operations.run("injection", {"namespaces": [{"name": namespace, "revision": "canary"}]})["changed"]
        labels = {"app": "own", "sidecar.istio.io/inject": "true"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
        spec = {"replicas": 0, "selector": {"matchLabels": {"app": "own"}}, "template": template}
        metadata = {"name": "own", "namespace": namespace}
        cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
        clear = {"namespaces": [{"name": namespace, "mode": "clear"}]}
        error = refused(operations, changes, clear, f"Two injectors would match the Pods of Deployment {namespace}/own")
        assert f"{name}/object.sidecar-injector.istio.io" in error.reason
    finally:
        cluster.kubectl("delete", "mutatingwebhookconfiguration", "-l", "istio.io/tag=default")


def test_a_pending_restart_takes_no_further_change(
    operations: Operations, changes: Changes, namespace: str, cluster: Cluster
) -> None:
    Workload(cluster, namespace).make("canary", "1.29.1")
    wanted = {"namespaces": [{"name": namespace}]}
    assert operations.run("injection", {"namespaces": [{"name": namespace, "revision": "canary"}]})["changed"]
    assert operations.run("injection", {**wanted, "guard_pending_restart": True}, check=True)["changed"]
    operations.run("injection", wanted)
    back = {"namespaces": [{"name": namespace, "mode": "disabled"}], "guard_pending_restart": True}
    error = refused(operations, changes, back, f"{namespace} on api has a pending restart")
    assert f"{namespace}/app-pod: its proxy is of revision canary" in error.reason
    assert operations.run("injection", {**back, "guard_pending_restart": False}, check=True)["changed"]
    assert operations.run("injection", {**wanted, "guard_pending_restart": True})["changed"] is False


@pytest.mark.slow
def test_a_second_run_on_a_thousand_namespaces_persists_nothing(
    operations: Operations, changes: Changes, new_namespace: str
) -> None:
    """Named one by one, half of them cleared; and few requests."""
    names = [f"{new_namespace}-{number}" for number in range(1000)]
    ways: list[Options] = [{"mode": "enabled"}, {"revision": "canary"}, {"mode": "disabled"}, {"mode": "clear"}]
    rows = [{"name": name, "create": True, **ways[number % 4]} for number, name in enumerate(names)]
    assert operations.run("injection", {"namespaces": rows})["summary"]["create"] == 1000
    changes()
    again = operations.run("injection", {"namespaces": rows})
    assert (again["changed"], again["summary"]["unchanged"], changes()) == (False, 1000, [])
    assert sum(again["requests"].values()) < 20, again["requests"]
