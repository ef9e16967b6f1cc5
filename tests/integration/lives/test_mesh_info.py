"""The state of a mesh, read from objects of a real API server: what runs, who uses it, what has drifted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from integration.support.bed import Cluster
from integration.support.mesh import Mesh, mesh
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("crds", "nothing_persisted")


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Iterator[Mesh]:
    with mesh(cluster, namespace) as found:
        yield found


def ask(operations: Operations, *gather: str) -> dict[str, Any]:
    found: dict[str, Any] = operations.run("mesh_info", {"gather": list(gather)})["mesh"]
    return found


def revision(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in found["revisions"] if entry["name"] == name)


def test_a_control_plane_and_what_keeps_it_from_working(own: Mesh, operations: Operations) -> None:
    own.istiod("1.29.1", available=0)
    own.apply("v1", "ServiceAccount", "default")
    labels = {"app": "istiod", "istio.io/rev": own.revision}
    own.apply("v1", "Pod", "istiod-1", labels=labels, spec={"containers": [{"name": "discovery", "image": "x"}]})
    waiting = {"name": "discovery", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}
    whole = {"image": "x", "imageID": "", "ready": False, "restartCount": 0}
    own.status("pod", "istiod-1", {"containerStatuses": [{**waiting, **whole}]})
    found = ask(operations)
    (plane,) = (one for one in found["control_planes"] if one["namespace"] == own.namespace)
    assert (plane["version"], plane["revision"], plane["owner"]) == ("1.29.1", own.revision, "unknown")
    assert (plane["ready"], plane["reasons"]) == (False, ["discovery: ErrImagePull: no such host"])
    assert (found["ready"], found["mode"]) == (False, "external")
    assert "1.29.1" in [entry["version"] for entry in found["support"]]
    assert {"revisions", "pods", "owners", "drift"} & set(found) == set()


def test_the_short_form_costs_a_list_for_each_kind_and_namespace(own: Mesh, operations: Operations) -> None:
    own.istiod("1.29.1")
    result = operations.run("mesh_info", {})
    parts = [part for kind in ("control_planes", "gateways", "node_agents") for part in result["mesh"][kind]]
    assert result["requests"]["list"] == 4 + len({part["namespace"] for part in parts})


def test_proxies_of_a_remote_cluster_are_compared_with_what_its_charts_are(own: Mesh, operations: Operations) -> None:
    own.served_by("east", "1.29.1")
    own.label(revision=own.revision)
    own.pod("old", "1.28.3")
    why = "its proxy is 1.28.3, and would be 1.29.1"
    assert [row["reason"] for row in ask(operations, "pods")["pods"]["pending_pods"]] == [why]
    only = {"namespaces": [own.namespace]}
    (pod,) = operations.run("injection_info", only)["injection"]["apart"]
    assert (pod["state"], pod["desired"]["version"]) == ("pending_restart", "1.29.1")
    (bare,) = operations.run("sidecar_rollout", only, check=True)["rollout"]["left"]["workloads"]
    assert (bare["how"], bare["reason"]) == ("by_hand", why)
    own.cluster.kubectl("annotate", "configmap", f"values-{own.revision}", "-n", own.namespace, _RECORD + "-")
    unknown = f"Proxies of the revision '{own.revision}' are not compared by version"
    for module in ("injection_info", "sidecar_rollout"):
        assert [unknown in line for line in operations.run(module, only)["warnings"]].count(True) == 1


_RECORD = "service-mesh-istio/version"


def test_who_uses_a_revision(own: Mesh, operations: Operations) -> None:
    own.istiod("1.29.1")
    own.injector()
    assert not revision(ask(operations, "revisions"), own.revision)["in_use"]
    own.injector(tag="prod")
    own.pod("injected", "1.29.1")
    own.pod("over", "1.29.1", phase="Succeeded")
    template = {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]},
    }
    own.apply(
        "batch/v1", "CronJob", "nightly", spec={"schedule": "@daily", "jobTemplate": {"spec": {"template": template}}}
    )
    own.label(revision="prod")
    found = revision(ask(operations, "revisions"), own.revision)
    assert (found["exists"], found["version"], found["tags"]) == (True, "1.29.1", ["prod"])
    assert found["users"] == {"CronJob": 1, "MutatingWebhookConfiguration": 1, "Namespace": 1, "Pod": 1}
    assert {"kind": "Pod", "namespace": own.namespace, "name": "injected", "how": "injected by it"} in found["objects"]


def test_a_label_that_names_nothing(own: Mesh, operations: Operations) -> None:
    own.label(revision=f"gone-{own.namespace}")
    found = revision(ask(operations, "revisions"), f"gone-{own.namespace}")
    assert (found["exists"], found["users"]) == (False, {"Namespace": 1})


def test_pods_that_wait_for_a_restart(own: Mesh, operations: Operations) -> None:
    own.istiod("1.29.1")
    own.injector()
    own.label(revision=own.revision)
    own.pod("new", "1.29.1")
    own.pod("old", "1.28.3")
    own.pod("without")
    own.pod("over", phase="Succeeded")
    pods = ask(operations, "pods")["pods"]
    waiting = {pod["name"]: pod["reason"] for pod in pods["pending_pods"] if pod["namespace"] == own.namespace}
    assert waiting == {
        "old": "its proxy is 1.28.3, and would be 1.29.1",
        "without": f"it has no proxy and would get one of revision {own.revision}",
    }
    assert pods["revisions"][own.revision] == 2


class TestDrift:
    """What somebody else has set in an object of ours, by field, manager and time."""

    @pytest.fixture
    def nothing_persisted(self) -> None:
        """Here the collection writes: drift is in what it has applied."""

    def fields(self, operations: Operations, namespace: str) -> list[tuple[str, str, str]]:
        found = ask(operations, "drift")["drift"]["fields"]
        return [
            (one["kind"], one["field"], one["manager"]) for one in found if namespace in (one["namespace"], one["name"])
        ]

    def test_fields_are_named(self, own: Mesh, cluster: Cluster, operations: Operations) -> None:
        route = {"hosts": ["a.example.com"], "http": [{"route": [{"destination": {"host": "a"}}]}]}
        operations.run("virtual_service", {"name": "a", "namespace": own.namespace, **route})
        assert self.fields(operations, own.namespace) == []
        time.sleep(1.1)  # the server notes whole seconds
        cluster.patch("virtualservice", "a", own.namespace, {"spec": {"hosts": ["b.example.com"]}})
        changed = ("VirtualService", "spec.hosts", "kubectl-patch")
        assert self.fields(operations, own.namespace) == [changed]
        operations.run(
            "virtual_service",
            {"name": "a", "namespace": own.namespace, **route, "take_ownership_from": ["kubectl-patch"]},
        )
        assert self.fields(operations, own.namespace) == []


def test_managers_of_the_components(own: Mesh, operations: Operations) -> None:
    own.istiod("1.29.1")
    own.injector()
    owners = {entry["name"]: entry["managers"] for entry in ask(operations, "owners")["owners"]}
    assert [entry["manager"] for entry in owners[f"istiod-{own.revision}"]] == ["tests", "kubectl-patch"]
    assert owners[f"istio-{own.namespace}"][0]["fields"] > 5
