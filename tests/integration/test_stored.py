"""Input that the server stores in another form is compared in that form: every promise holds for it, too."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from integration.support.bed import Cluster
from integration.support.operations import Operations

Changes = Callable[[], list[str]]
MANAGER = "service_mesh.istio/config"


def secret(namespace: str, **parts: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys", "namespace": namespace}, **parts}


def live(cluster: Cluster, namespace: str) -> dict[str, str]:
    found = json.loads(cluster.kubectl("get", "secret", "keys", "-n", namespace, "-o", "json"))
    return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}


def test_texts_of_a_secret_come_and_go_as_its_data_does(
    cluster: Cluster, namespace: str, operations: Operations, changes: Changes
) -> None:
    for wanted in ({"a": "hidden-one", "b": "hidden-two"}, {"a": "hidden-three"}):
        options = {"objects": [secret(namespace, stringData=wanted)], "set": "keys", "set_namespace": namespace}
        check = operations.run("config", options, check=True)
        done = operations.run("config", options)
        assert (done["changed"], done["plan"]) == (True, check["plan"])
        assert live(cluster, namespace) == wanted
        shown = json.dumps([check, done])
        assert "sha256:" in shown
        assert [
            text for text in wanted.values() if text in shown or base64.b64encode(text.encode()).decode() in shown
        ] == []
        changes()
        assert operations.run("config", options, check=True)["changed"] is False
        assert operations.run("config", options)["changed"] is False
        assert changes() == []


def test_texts_win_over_data_as_on_the_server(cluster: Cluster, namespace: str, operations: Operations) -> None:
    both = secret(namespace, data={"a": "bG9zZXM=", "b": "c3RheXM="}, stringData={"a": "wins"})
    assert operations.run("config", {"objects": [both]})["changed"] is True
    assert live(cluster, namespace) == {"a": "wins", "b": "stays"}
    assert operations.run("config", {"objects": [both]})["changed"] is False


def test_texts_of_a_secret_take_nothing_from_others(
    cluster: Cluster, namespace: str, operations: Operations, changes: Changes
) -> None:
    cluster.kubectl("create", "secret", "generic", "keys", "-n", namespace, "--from-literal=a=theirs-so-far")
    options = {"objects": [secret(namespace, stringData={"a": "ours-from-now"})]}
    with pytest.raises(Failure) as refusal:
        operations.run("config", options)
    told = str(refusal.value)
    assert refusal.value.code == "conflict"
    assert "kubectl-create" in told
    assert "data.a" in told
    assert [text for text in ("theirs-so-far", "ours-from-now") if text in told] == []
    assert changes() == []
    operations.run("config", {**options, "take_ownership_from": ["kubectl-create"]})
    assert live(cluster, namespace) == {"a": "ours-from-now"}


def test_a_secret_that_was_applied_with_texts_converges(
    cluster: Cluster, namespace: str, operations: Operations, changes: Changes
) -> None:
    """As this collection once applied it: the server then counts as managed `stringData`, which it does not store."""
    wanted = secret(namespace, stringData={"a": "one"})
    cluster.kubectl("apply", "--server-side", f"--field-manager={MANAGER}", "-f", "-", stdin=json.dumps(wanted))
    operations.run("config", {"objects": [wanted]})
    changes()
    assert operations.run("config", {"objects": [wanted]})["changed"] is False
    assert changes() == []
    operations.run("config", {"objects": [secret(namespace, stringData={"b": "two"})]})
    assert live(cluster, namespace) == {"b": "two"}


@pytest.mark.usefixtures("crds")
def test_what_kubectl_has_saved_is_applied_as_it_is(
    cluster: Cluster, namespace: str, operations: Operations, changes: Changes
) -> None:
    metadata = {"name": "saved", "namespace": namespace}
    route = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "spec": {"hosts": ["reviews"]}}
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}}
    cluster.apply({**route, "metadata": metadata}, {**settings, "metadata": metadata})
    everything = ("configmap/saved", "virtualservice/saved", "-n", namespace)
    saved = {"objects": [json.loads(cluster.kubectl("get", *everything, "-o", "json", "--show-managed-fields"))]}
    cluster.kubectl("label", *everything, "since=then")
    _applied_twice(operations, changes, saved)
    cluster.kubectl("delete", *everything)
    _applied_twice(operations, changes, saved)
    empty = {**settings, "metadata": {**metadata, "name": "empty", "resourceVersion": ""}}
    _applied_twice(operations, changes, {"objects": [empty]})


def _applied_twice(operations: Operations, changes: Changes, options: dict[str, Any]) -> None:
    assert operations.run("config", options)["changed"] is True
    changes()
    assert operations.run("config", options)["changed"] is False
    assert changes() == []
