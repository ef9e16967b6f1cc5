"""What objects mean together, against a real API server: errors before the first write, and no question too many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.checks import CheckFailed
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("crds")
Changes = Callable[[], list[str]]
Options = dict[str, Any]


def service(namespace: str, *subsets: str) -> Options:
    routes = [
        {"destination": {"host": "reviews", "subset": subset}, "weight": 100 // len(subsets)} for subset in subsets
    ]
    return {"name": "reviews", "namespace": namespace, "hosts": ["reviews"], "http": [{"route": routes}]}


def rule(namespace: str, *subsets: str) -> Options:
    named = [{"name": name, "labels": {"version": name}} for name in subsets]
    return {"name": "reviews", "namespace": namespace, "host": "reviews", "subsets": named}


def together(namespace: str, *subsets: str, **more: Any) -> Options:
    both = {"virtual_services": [service(namespace, *subsets)], "destination_rules": [rule(namespace, *subsets)]}
    return {**both, **more}


def pod(namespace: str, name: str, *containers: str) -> Options:
    made = [{"name": container, "image": "example.com/none"} for container in containers]
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": made}}


def refused(operations: Operations, module: str, options: Options) -> str:
    with pytest.raises(CheckFailed) as refusal:
        operations.run(module, options)
    return refusal.value.reason


def test_a_subset_is_looked_for_in_input_and_cluster(
    namespace: str, operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    alone = {"virtual_services": [service(namespace, "v1", "v2")]}
    assert "no DestinationRule defines the subset 'v1' of reviews" in refused(operations, "config", alone)
    assert changes() == []
    (first, _second) = [
        text for text in operations.run("config", alone, check=True)["warnings"] if "subset_not" in text
    ]
    assert "unless something out of sight does, a run refuses it" in first
    assert operations.run("config", together(namespace, "v1", "v2"))["warnings"] == []
    operations.run("virtual_service", {**service(namespace, "v2"), "state": "absent"})
    assert operations.run("config", alone)["warnings"] == []
    changes()
    gone = {"destination_rules": [{**rule(namespace, "v1"), "state": "absent"}]}
    assert "still routes to its subset 'v2'" in refused(operations, "config", gone)
    assert "still routes to its subset 'v2'" in refused(operations, "destination_rule", shrunk(namespace))
    assert changes() == []
    assert operations.run("destination_rule", {**shrunk(namespace), "ignore_checks": ["subset_in_use"]})["changed"]
    assert operations.run("config", together(namespace, "v1"))["changed"]
    assert cluster.get("virtualservice.networking.istio.io", "reviews", namespace)["spec"]["http"][0]["route"][1:] == []


def shrunk(namespace: str) -> Options:
    """The module's own name for the host, which the connection has too."""
    content = rule(namespace, "v1")
    return {"spec_host": content.pop("host"), **content}


def test_nothing_is_asked_when_nothing_changes(namespace: str, operations: Operations, audit: Audit) -> None:
    wanted = together(namespace, "v1", peer_authentications=[strict(namespace)])
    operations.run("config", wanted)
    mark = audit.mark()
    operations.run("config", wanted)
    asked = sorted(event["objectRef"]["resource"] for event in audit.requests(mark))
    assert asked == ["destinationrules", "peerauthentications", "virtualservices"]


def strict(namespace: str) -> Options:
    return {"name": "default", "namespace": namespace, "mtls": {"mode": "STRICT"}}


def test_stricter_policies_warn_of_whom_they_cut_off(namespace: str, operations: Operations, cluster: Cluster) -> None:
    cluster.apply(pod(namespace, "cart", "app", "istio-proxy"), pod(namespace, "old", "app"))
    allow = {"name": "allow", "namespace": namespace, "action": "ALLOW", "rules": [{}]}
    (first,) = operations.run("authorization_policy", allow, check=True)["warnings"]
    assert operations.run("authorization_policy", allow)["warnings"] == [first]
    assert f"AuthorizationPolicy {namespace}/allow (authorization_policy): spec: it is the first that allows" in first
    assert first.endswith(f"for Pod {namespace}/cart [first_allow]")
    assert operations.run("authorization_policy", {**allow, "name": "second"})["warnings"] == []
    (warned,) = operations.run("peer_authentication", strict(namespace))["warnings"]
    assert warned.endswith(f"in the namespace {namespace}: Pod {namespace}/old [strict_outside_mesh]")
    assert operations.run("peer_authentication", strict(namespace))["warnings"] == []


def test_policies_of_the_root_namespace_are_for_all_namespaces(
    namespace: str, namespaces: list[str], operations: Operations, cluster: Cluster
) -> None:
    """Whatever its name: what is allowed there is no first, and STRICT there cuts off workloads elsewhere."""
    namespaces.append(f"{namespace}-root")
    cluster.create_namespace(namespaces[-1])
    cluster.apply(pod(namespace, "cart", "app", "istio-proxy"), pod(namespace, "old", "app"))
    root, allow = {"root_namespace": namespaces[-1]}, {"name": "allow", "action": "ALLOW", "rules": [{}]}
    operations.run("authorization_policy", {**allow, **root, "namespace": namespaces[-1]})
    policies = {"authorization_policies": [{**allow, "namespace": namespace}]}
    (warned,) = operations.run("config", policies, check=True)["warnings"]
    assert warned.endswith("[first_allow]")
    assert operations.run("config", {**policies, **root}, check=True)["warnings"] == []
    everywhere = strict(namespaces[-1])
    assert operations.run("peer_authentication", everywhere, check=True)["warnings"] == []
    (warned,) = operations.run("peer_authentication", {**everywhere, **root}, check=True)["warnings"]
    assert "all that these can send in the mesh: " in warned


def test_a_second_of_its_kind_is_found_in_the_cluster(namespace: str, operations: Operations, changes: Changes) -> None:
    operations.run("sidecar", {"name": "default", "namespace": namespace})
    changes()
    reason = refused(operations, "sidecar", {"name": "another", "namespace": namespace})
    assert f"Sidecar {namespace}/default is for the same workloads" in reason
    assert changes() == []


def test_objects_of_two_revisions_stand_side_by_side(namespace: str, operations: Operations, changes: Changes) -> None:
    """The second is new beside one of the cluster; without its label it is refused."""
    operations.run("sidecar", of_revision(namespace, "stable"))
    assert operations.run("sidecar", of_revision(namespace, "canary"))["changed"]
    changes()
    assert "is for the same workloads" in refused(operations, "sidecar", {"name": "both", "namespace": namespace})
    assert changes() == []


def of_revision(namespace: str, revision: str) -> Options:
    return {"name": revision, "namespace": namespace, "labels": {"istio.io/rev": revision}}


def test_relative_weights_are_warned_of_and_nothing_for_nobody_is_refused(
    namespace: str, operations: Operations, changes: Changes
) -> None:
    wanted = service(namespace)
    (first, second) = ({"destination": {"host": host}} for host in ("reviews", "others"))
    alone = [{**first, "weight": 1}]
    assert operations.run("virtual_service", {**wanted, "http": [{"route": alone}]})["warnings"] == []
    changes()
    reason = refused(operations, "virtual_service", {**wanted, "http": [{"route": [first, second]}]})
    assert "spec.http[0].route: the weights of its destinations sum to 0" in reason
    assert changes() == []
    shares = [{**first, "weight": 3}, {**second, "weight": 1}]
    (warned,) = operations.run("virtual_service", {**wanted, "http": [{"route": shares}]})["warnings"]
    assert "the weights sum to 4, not to 100" in warned


def test_a_second_route_for_the_same_connections_is_found_in_the_cluster(
    namespace: str, operations: Operations, changes: Changes
) -> None:
    """By SNI and by port; another port is another matter."""
    route = {"route": [{"destination": {"host": "db"}}]}
    place = {"namespace": namespace, "gateways": [f"{namespace}/ingress"], "hosts": ["db.example.com"]}
    taken = {
        "tls": [{**route, "match": [{"port": 443, "sniHosts": ["db.example.com"]}]}],
        "tcp": [{**route, "match": [{"port": 3306}]}],
    }
    operations.run("virtual_service", {"name": "first", **place, **taken})
    changes()
    reason = refused(operations, "virtual_service", {"name": "second", **place, **taken})
    for what in ("TLS connections for db.example.com on port 443", "TCP connections for db.example.com on port 3306"):
        assert f"VirtualService {namespace}/first takes {what} on the gateway {namespace}/ingress, too" in reason
    assert changes() == []
    other = {"tcp": [{**route, "match": [{"port": 5432}]}]}
    assert operations.run("virtual_service", {"name": "second", **place, **other})["changed"]


def test_input_is_judged_before_anything_is_asked(namespace: str, operations: Operations, audit: Audit) -> None:
    mark = audit.mark()
    sidecars = [{"name": name, "namespace": namespace} for name in ("a", "b")]
    assert "sidecars[1]" in refused(operations, "config", {"sidecars": sidecars})
    assert list(audit.requests(mark)) == []


def test_who_may_not_look_is_told_what_was_not_checked(
    namespace: str, cluster: Cluster, operations: Operations
) -> None:
    """A team's credentials: its own namespace's Istio objects and no Pods."""
    rules = [
        {"apiGroups": ["*.istio.io", "networking.istio.io", "security.istio.io"], "resources": ["*"], "verbs": ["*"]}
    ]
    head = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "team", "namespace": namespace}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "team"}
    cluster.apply(
        {**head, "kind": "Role", "rules": rules},
        {**head, "kind": "RoleBinding", "roleRef": role, "subjects": [{"kind": "User", "name": "team"}]},
    )
    as_team = Operations({**operations.connection, "impersonate_user": "team"})
    warnings = as_team.run("peer_authentication", strict(namespace))["warnings"]
    assert [text for text in warnings if "strict_outside_mesh: it was not made" in text and "pods" in text]
    (told,) = [
        text for text in as_team.run("virtual_service", service(namespace, "v1"))["warnings"] if "subset" in text
    ]
    assert "a run refuses it" in told
