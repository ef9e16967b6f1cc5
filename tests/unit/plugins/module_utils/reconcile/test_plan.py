"""What a plan refuses before anything is asked of a server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import Resource
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired, Key
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import (
    Action,
    DuplicateObject,
    InvalidObject,
    Owner,
    Verb,
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
    """Whoever has to wait for a deletion is of a later stage; what only takes away waits for all others of its own."""

    def action(verb: Verb, kind: str, name: str) -> Action:
        key, found = Key("v1", kind, "web", name), {"metadata": {"name": name}}
        return Action(verb, key, Resource("v1", kind, ""), before=found, after=None if verb == "delete" else found)

    waits = action("update", "ConfigMap", "waits")
    owner = Owner("unit", stages={waits.key: 1}, narrows=lambda before, _after: before["metadata"]["name"] == "less")
    wanted = [
        action("create", "ConfigMap", "b"),
        action("create", "Service", "a"),
        action("delete", "Service", "a"),
        action("update", "ConfigMap", "less"),
        waits,
    ]
    assert sorted((wanted[number] for number in (4, 2, 0, 3, 1)), key=owner.turn) == wanted


def test_an_object_of_another_operation_keeps_its_manager() -> None:
    ours = desired("here")
    assert OWNER.manager_of(ours) == OWNER.manager
    assert OWNER.manager_of(Desired(ours.content, manager="service_mesh.istio/other")) == "service_mesh.istio/other"
