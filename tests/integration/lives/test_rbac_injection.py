"""The ClusterRoles for injection and for the logs of proxies: enough, no wider, and what is missing is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injection import InjectionError
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from faults import Proxy, Rule
from faults.catalogue import FAULTS
from integration.engine.bound import Bound, Verb, bound
from integration.engine.test_rbac import refused
from integration.lives.test_injection_workloads import workload
from integration.support.bed import Cluster
from integration.support.workloads import Workload

KINDS = ("Deployment", "StatefulSet", "DaemonSet")
SIDECARS = "sidecars.networking.istio.io"
WEBHOOKS = "mutatingwebhookconfigurations.admissionregistration.k8s.io"
SLICES = "endpointslices.discovery.k8s.io"
Options = dict[str, Any]
# One of each way to need it; that all are needed shows in what is used.
NEEDED = [
    ("get", "namespaces"),
    ("list", "namespaces"),
    ("create", "namespaces"),
    ("get", "statefulsets.apps"),
    ("patch", "deployments.apps"),
    ("create", SIDECARS),
]


pytestmark = pytest.mark.usefixtures("crds", "answering")


@pytest.fixture
def user(cluster: Cluster) -> Iterator[Bound]:
    with bound(cluster, "injection") as found:
        yield found


@pytest.fixture
def everything(cluster: Cluster, namespace: str) -> Options:
    """A namespace and one that comes, a workload of each kind, and what the sidecars know."""
    cluster.apply(*(workload(namespace, kind) for kind in KINDS))
    return {
        "namespaces": [{"name": namespace}, {"name": f"{namespace}-new", "create": True}],
        "workloads": [{"namespace": namespace, "name": "shop", "kind": kind, "log_level": "info"} for kind in KINDS],
        "discovery_scopes": [{"namespace": namespace, "scope": "own"}],
    }


def changed(wanted: Options) -> Options:
    workloads = [{**one, "log_level": "debug"} for one in wanted["workloads"]]
    scopes = [{**one, "scope": "all"} for one in wanted["discovery_scopes"]]
    return {**wanted, "workloads": workloads, "discovery_scopes": scopes}


def test_injection(user: Bound, cluster: Cluster, namespace: str, everything: Options) -> None:
    """Everything that is granted is used: done, taken back, changed, taken back, removed."""
    with Proxy(cluster) as proxy:
        through = user.through(proxy.kubeconfig)
        for wanted in (everything, changed(everything)):
            proxy.play([Rule(FAULTS["truncated"], verb="apply", path="sidecars/default\\?", dry_run=False, nth={1})])
            with pytest.raises(Failure) as raised:
                through.run("injection", wanted)
            assert "Not restored" not in str(raised.value)
            if wanted == everything:  # the namespace that came has gone again
                cluster.kubectl("wait", "--for=delete", f"namespace/{namespace}-new", "--timeout=60s")
            user.operations.run("injection", everything)
    for kind in KINDS:
        unknown = [{"namespace": namespace, "name": "shopp", "kind": kind}]
        with pytest.raises(InjectionError, match="did you mean 'shop'"):
            user.operations.run("injection", {"workloads": unknown})
    chosen = {"selections": [{"selector": f"kubernetes.io/metadata.name={namespace}", "mode": "disabled"}]}
    user.operations.run("injection", {**chosen, "guard_pending_restart": True}, check=True)
    user.operations.run("injection", {"discovery_scopes": [{"namespace": namespace, "scope": "mesh"}]})
    assert user.used() == user.granted


def test_what_is_missing_is_named(user: Bound, namespace: str, everything: Options) -> None:
    for missing in NEEDED:
        user.grant(missing)
        refused(user.operations, "injection", _needing(missing, namespace, everything), missing)


def _needing(missing: Verb, namespace: str, everything: Options) -> Options:
    verb, resource = missing
    if missing == ("list", "namespaces"):
        return {"selections": [{"selector": f"kubernetes.io/metadata.name={namespace}", "mode": "disabled"}]}
    if resource == "namespaces":
        return {"namespaces": everything["namespaces"][1 if verb == "create" else 0 :]}
    if resource == SIDECARS:
        return {"discovery_scopes": everything["discovery_scopes"]}
    return {"workloads": everything["workloads"]}


@pytest.mark.parametrize("missing", [("list", WEBHOOKS), ("list", SLICES), ("get", "configmaps")], ids="-".join)
def test_what_could_not_be_judged_is_said(user: Bound, namespace: str, missing: Verb) -> None:
    user.grant(missing)
    told = user.operations.run("injection", {"namespaces": [{"name": namespace}]}, check=True)["warnings"]
    words = ("nobody knows", "could not be read")
    assert [text for text in told if any(word in text for word in words)], told


def test_logs_of_proxies(cluster: Cluster, namespace: str) -> None:
    """There is no node that could answer: the API server says whether one would be asked."""
    Workload(cluster, namespace).make("default", "1.29.1")
    cluster.kubectl(
        *("patch", "pod", "app-pod", "-n", namespace, "--subresource=status", "--type=merge"),
        *("-p", '{"status": {"phase": "Running"}}'),
    )
    wanted = {"namespace": namespace, "selector": "app=app", "level": "debug"}
    with bound(cluster, "proxy-logs") as user:
        for missing in (("list", "pods"), ("get", "pods/exec")):
            user.grant(missing)
            refused(user.operations, "proxy_log_level", wanted, missing)
        user.grant()
        with pytest.raises(Failure, match="exec in Pod") as raised:
            user.operations.run("proxy_log_level", wanted)
        assert raised.value.as_dict()["code"] != "forbidden"
