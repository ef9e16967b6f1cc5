"""Objects read back from a real API server: which ones, with how many requests, and what is never told."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.config_info import InvalidKindName
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Invalid
from integration.support.bed import Cluster
from integration.support.crds import remove_youngest
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("crds")
SECRET = "correct-horse-battery-staple"
PAGE = 500


@pytest.fixture
def other(cluster: Cluster, namespaces: list[str], namespace: str) -> str:
    namespaces.append(f"{namespace}-b")
    cluster.create_namespace(namespaces[-1])
    return namespaces[-1]


def virtual_service(namespace: str, name: str, **labels: str) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "hosts": [f"{name}.{namespace}.example.com"], "labels": labels}


def names(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(found["metadata"]["namespace"], found["metadata"]["name"]) for found in result["objects"]]


def test_what_config_wrote_is_read_back(namespace: str, operations: Operations) -> None:
    spec = {"hosts": [f"a.{namespace}.example.com"], "http": [{"route": [{"destination": {"host": "a"}}]}]}
    operations.run("virtual_service", {"name": "a", "namespace": namespace, **spec})
    result = operations.run("config_info", {"kinds": ["virtual_service"], "namespaces": [namespace]})
    (found,) = result["objects"]
    assert (found["apiVersion"], found["kind"]) == ("networking.istio.io/v1", "VirtualService")
    assert found["spec"] == spec
    assert "managedFields" not in found["metadata"]
    assert (result["changed"], result["requests"], result["warnings"]) == (False, {"list": 1}, [])


def test_its_managers_are_told_when_asked(namespace: str, operations: Operations) -> None:
    operations.run("virtual_service", virtual_service(namespace, "a"))
    asked = {"kinds": ["virtual_service"], "namespaces": [namespace], "managed_fields": True}
    (found,) = operations.run("config_info", asked)["objects"]
    assert [entry["manager"] for entry in found["metadata"]["managedFields"]] == ["service_mesh.istio/config"]


def test_what_is_read_can_be_given_back(namespace: str, operations: Operations) -> None:
    """A round: what config_info tells of an object is a manifest that changes nothing but what the server keeps."""
    operations.run("virtual_service", virtual_service(namespace, "a", team="shop"))
    (found,) = operations.run("config_info", {"kinds": ["virtual_service"], "namespaces": [namespace]})["objects"]
    kept = {"name": "a", "namespace": namespace, "labels": found["metadata"]["labels"]}
    assert operations.run("config", {"objects": [{**found, "metadata": kept}]})["changed"] is False


def test_namespaces_names_and_labels_select(namespace: str, other: str, operations: Operations) -> None:
    objects = [
        virtual_service(place, name, team=team)
        for place in (namespace, other)
        for name, team in (("a", "shop"), ("b", "shop"), ("c", "bank"))
    ]
    operations.run("config", {"virtual_services": objects})
    both, kinds = [namespace, other], ["virtual_service"]

    def ask(**more: Any) -> dict[str, Any]:
        return operations.run("config_info", {"kinds": kinds, "namespaces": both, **more})

    assert names(ask()) == [(place, name) for place in both for name in "abc"]
    assert names(ask(namespaces=[other])) == [(other, name) for name in "abc"]
    assert names(ask(names=["b"])) == [(namespace, "b"), (other, "b")]
    assert names(ask(names=["b", "c", "x"])) == [(place, name) for place in both for name in "bc"]
    assert names(ask(label_selectors=["team=shop", "team in (shop, bank)"], names=["b", "c"])) == [
        (namespace, "b"),
        (other, "b"),
    ]
    assert names(ask(label_selectors=["team=none"])) == []
    assert ask(kinds=["gateway", *kinds])["requests"] == {"list": 4}


def test_whole_cluster_takes_one_list(namespace: str, other: str, operations: Operations) -> None:
    for place in (namespace, other):
        operations.run("virtual_service", virtual_service(place, "a"))
    result = operations.run("config_info", {"kinds": ["virtual_service"], "names": ["a"]})
    assert {(namespace, "a"), (other, "a")} <= set(names(result))
    assert result["requests"] == {"list": 1}


def test_many_objects_come_in_pages(namespace: str, cluster: Cluster, operations: Operations) -> None:
    many = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"m-{number:04}", "namespace": namespace}}
        for number in range(PAGE + 1)
    ]
    cluster.apply(*many)
    asked = {"kinds": ["ConfigMap/v1"], "namespaces": [namespace]}
    result = operations.run("config_info", asked)
    assert [name for _place, name in names(result) if name.startswith("m-")] == [f"m-{n:04}" for n in range(PAGE + 1)]
    assert result["requests"] == {"list": 2}


def test_without_kinds_all_of_istio_are_read(namespace: str, cluster: Cluster, operations: Operations) -> None:
    """A kind that only a newer Istio has is no news."""
    remove_youngest(cluster)
    operations.run("config", {"gateways": [{"name": "g", "namespace": namespace}]})
    operations.run("virtual_service", virtual_service(namespace, "v"))
    result = operations.run("config_info", {"namespaces": [namespace]})
    assert [found["kind"] for found in result["objects"]] == ["Gateway", "VirtualService"]
    assert (result["requests"], result["warnings"]) == ({"list": len(KINDS)}, [])


def test_kinds_that_the_server_does_not_have_are_told(namespace: str, cluster: Cluster, operations: Operations) -> None:
    """One of a known group, one of a group that nobody serves; what there is comes all the same."""
    remove_youngest(cluster)
    operations.run("virtual_service", virtual_service(namespace, "v"))
    kinds = ["traffic_extension", "Widget/example.com/v1", "virtual_service"]
    result = operations.run("config_info", {"kinds": kinds, "namespaces": [namespace]})
    assert names(result) == [(namespace, "v")]
    (warning,) = result["warnings"]
    assert "TrafficExtension (extensions.istio.io/v1alpha1), Widget (example.com/v1)" in warning


def test_kinds_without_a_namespace_are_read_once(namespace: str, other: str, operations: Operations) -> None:
    asked = {"kinds": ["Namespace/v1"], "namespaces": [namespace, other], "names": [namespace]}
    result = operations.run("config_info", asked)
    assert [found["metadata"]["name"] for found in result["objects"]] == [namespace]
    assert result["requests"] == {"list": 1}


def test_secrets_are_told_by_hash(namespace: str, cluster: Cluster, operations: Operations) -> None:
    encoded = base64.b64encode(SECRET.encode()).decode()
    metadata = {"name": "credentials", "namespace": namespace, "annotations": {"example.com/copy": SECRET}}
    cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": SECRET}})
    asked = {"kinds": ["Secret/v1"], "namespaces": [namespace], "managed_fields": True}
    result = operations.run("config_info", asked)
    told = json.dumps(result)
    assert (SECRET in told, encoded in told) == (False, False)
    (found,) = result["objects"]
    assert found["metadata"]["name"] == "credentials"
    assert found["data"]["password"].startswith("sha256:")


def test_what_cannot_be_asked_is_refused(namespace: str, operations: Operations) -> None:
    with pytest.raises(InvalidKindName, match="did you mean 'virtual_service'"):
        operations.run("config_info", {"kinds": ["virtual_services"]})
    with pytest.raises(Invalid, match="unable to parse"):
        operations.run("config_info", {"kinds": ["gateway"], "namespaces": [namespace], "label_selectors": ["a b"]})
