"""What a plan refuses before anything is asked of a server."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import RANKS, RESOURCES
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import UnknownKind
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
KNOWING = Owner("service_mesh.istio/unit", ranks=RANKS)


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


PLACE = "objects[3]"


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Client:
    """One whose server has nothing beyond the kinds of Kubernetes and of Istio."""
    found = Client(connect(ConnectionOptions("https://127.0.0.1:1", "token")), RESOURCES)
    monkeypatch.setattr(found, "_discover", lambda _api_version: None)
    monkeypatch.setattr(found, "_versions", lambda _group: [])
    monkeypatch.setattr(found, "list_objects", lambda *_arguments: iter(()))
    monkeypatch.setattr(found, "get", lambda *_arguments: None)
    return found


@pytest.mark.parametrize(
    ("api_version", "kind", "meant"),
    [
        ("networking.istio.io/v1", "VirtualServise", "'VirtualService'"),
        ("networking.istio.io/v1", "virtualservice", "'VirtualService'"),
        ("networking.istio.io/v2", "VirtualService", "apiVersion 'networking.istio.io/v1'"),
        ("networking.istio.oi/v1", "VirtualService", "'networking.istio.io/v1'"),
        ("networking.istio.io/v1", "PeerAuthentication", "apiVersion 'security.istio.io/v1'"),
        ("v1", "Deployment", "apiVersion 'apps/v1'"),
        ("apps/v1beta1", "Deployment", "apiVersion 'apps/v1'"),
    ],
)
def test_what_shall_be_absent_and_is_misspelt_is_refused(
    silent: Client, api_version: str, kind: str, meant: str
) -> None:
    with pytest.raises(UnknownKind) as refusal:
        make_plan(silent, KNOWING, [], [Key(api_version, kind, "web", "a", PLACE)])
    assert f"does not serve the kind {kind} of {api_version} (did you mean {meant}?) ({PLACE})" in str(refusal.value)


@pytest.mark.parametrize(
    ("api_version", "kind", "warned"),
    [
        ("networking.istio.io/v1", "VirtualService", False),
        ("gateway.networking.k8s.io/v1", "TLSRoute", False),
        ("gateway.networking.k8s.io/v1", "Gateway", False),
        ("serving.knative.dev/v1", "Service", True),
        ("monitoring.coreos.com/v1", "PodMonitor", True),
    ],
)
def test_what_a_cluster_has_no_kind_for_is_absent(
    silent: Client, monkeypatch: pytest.MonkeyPatch, api_version: str, kind: str, warned: bool
) -> None:
    """Of a kind that nothing else says of, people are told."""
    asked: list[str] = []

    def versions(group: str) -> list[str]:
        asked.append(group)
        return []

    monkeypatch.setattr(silent, "_versions", versions)
    plan = make_plan(silent, KNOWING, [], [Key(api_version, kind, "web", name, PLACE) for name in "abcdefgh"])
    assert {action.verb for action in plan.actions} == {"unchanged"}
    told = f"so these count as absent: {kind} web/h ({PLACE}), {kind} web/g ({PLACE}), "
    assert [told in text for text in plan.warnings] == [True] * warned, "once for all of them"
    assert len(asked) <= 1


def test_what_an_operation_takes_away_by_itself_is_no_persons_mistake(silent: Client) -> None:
    assert make_plan(silent, KNOWING, [], [Key("v1", "Deployment", "web", "a")]).warnings == []


def test_what_shall_be_absent_in_the_wrong_place_is_refused_with_its_place(client: Client) -> None:
    with pytest.raises(
        InvalidObject, match=r"^Service a cannot be placed \(objects\[3\]\): objects of this kind live in"
    ):
        make_plan(client, OWNER, [], [Key("v1", "Service", "", "a", PLACE)])


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
