"""What a plan refuses before anything is asked of a server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired, Key
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import (
    DuplicateObject,
    InvalidObject,
    Owner,
    make_plan,
)

OWNER = Owner("service_mesh.istio/unit")


@pytest.fixture
def client() -> Client:
    """A real one, of a server that nobody asks."""
    return Client(connect(ConnectionOptions("https://127.0.0.1:1", "token")))


def desired(source: str, version: str = "v1", name: str = "a", namespace: str = "web") -> Desired:
    metadata: dict[str, Any] = {"name": name, **({"namespace": namespace} if namespace else {})}
    return Desired({"apiVersion": f"apps/{version}", "kind": "Deployment", "metadata": metadata}, source)


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_an_object_that_stands_twice_is_refused_with_both_places(client: Client, version: str) -> None:
    """Another version of the API does not make it another object."""
    with pytest.raises(DuplicateObject) as refusal:
        make_plan(client, OWNER, [desired("objects[0]"), desired("other[4]", name="b"), desired("objects[2]", version)])
    assert str(refusal.value) == (
        "Deployment web/a stands twice in the input: objects[0] and objects[2]. Keep one of them."
    )
    assert not client.requests


def test_an_object_that_is_wanted_and_unwanted_is_refused(client: Client) -> None:
    with pytest.raises(DuplicateObject, match="Deployment web/a stands twice in the input"):
        make_plan(client, OWNER, [desired("objects[0]")], [Key("apps/v1", "Deployment", "web", "a")])
    assert not client.requests


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}},
            "Service a cannot be placed: objects of this kind live in a namespace. Set its namespace.",
        ),
        (
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a", "namespace": "web"}},
            "Namespace web/a cannot be placed: objects of this kind live in no namespace. Leave its namespace out.",
        ),
    ],
)
def test_an_object_in_the_wrong_place_is_refused(client: Client, content: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidObject) as refusal:
        make_plan(client, OWNER, [Desired(content)])
    assert str(refusal.value) == message
    assert not client.requests


def test_stages_stand_above_kinds_and_deletions() -> None:
    """Whoever has to wait for a deletion is of a later stage; all else keeps the order of the kinds."""
    waits, service = Key("v1", "ConfigMap", "web", "waits"), Key("v1", "Service", "web", "a")
    owner = Owner("service_mesh.istio/unit", stages={waits: 1})
    turns = [owner.turn(service, "create"), owner.turn(service, "delete"), owner.turn(waits, "update")]
    assert turns == sorted(turns)
    assert owner.turn(Key("v1", "ConfigMap", "web", "b"), "create") < turns[0]


def test_an_object_of_another_operation_keeps_its_manager() -> None:
    ours = desired("here")
    assert OWNER.manager_of(ours) == OWNER.manager
    assert OWNER.manager_of(Desired(ours.content, manager="service_mesh.istio/other")) == "service_mesh.istio/other"
