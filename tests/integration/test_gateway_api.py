"""Objects of the Gateway API, with its own CRDs: applied in order, proved unchanged, pruned as members of a set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.manifests import InvalidManifest
from integration.conftest import install_crds
from integration.support import bed
from integration.support.bed import Cluster
from integration.support.operations import Operations

Changes = Callable[[], list[str]]
Object = dict[str, Any]
API = "gateway.networking.k8s.io/v1"
PART = f"gateway-api-{bed.ISTIO}"


@pytest.fixture(scope="module", autouse=True)
def gateway_api(cluster: Cluster, crds: object) -> Iterator[object]:
    """They go again: what other tests find on the server does not depend on this file."""
    file = bed.parts(PART)[PART] / "gateway-api-crd.yaml"
    install_crds(cluster, file)
    yield crds
    cluster.kubectl("delete", "-f", str(file))


def made(kind: str, name: str, namespace: str = "", **spec: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}


def gateway_class(namespace: str) -> Object:
    return made("GatewayClass", namespace, controllerName="istio.io/gateway-controller")


def gateway(namespace: str, hostname: str = "*.example.com") -> Object:
    listener = {"name": "http", "hostname": hostname, "port": 80, "protocol": "HTTP"}
    return made("Gateway", "ingress", namespace, gatewayClassName=namespace, listeners=[listener])


def route(namespace: str, name: str = "shop") -> Object:
    """As people write it: much is left to the defaults of the CRD (path, weight, group and kind of references)."""
    rules = [{"matches": [{"path": {"value": "/a"}}, {"method": "GET"}], "backendRefs": [{"name": "shop", "port": 80}]}]
    parents, hostnames = [{"name": "ingress"}], [f"{name}.example.com"]
    return made("HTTPRoute", name, namespace, parentRefs=parents, hostnames=hostnames, rules=rules)


def world(namespace: str, *routes: str, **more: Any) -> Object:
    """The objects in an order in which they could not be used."""
    objects = [*(route(namespace, name) for name in routes), gateway(namespace), gateway_class(namespace)]
    return {"objects": objects, **more}


def rows(result: Object) -> list[tuple[str, str, str]]:
    return [(row["action"], row["kind"], row["name"]) for row in result["plan"]]


def test_four_ways_and_a_drift(namespace: str, operations: Operations, cluster: Cluster, changes: Changes) -> None:
    wanted = world(namespace, "shop")
    check = operations.run("config", wanted, check=True)
    created = [("create", "GatewayClass", namespace), ("create", "Gateway", "ingress"), ("create", "HTTPRoute", "shop")]
    assert (rows(check), changes()) == (created, [])
    done = operations.run("config", wanted)
    kinds = ["gatewayclasses", "gateways", "httproutes"]
    assert (rows(done), [line.split()[1] for line in changes()]) == (created, kinds)
    for check_mode in (True, False):
        again = operations.run("config", wanted, check=check_mode)
        assert (again["changed"], again["summary"]["unchanged"], changes()) == (False, 3, [])
    cluster.patch("httproute", "shop", namespace, {"spec": {"hostnames": ["drifted.example.com"]}})
    taking = {**wanted, "take_ownership_from": ["kubectl-patch"]}
    assert [row["fields"] for row in operations.run("config", taking)["plan"]] == [["spec.hostnames[0]"]]
    assert len(changes()) == 1
    gone = {**wanted, "state": "absent"}
    assert rows(operations.run("config", gone)) == [("delete", *row[1:]) for row in reversed(created)]
    assert [line.split()[1] for line in changes()] == kinds[::-1]
    assert operations.run("config", gone)["changed"] is False


def test_a_route_leaves_its_set(namespace: str, operations: Operations, cluster: Cluster, changes: Changes) -> None:
    of = {"set": "routes", "set_namespace": namespace, "prune": True}
    operations.run("config", world(namespace, "shop", "old", **of))
    assert operations.run("config", world(namespace, "shop", "old", **of))["changed"] is False
    changes()
    for check_mode in (True, False):
        result = operations.run("config", world(namespace, "shop", **of), check=check_mode)
        assert [row for row in rows(result) if row[1] != "ConfigMap"] == [("delete", "HTTPRoute", "old")]
    assert cluster.names("httproutes", namespace) == {"shop"}
    assert operations.run("config", world(namespace, "shop", **of))["changed"] is False
    removed = rows(operations.run("config", {"objects": [], **of}))
    assert [kind for _verb, kind, _name in removed if kind != "ConfigMap"] == ["HTTPRoute", "Gateway", "GatewayClass"]


def test_they_are_read_back(namespace: str, operations: Operations) -> None:
    operations.run("config", world(namespace, "shop"))
    kinds = [f"HTTPRoute/{API}", f"Gateway/{API}"]
    found = operations.run("config_info", {"kinds": kinds, "namespaces": [namespace]})
    assert sorted(item["kind"] for item in found["objects"]) == ["Gateway", "HTTPRoute"]
    operations.run("config", {**world(namespace, "shop"), "state": "absent"})


def test_a_number_where_text_belongs_is_refused(namespace: str, operations: Operations, changes: Changes) -> None:
    wrong = route(namespace)
    wrong["spec"]["hostnames"] = [8080]
    with pytest.raises(InvalidManifest, match=r"spec\.hostnames\[0\] must be text"):
        operations.run("config", {"objects": [wrong]})
    assert changes() == []
