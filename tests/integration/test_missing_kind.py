"""A kind whose CRD the cluster does not have: a sentence and nothing written, or nothing to do."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import UnknownKind
from integration.support.bed import Cluster
from integration.support.crds import remove_youngest
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("older_istio", "nothing_persisted")


@pytest.fixture(scope="module", autouse=True)
def older_istio(cluster: Cluster, crds: object) -> None:  # noqa: ARG001
    remove_youngest(cluster)


def wanted(namespace: str, **more: Any) -> dict[str, Any]:
    return {"name": "stamp", "namespace": namespace, "lua": {"inlineCode": "local x = 1"}, **more}


@pytest.mark.parametrize("check", [True, False])
def test_an_object_of_it_is_refused(namespace: str, operations: Operations, check: bool) -> None:
    with pytest.raises(UnknownKind, match="TrafficExtension") as refused:
        operations.run("traffic_extension", wanted(namespace), check=check)
    assert "CRDs" in refused.value.hint


@pytest.mark.parametrize("check", [True, False])
def test_nothing_else_of_the_task_is_written(namespace: str, operations: Operations, check: bool) -> None:
    sound = {"name": "shop", "namespace": namespace, "hosts": [f"{namespace}.example.com"]}
    with pytest.raises(UnknownKind, match="TrafficExtension"):
        operations.run("config", {"virtual_services": [sound], "traffic_extensions": [wanted(namespace)]}, check=check)


@pytest.mark.parametrize("check", [True, False])
def test_what_shall_be_absent_is(namespace: str, operations: Operations, check: bool) -> None:
    gone = operations.run(
        "traffic_extension", {"name": "stamp", "namespace": namespace, "state": "absent"}, check=check
    )
    assert (gone["changed"], gone["plan"]) == (False, [])
    assert gone["summary"] == {"create": 0, "update": 0, "delete": 0, "unchanged": 1}


def gone(api_version: str, kind: str, namespace: str) -> dict[str, Any]:
    content = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "shop", "namespace": namespace}}
    return {"objects": [content], "state": "absent"}


@pytest.mark.parametrize(
    ("api_version", "kind", "meant"),
    [
        ("networking.istio.io/v1", "VirtualServise", "'VirtualService'"),
        ("networking.istio.io/v2", "VirtualService", "apiVersion 'networking.istio.io/v1'"),
        ("policy/v1beta1", "PodDisruptionBudget", "apiVersion 'policy/v1'"),
    ],
)
def test_what_shall_be_absent_and_is_misspelt_is_refused(
    namespace: str, operations: Operations, api_version: str, kind: str, meant: str
) -> None:
    with pytest.raises(UnknownKind, match=rf"\(did you mean {meant}\?\) \(objects\[0\]\)"):
        operations.run("config", gone(api_version, kind, namespace), check=True)


def test_what_nobody_knows_is_absent_with_a_warning(namespace: str, operations: Operations) -> None:
    told = operations.run("config", gone("example.org/v1", "Widget", namespace), check=True)
    assert (told["changed"], told["summary"]["unchanged"]) == (False, 1)
    (warning,) = told["warnings"]
    assert f", so these count as absent: Widget {namespace}/shop (objects[0]). If" in warning
