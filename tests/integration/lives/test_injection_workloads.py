"""Workloads: their label and their sidecar's settings, one change of the template each, and discovery scopes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.checks import CheckFailed
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injection import InjectionError
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict
from integration.support.bed import Cluster
from integration.support.operations import Operations

Changes = Callable[[], list[str]]
Options = dict[str, Any]
INJECT = "sidecar.istio.io/inject"
SETTINGS: Options = {
    "resources": {"cpu_request": "100m", "cpu_limit": "0", "memory_request": "64Mi", "memory_limit": "1Gi"},
    "pass_through": {"inbound_ports": [9090], "outbound_ports": [3306], "outbound_ranges": ["10.9.0.0/16"]},
    "lifecycle": {"hold_application": True, "drain_duration": "30s"},
    "log_level": "debug",
}
CLONE_SETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "clonesets.apps.kruise.io"},
    "spec": {
        "group": "apps.kruise.io",
        "names": {"kind": "CloneSet", "plural": "clonesets"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


pytestmark = pytest.mark.usefixtures("crds", "answering")


def workload(namespace: str, kind: str = "Deployment", version: str = "apps/v1", **pod: Any) -> Options:
    """One that somebody else deploys."""
    labels = {"app": "shop"}
    spec: Options = {"containers": [{"name": "app", "image": "app:1"}], **pod}
    template = {"metadata": {"labels": labels, "annotations": {INJECT: "false", "team": "shop"}}, "spec": spec}
    made: Options = {"selector": {"matchLabels": labels}, "template": template}
    made |= {"serviceName": "shop"} if kind == "StatefulSet" else {}
    metadata = {"name": "shop", "namespace": namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": made}


def template_of(cluster: Cluster, namespace: str, kind: str = "deployment") -> Options:
    found: Options = cluster.get(kind, "shop", namespace)["spec"]["template"]["metadata"]
    return found


def entry(place: str, **more: Any) -> Options:
    return {"workloads": [{"namespace": place, "name": "shop", **more}]}


def four_ways(operations: Operations, wanted: Options, changes: Changes) -> list[Options]:
    changes()
    check = operations.run("injection", wanted, check=True)
    assert (check["changed"], changes()) == (True, [])
    done = operations.run("injection", wanted)
    assert (done["plan"], done["diff"]) == (check["plan"], check["diff"])
    assert changes() != []
    again = [operations.run("injection", wanted, check=True), operations.run("injection", wanted)]
    assert ([result["changed"] for result in again], changes()) == ([False, False], [])
    assert not any("dry run" in verb for verb in again[1]["requests"])
    plan: list[Options] = done["plan"]
    return plan


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_label_settings_and_clear(
    kind: str, namespace: str, operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    """The older annotation goes with the same write that sets the label, so that the Pods are renewed once."""
    cluster.apply(workload(namespace, kind))
    (row,) = four_ways(operations, entry(namespace, kind=kind, mode="enabled", **SETTINGS), changes)
    assert row["action"] == "update"
    template = template_of(cluster, namespace, kind)
    assert template["labels"] == {"app": "shop", INJECT: "true"}
    assert template["annotations"] == {
        "team": "shop",
        "sidecar.istio.io/proxyCPU": "100m",
        "sidecar.istio.io/proxyMemory": "64Mi",
        "sidecar.istio.io/proxyMemoryLimit": "1Gi",
        "sidecar.istio.io/logLevel": "debug",
        "traffic.sidecar.istio.io/excludeInboundPorts": "9090",
        "traffic.sidecar.istio.io/excludeOutboundPorts": "3306",
        "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.9.0.0/16",
        "proxy.istio.io/config": '{"holdApplicationUntilProxyStarts": true, "terminationDrainDuration": "30s"}',
    }
    assert cluster.get(kind, "shop", namespace)["metadata"]["generation"] == 2
    four_ways(operations, entry(namespace, kind=kind, mode="disabled"), changes)
    assert template_of(cluster, namespace, kind)["labels"][INJECT] == "false"
    four_ways(operations, entry(namespace, kind=kind, mode="clear"), changes)
    template = template_of(cluster, namespace, kind)
    assert (template["labels"], template["annotations"]) == ({"app": "shop"}, {"team": "shop"})


def test_a_setting_that_drifted_is_shown_alone(namespace: str, operations: Operations, cluster: Cluster) -> None:
    cluster.apply(workload(namespace))
    wanted = entry(namespace, **SETTINGS)
    operations.run("injection", wanted)
    drift = {"spec": {"template": {"metadata": {"annotations": {"sidecar.istio.io/logLevel": "trace"}}}}}
    cluster.patch("deployment", "shop", namespace, drift)
    with pytest.raises(Conflict, match=r"live 'trace', desired 'debug'|kubectl-patch"):
        operations.run("injection", wanted, check=True)
    healed = operations.run("injection", {**wanted, "take_ownership_from": ["kubectl-patch"]})
    path = "spec.template.metadata.annotations.[sidecar.istio.io/logLevel]"
    assert [row["fields"] for row in healed["plan"]] == [[path]]


def test_a_custom_kind(namespace: str, operations: Operations, cluster: Cluster, changes: Changes) -> None:
    cluster.apply(CLONE_SETS)
    cluster.kubectl("wait", "--for=condition=Established", "crd/clonesets.apps.kruise.io")
    cluster.apply(workload(namespace, "CloneSet", "apps.kruise.io/v1alpha1"))
    kinds = {"workload_kinds": [{"group": "apps.kruise.io", "kind": "CloneSet"}]}
    four_ways(operations, {**entry(namespace, kind="CloneSet", mode="enabled", log_level="info"), **kinds}, changes)
    template = template_of(cluster, namespace, "clonesets")
    assert template["labels"][INJECT] == "true"
    assert template["annotations"] == {"team": "shop", "sidecar.istio.io/logLevel": "info"}


REFUSED: dict[str, tuple[Options, str]] = {
    "unknown": ({"name": "shopp"}, r"no Deployment .*/shopp on api \(did you mean 'shop'\?\)"),
    "kind": ({"kind": "Deploymnt"}, "'Deploymnt' is no kind of workloads"),
    "system": ({"namespace": "istio-system"}, "'istio-system' is a system namespace"),
    "nowhere": ({"namespace": "nowhere"}, "'nowhere' does not exist"),
    "host_network": ({"kind": "StatefulSet", "mode": "enabled"}, "to be injected and never would be"),
    "disabled": ({"mode": "enabled"}, "to be injected and never would be.*istio-injection=disabled"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, namespace: str, operations: Operations, cluster: Cluster, changes: Changes) -> None:
    options, match = REFUSED[case]
    cluster.apply(workload(namespace), workload(namespace, "StatefulSet", hostNetwork=True))
    more = {"namespaces": [{"name": namespace, "mode": "disabled"}]} if case == "disabled" else {}
    wanted = {**entry(namespace, **options), **more}
    changes()
    for check in (True, False):
        with pytest.raises(InjectionError, match=match):
            operations.run("injection", wanted, check=check)
    assert changes() == []


def test_discovery_scopes(namespace: str, operations: Operations, cluster: Cluster, changes: Changes) -> None:
    wanted: Options = {"discovery_scopes": [{"namespace": namespace, "scope": "list", "namespaces": ["nowhere"]}]}
    four_ways(operations, wanted, changes)
    assert hosts(cluster, namespace) == ["./*", "istio-system/*", "nowhere/*"]
    told = operations.run("injection", wanted, check=True)["warnings"]
    assert told == [f"The discovery scope of '{namespace}' lists namespaces that do not exist: nowhere"]
    four_ways(operations, {"discovery_scopes": [{"namespace": namespace, "scope": "all"}]}, changes)
    assert hosts(cluster, namespace) == ["*/*"]
    (row,) = four_ways(operations, {"discovery_scopes": [{"namespace": namespace, "scope": "mesh"}]}, changes)
    assert (row["action"], cluster.names("sidecars", namespace)) == ("delete", set())


def test_a_group_of_namespaces(namespace: str, operations: Operations, cluster: Cluster, changes: Changes) -> None:
    other = f"{namespace}-b"
    wanted: Options = {
        "discovery_groups": {"sales": [namespace, other]},
        "namespaces": [{"name": other, "create": True}],
    }
    cluster.create_namespace(other)
    four_ways(operations, wanted, changes)
    assert hosts(cluster, namespace) == ["./*", "istio-system/*", f"{other}/*"]
    assert hosts(cluster, other) == ["./*", "istio-system/*", f"{namespace}/*"]


def test_sidecars_of_somebody_else(namespace: str, operations: Operations, cluster: Cluster) -> None:
    spec = {"egress": [{"hosts": ["./*"]}]}
    head = {"apiVersion": "networking.istio.io/v1", "kind": "Sidecar", "spec": spec}
    cluster.apply({**head, "metadata": {"name": "default", "namespace": namespace}})
    with pytest.raises(InjectionError, match="was not made by this module"):
        operations.run("injection", {"discovery_scopes": [{"namespace": namespace, "scope": "mesh"}]})
    cluster.kubectl("delete", "sidecar", "default", "-n", namespace)
    cluster.apply({**head, "metadata": {"name": "theirs", "namespace": namespace}})
    with pytest.raises(CheckFailed, match=f"Sidecar {namespace}/theirs is for the same workloads"):
        operations.run("injection", {"discovery_scopes": [{"namespace": namespace, "scope": "own"}]})


def hosts(cluster: Cluster, namespace: str) -> list[str]:
    found: list[str] = cluster.get("sidecar", "default", namespace)["spec"]["egress"][0]["hosts"]
    return found
