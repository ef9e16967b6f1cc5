"""Who has a sidecar and why, read from objects of a real API server: labels, Pods, rights that are missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injection_read import (
    NotAllRead,
    UnknownNamespace,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.what_if import UnknownWorkload
from integration.engine.bound import Bound, bound
from integration.support.bed import Cluster
from integration.support.mesh import Mesh, mesh
from integration.support.operations import Operations
from integration.support.playbook import Runner

pytestmark = pytest.mark.usefixtures("nothing_persisted")
Made = dict[str, Any]


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Iterator[Mesh]:
    """A revision that injects into its namespace, with Pods in it that run, are old, and have none."""
    with mesh(cluster, namespace) as found:
        found.istiod("1.29.1")
        found.injector()
        found.injector(tag=f"{namespace}-prod")
        found.label(revision=found.revision)
        yield found


@pytest.fixture
def user(cluster: Cluster) -> Iterator[Bound]:
    with bound(cluster, "read") as found:
        yield found


def ask(operations: Operations, **options: Any) -> Made:
    found: Made = operations.run("injection_info", options)["injection"]
    return found


def told(own: Mesh, **more: Any) -> None:
    """What the chart tells the istiod of the revision."""
    values = {"global": {"proxy": {"resources": {"requests": {"cpu": "100m"}}}}}
    data = {"config": json.dumps({"policy": "enabled", **more}), "values": json.dumps(values)}
    own.apply("v1", "ConfigMap", f"istio-sidecar-injector-{own.revision}", data=data)


def deployment(own: Mesh, name: str, labels: Made | None = None) -> None:
    template = {
        "metadata": {"labels": {"app": name, **(labels or {})}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template}
    own.apply("apps/v1", "Deployment", name, spec=spec)


def test_what_is_explained_is_read_beside_what_a_selector_chooses(own: Mesh, operations: Operations) -> None:
    told(own)
    own.pod("old", "1.28.3")
    asked = {"explain": [own.namespace, f"{own.namespace}/old"]}
    alone, beside = ask(operations, **asked), ask(operations, selector="nobody=has-it", **asked)
    assert beside["explanations"] == alone["explanations"]
    assert "would get a sidecar" in alone["explanations"][0]["text"]
    with pytest.raises(UnknownNamespace, match="There is no namespace 'nowhere'"):
        ask(operations, selector="nobody=has-it", explain=["nowhere"])


@pytest.mark.parametrize(("started", "failed"), [("2026-01-01T00:00:00Z", True), ("2100-01-01T00:00:00Z", False)])
def test_a_proxy_that_has_run_for_long_and_is_not_ready_has_failed(
    own: Mesh, operations: Operations, started: str, failed: bool
) -> None:
    told(own)
    own.pod("mute", "1.29.1")
    container = {"name": "istio-proxy", "image": "", "imageID": "", "restartCount": 0, "ready": False}
    running = {**container, "state": {"running": {"startedAt": started}}}
    own.status("pod", "mute", {"containerStatuses": [running]})
    (bare,) = ask(operations, namespaces=[own.namespace])["apart"]
    assert (bare["state"] == "failed") is failed
    assert [reason for reason in bare["reasons"] if "and is not ready" in reason] == (
        ["Pod mute, container istio-proxy: it has run since 2026-01-01 00:00 UTC and is not ready"] if failed else []
    )


def test_pods_that_nobody_makes_again_hold_no_change_up(own: Mesh, operations: Operations) -> None:
    told(own)
    own.pod("old", "1.28.3")
    away = {"namespaces": [{"name": own.namespace, "mode": "disabled"}], "take_ownership_from": ["kubectl"]}
    assert operations.run("injection", {**away, "guard_pending_restart": True}, check=True)["changed"]


def test_desired_and_effective(own: Mesh, operations: Operations) -> None:
    told(own)
    deployment(own, "web")
    deployment(own, "out", {"sidecar.istio.io/inject": "false"})
    own.pod("new", "1.29.1")
    own.pod("old", "1.28.3")
    own.pod("without")
    own.pod("over", phase="Succeeded")
    found = ask(operations, namespaces=[own.namespace])
    states = {one["name"]: (one["state"], one["desired"]["rule"]) for one in found["workloads"]}
    assert states["web"] == ("injected", "namespace_revision")
    assert states["out"] == ("not_injected", "pod_label")
    apart = {one["name"]: (one["why_apart"], one["state"], one["reasons"]) for one in found["apart"]}
    assert apart == {
        "new": ("bare", "pending_restart", ["its proxy has the cpu request none, and would have 100m"]),
        "old": ("bare", "pending_restart", ["its proxy is 1.28.3, and would be 1.29.1"]),
        "without": ("bare", "pending_restart", [f"it has no proxy and would get one of revision {own.revision}"]),
        "over": ("completed", "not_injected", []),
    }
    (space,) = found["namespaces"]
    assert (space["labels"], space["state"]) == ({"istio.io/rev": own.revision}, "injected")


def test_what_istiod_is_told_decides_as_well(own: Mesh, operations: Operations) -> None:
    deployment(own, "web", {"team": "none"})
    told(own, neverInjectSelector=[{"matchLabels": {"team": "none"}}])
    found = ask(operations, explain=[f"{own.namespace}/web"])
    (web,) = (one for one in found["workloads"] if one["name"] == "web")
    assert (web["state"], web["desired"]["rule"]) == ("not_injected", "never_inject_selector")
    (explained,) = found["explanations"]
    assert explained["text"] == (
        f"Deployment {own.namespace}/web: it has no Pods. A new one would get no sidecar, "
        "because istiod's neverInjectSelector matches the labels of the Pod."
    )


def test_labels_as_they_might_be(own: Mesh, operations: Operations) -> None:
    told(own)
    deployment(own, "web")
    own.pod("bare", "1.29.1")
    taken = {"namespace": own.namespace, "labels": {"istio.io/rev": None}}
    found = ask(operations, what_if=[taken])
    rows = {(one["kind"], one["name"]): (one["restart"], one["text"]) for one in found["what_if"]}
    assert set(rows) == {("Namespace", own.namespace), ("Deployment", "web"), ("Pod", "bare")}
    assert rows["Pod", "bare"][0]
    assert rows["Deployment", "web"][1] == (
        "a new Pod would get no sidecar, because neither the namespace nor the Pod has a label that asks for a sidecar"
    )


def test_a_few_namespaces_cost_a_few_requests(own: Mesh, operations: Operations) -> None:
    told(own)
    result = operations.run("injection_info", {"namespaces": [own.namespace]})
    assert result["requests"]["list"] <= 8
    assert result["changed"] is False


def test_names_of_what_is_not_there(own: Mesh, operations: Operations) -> None:
    with pytest.raises(UnknownNamespace, match=f"There is no namespace '{own.namespace}x'.*did you mean"):
        ask(operations, namespaces=[f"{own.namespace}x"])
    deployment(own, "checkout")
    with pytest.raises(UnknownWorkload, match="did you mean 'checkout'"):
        ask(operations, explain=[f"{own.namespace}/chekout"])
    with pytest.raises(UnknownWorkload, match="did you mean 'checkout'"):
        ask(operations, what_if=[{"namespace": own.namespace, "workload": "chekout", "labels": {"a": "b"}}])


def test_the_example_of_a_role_is_enough(own: Mesh, user: Bound) -> None:
    told(own)
    result = user.operations.run("injection_info", {"namespaces": [own.namespace]})
    assert (result["warnings"], result["injection"]["unread"]) == ([], [])
    assert user.operations.run("injection_info", {})["injection"]["unread"] == []


@pytest.fixture
def closed(cluster: Cluster, namespaces: list[str], namespace: str) -> str:
    """Another namespace."""
    namespaces.append(f"{namespace}-closed")
    cluster.create_namespace(namespaces[-1])
    return namespaces[-1]


def test_a_namespace_that_may_not_be_read(own: Mesh, user: Bound, cluster: Cluster, closed: str) -> None:
    """The user may list Pods in one namespace only, so the other one is named, or with allow_partial left out."""
    told(own)
    user.grant(("list", "pods"))
    grant(cluster, own.namespace, user.user)
    both = {"namespaces": [own.namespace, closed]}
    with pytest.raises(NotAllRead) as refused:
        user.operations.run("injection_info", both)
    text = str(refused.value)
    assert f"cannot be judged: {closed}" in text
    assert "'list' on pods is forbidden there" in text
    assert "allow_partial" in refused.value.hint
    result = user.operations.run("injection_info", {**both, "allow_partial": True})
    found = result["injection"]
    assert [one["namespace"] for one in found["unread"]] == [closed]
    assert [one["name"] for one in found["namespaces"]] == [own.namespace]
    assert any(f"The namespace {closed} is left out" in line for line in result["warnings"])


def grant(cluster: Cluster, namespace: str, user: str) -> None:
    """Pods of one namespace."""
    cluster.kubectl("create", "role", "pods", "-n", namespace, "--verb=list", "--resource=pods")
    cluster.kubectl("create", "rolebinding", "pods", "-n", namespace, "--role=pods", f"--user={user}")


def test_as_a_task(own: Mesh, runner: Runner) -> None:
    """A label without a value is taken away, and an argument that is misspelt is named."""
    taken = {"namespace": own.namespace, "labels": {"istio.io/rev": None}}
    played = runner.run({"name": "Ask", "service_mesh.istio.injection_info": {"what_if": [taken]}})
    assert played.rc == 0, played.output
    (row,) = played.last.data["injection"]["what_if"]
    assert "neither the namespace nor the Pod has a label that asks for a sidecar" in row["text"]
