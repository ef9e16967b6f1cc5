"""An upgrade in waves on real nodes, of which one fails: it goes back, later ones never begin, and a later run goes on.

Every Service is asked all the time, and disruption budgets are watched; Prometheus scrapes the istiods, and gates ask
it. The last namespace has Pods that are taken down before others come, and one budget for all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from integration.support.bed import Cluster
from integration.support.moving import NEW_REVISION, NEWER, OLD_REVISION, OLDER, Moving, moving
from integration.support.playbook import Runner
from integration.support.prometheus import Metrics, prometheus

pytestmark = pytest.mark.timeout(1800)
HEAD = {"apiVersion": "admissionregistration.k8s.io/v1"}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moving]:
    with moving(tmp_path_factory.mktemp("broken"), "4x2x2") as made:
        made.fill()
        share_a_budget(made, made.spaces[-1])
        yield made


def share_a_budget(mesh: Moving, space: str) -> None:
    cluster = mesh.whole.cluster
    update = {"spec": {"strategy": {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}}}
    for app in mesh.names:
        cluster.patch("deployment", app, space, update)
        cluster.kubectl("delete", "pdb", app, "-n", space)
    everybody = {"matchExpressions": [{"key": "app", "operator": "In", "values": list(mesh.names)}]}
    spec = {"selector": everybody, "maxUnavailable": 1}
    metadata = {"name": "shared", "namespace": space}
    cluster.apply({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec})


@contextmanager
def no_pods_of(cluster: Cluster, space: str, app: str) -> Iterator[None]:
    """Nobody may make Pods of a workload."""
    made = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    whose = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
        "objectSelector": {"matchLabels": {"app": app}},
        "resourceRules": [made],
    }
    broken = {"validations": [{"expression": "false", "message": "broken on purpose"}], "matchConstraints": whose}
    bound = {"policyName": "broken", "validationActions": ["Deny"]}
    metadata = {"name": "broken"}
    policy = {**HEAD, "kind": "ValidatingAdmissionPolicy", "metadata": metadata, "spec": broken}
    cluster.apply(policy, {**HEAD, "kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata, "spec": bound})
    yield
    cluster.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", "broken")


def metrics_of_istiod(cluster: Cluster) -> str:
    """Where whoever is no Pod of the cluster scrapes them."""
    port = {"name": "metrics", "port": 15014, "nodePort": 31514}
    spec = {"type": "NodePort", "selector": {"app": "istiod"}, "ports": [port]}
    metadata = {"name": "istiod-metrics", "namespace": "istio-system"}
    cluster.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    return f"127.0.0.1:{cluster.forward('east', 31514)}"


@pytest.fixture(scope="module")
def metrics(mesh: Moving, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    with prometheus(tmp_path_factory.mktemp("prometheus"), istiod=metrics_of_istiod(mesh.whole.cluster)) as running:
        running.say(success=1.0)
        yield running


def gates(metrics: Metrics) -> dict[str, Any]:
    """Those of docs/rollout.md, as far as proxies without telemetry have them."""
    return {
        "mesh_rollout_prometheus": {"url": metrics.url},
        "mesh_rollout_gates": [
            {"name": "success rate", "query": "success", "min": 0.99},
            {"name": "proxies are told", "query": "sum(pilot_xds)", "min": 1},
            {"name": "nothing is rejected", "query": "sum(pilot_total_xds_rejects) or vector(0)", "max": 0},
        ],
    }


def revisions(mesh: Moving) -> dict[str, set[str]]:
    """By namespace, what its label says and who has injected its Pods."""
    found: dict[str, set[str]] = {}
    for space in mesh.spaces:
        pods = json.loads(mesh.whole.cluster.kubectl("get", "pods", "-n", space, "-o", "json"))["items"]
        staying = [pod["metadata"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        label = mesh.whole.cluster.get("namespace", space)["metadata"]["labels"]["istio.io/rev"]
        found[space] = {label, *(metadata["annotations"]["istio.io/rev"] for metadata in staying)}
    return found


def test_a_wave_that_fails_goes_back_and_a_later_run_goes_on(mesh: Moving, metrics: Metrics, tmp_path: Path) -> None:
    first, second, *others = mesh.spaces
    waves: list[dict[str, Any]] = [
        {"name": "first", "namespaces": [first]},
        {"name": "second", "namespaces": [second]},
        {"name": "rest"},
    ]
    to = mesh.upgrade(waves) | gates(metrics)
    to |= {"mesh_upgrade_wait_timeout": 60.0, "mesh_rollout_on_failure": "undo"}
    runner, broken = Runner(tmp_path), mesh.names[-1]
    mesh.whole.play(runner, "upgrade_start", OLDER, **to)
    with mesh.observed() as (seen, violated):
        with no_pods_of(mesh.whole.cluster, second, broken):
            stopped = mesh.whole.attempt(runner, "upgrade_shift", OLDER, mesh_upgrade_percentage=100, **to)
        went_back = revisions(mesh)
        done = mesh.whole.play(runner, "upgrade_shift", OLDER, mesh_upgrade_percentage=100, **to)
    assert stopped.rc == 2, stopped.output
    assert "gate 'proxies are told' holds: " in stopped.output
    assert metrics.value("sum(pilot_total_xds_rejects)") == "", "a counter that is there only after the first reject"
    assert f"Deployment {second}/{broken}" in stopped.output
    assert "broken on purpose" in stopped.output
    told = stopped.last.data["rollout"]
    assert [wave["state"] for wave in told["waves"]] == ["done", "undone", "waiting"]
    assert went_back == {first: {NEW_REVISION}, **{name: {OLD_REVISION} for name in (second, *others)}}
    assert done.last.data["rollout"]["state"] == "done"
    assert revisions(mesh) == {name: {NEW_REVISION} for name in mesh.spaces}
    assert (seen.failed, violated) == ({}, []), seen.lines
    assert mesh.whole.proxies() == {NEWER}
    again = mesh.whole.play(runner, "upgrade_shift", OLDER, mesh_upgrade_percentage=100, **to)
    assert not any(result.changed for result in again.results)
