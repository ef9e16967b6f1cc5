"""Istio's objects belong to the clusters whose control plane reads them, and what others write there stays theirs."""

from __future__ import annotations

from typing import Any

import pytest
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.playbook import Runner

pytestmark = pytest.mark.usefixtures("crds")
WEBHOOK = "validatingwebhookconfiguration"


@pytest.mark.parametrize(("role", "there"), [("remote", set()), ("primary", {"shop"}), (None, {"shop"})])
def test_role_applies_to_primary_clusters_only(
    runner: Runner, cluster: Cluster, namespace: str, role: str | None, there: set[str]
) -> None:
    variables = {
        "mesh_kubeconfig": cluster.kubeconfig,
        "mesh_config_virtual_services": [{"name": "shop", "namespace": namespace, "hosts": ["shop"]}],
        **({"mesh_cluster_role": role} if role else {}),
    }
    include = {"name": "Configuration", "ansible.builtin.include_role": {"name": "service_mesh.istio.mesh_config"}}
    played = runner.run({**include, "vars": variables})
    assert played.rc == 0, played.output
    assert cluster.names("virtualservices", namespace) == there


def test_role_empties_no_set_by_silence(runner: Runner, cluster: Cluster, namespace: str) -> None:
    """The variables that name the objects are in a file that was not loaded; none is needed where nothing is pruned."""
    role = {"ansible.builtin.include_role": {"name": "service_mesh.istio.mesh_config"}, "name": "Configuration"}
    quiet = {"mesh_kubeconfig": cluster.kubeconfig, "mesh_root_namespace": namespace, "mesh_config_set": "shop"}
    pruning = {**quiet, "mesh_config_prune": True}
    shop = [{"name": "shop", "namespace": namespace, "hosts": ["shop"]}]
    assert runner.run({**role, "vars": {**pruning, "mesh_config_virtual_services": shop}}).rc == 0
    refused = runner.run({**role, "vars": pruning})
    assert "'prune' would delete every member of the set 'shop'" in refused.last.data["msg"], refused.output
    assert runner.run({**role, "vars": {"mesh_kubeconfig": cluster.kubeconfig}}).rc == 0
    assert cluster.names("virtualservices", namespace) == {"shop"}
    assert runner.run({**role, "vars": {**pruning, "mesh_config_objects": []}}).rc == 0
    assert cluster.names("virtualservices", namespace) == set()


def webhook(name: str) -> dict[str, Any]:
    hook = {
        "name": "config.example.com",
        "clientConfig": {"url": "https://127.0.0.1:9/nobody"},
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "rules": [{"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["a"]}],
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    return {**kind, "metadata": {"name": name}, "webhooks": [hook]}


def test_co_owned_fields_are_neither_claimed_nor_reported(
    operations: Operations, cluster: Cluster, namespace: str
) -> None:
    """istiod makes its validator fail closed; that is no drift, and no conflict."""
    wanted = {"objects": [webhook(namespace)]}
    operations.run("config", wanted)
    change = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]
    cluster.kubectl("patch", WEBHOOK, namespace, "--type=json", "-p", str(change).replace("'", '"'))
    try:
        assert not operations.run("config", wanted, check=True)["changed"]
        assert not operations.run("config", wanted)["changed"]
        assert cluster.get(WEBHOOK, namespace)["webhooks"][0]["failurePolicy"] == "Fail"
    finally:
        cluster.kubectl("delete", WEBHOOK, namespace)


def test_plan_names_whose_field_is_taken_over(operations: Operations, cluster: Cluster, namespace: str) -> None:
    """Drift by field and manager."""
    wanted = {"name": "shop", "namespace": namespace, "hosts": ["shop"]}
    operations.run("virtual_service", wanted)
    cluster.patch("virtualservice", "shop", namespace, {"spec": {"hosts": ["drifted"]}})
    taking = {**wanted, "take_ownership_from": ["kubectl-patch"]}
    (row,) = operations.run("virtual_service", taking, check=True)["plan"]
    assert (row["fields"], row["reason"]) == (["spec.hosts[0]"], ".spec.hosts is taken over from 'kubectl-patch'")
    assert operations.run("virtual_service", taking)["plan"] == [row]
