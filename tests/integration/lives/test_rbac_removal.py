"""The ClusterRole for uninstalling, beside that for a control plane's life: enough, and what is missing is named."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.prechecks import PrecheckFailed
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from integration.engine.bound import RBAC, Bound, Verb, example
from integration.engine.test_rbac import refused
from integration.support.bed import ISTIO, Cluster

pytestmark = pytest.mark.usefixtures("crds")
ADMISSION = "admissionregistration.k8s.io"
NEEDED = [
    ("list", "resourcequotas"),
    ("list", "serviceaccounts"),
    ("list", f"validatingadmissionpolicies.{ADMISSION}"),
    ("list", f"validatingadmissionpolicybindings.{ADMISSION}"),
    ("list", "horizontalpodautoscalers.autoscaling"),
    ("list", "networkpolicies.networking.k8s.io"),
    ("list", f"clusterrolebindings.{RBAC}"),
    ("list", f"rolebindings.{RBAC}"),
    ("list", f"roles.{RBAC}"),
    ("list", "network-attachment-definitions.k8s.cni.cncf.io"),
]


@pytest.fixture
def both(cluster: Cluster) -> Iterator[Bound]:
    role = example("lifecycle")
    role["rules"] += example("removal")["rules"]
    user = Bound(cluster, role, f"tests-removal-{uuid.uuid4().hex[:8]}")
    user.grant()
    yield user
    cluster.kubectl("delete", f"clusterrole/{user.user}", f"clusterrolebinding/{user.user}", "--ignore-not-found")


def place(namespace: str) -> dict[str, Any]:
    return {"namespace": namespace, "revision": namespace.replace("test-", "r"), "components": ["istiod", "cni"]}


def test_uninstalling(both: Bound, charts: Path, new_namespace: str, cluster: Cluster) -> None:
    """What the two roles allow together: to install, and to remove with all that istiod itself has written."""
    helm = {"helm_binary": str(cluster.bin / "helm"), "charts": {"directory": str(charts)}, "wait_timeout": 0.0}
    gone = {**place(new_namespace), "state": "absent", "remove_leftovers": True}
    with pytest.raises(NotReady):
        both.operations.run("control_plane", {**place(new_namespace), **helm, "version": ISTIO})
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": "istiod"}}
    name = {"namespace": new_namespace, "name": "istio-ip-autoallocate"}
    cluster.apply({**lease, "metadata": name}, manager="pilot-discovery")
    both.grant(("delete", "deployments.apps"))
    with pytest.raises(PrecheckFailed, match=r"deployments\.apps: the user may not delete them"):
        both.operations.run("control_plane", gone)
    both.grant()
    removed = both.operations.run("control_plane", gone)
    assert removed["summary"]["delete"] > 20
    assert ("Lease", "istio-ip-autoallocate") in {(row["kind"], row["name"]) for row in removed["plan"]}
    assert {verb for verb in NEEDED if verb[0] == "list"} <= both.used() | {NEEDED[-1]}


@pytest.mark.parametrize("missing", NEEDED, ids="-".join)
def test_what_is_missing_is_named(both: Bound, namespace: str, missing: Verb) -> None:
    both.grant(missing)
    refused(both.operations, "control_plane", {**place(namespace), "state": "absent"}, missing)


def test_the_end_of_its_istiod_is_waited_for(both: Bound, namespace: str, cluster: Cluster) -> None:
    labels = {"app": "istiod", "istio.io/rev": place(namespace)["revision"]}
    spec = {"containers": [{"name": "discovery", "image": "pilot"}]}
    metadata = {"name": "istiod", "namespace": namespace, "labels": labels}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}
    cluster.apply(account, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    gone = {**place(namespace), "state": "absent", "wait_timeout": 0.0}
    with pytest.raises(NotReady, match="it is still ending"):
        both.operations.run("control_plane", gone)
    both.grant(("get", "pods"))
    refused(both.operations, "control_plane", gone, ("get", "pods"))


def test_what_istiod_has_left_may_be_unknown(both: Bound, namespace: str) -> None:
    both.grant(("list", "leases.coordination.k8s.io"))
    told = both.operations.run("control_plane", {**place(namespace), "state": "absent"})
    assert any(text.startswith("What istiod has left of leases is not known") for text in told["warnings"])
