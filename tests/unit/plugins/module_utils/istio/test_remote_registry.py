"""What is waited for of istiods that read another cluster, and what is said when it does not come."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio import remote_registry
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.remote_registry import Registries
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Forbidden
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.run import Run

SYNCED = {"istiod-a": "synced", "istiod-b": "synced"}
Told = Mapping[str, str] | Exception


class Script:
    """What the istiods say, look by look; the last of it for ever."""

    def __init__(self, *told: Told) -> None:
        self.told, self.looks = list(told), 0

    def __call__(self, _client: object, _namespace: str, _cluster: str) -> Mapping[str, str]:
        self.looks += 1
        now = self.told[min(self.looks, len(self.told)) - 1]
        if isinstance(now, Exception):
            raise now
        return now


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody waits; for how long they would have."""
    found: list[float] = []
    monkeypatch.setattr("time.sleep", found.append)
    return found


def registries(monkeypatch: pytest.MonkeyPatch, *told: Told, seconds: float = 60.0) -> tuple[Registries, Script]:
    script = Script(*told)
    monkeypatch.setattr(remote_registry, "states_in", script)
    run = SimpleNamespace(client=SimpleNamespace(name="east"), before_write=lambda: None)
    return Registries(cast("Run", run), "istio-system", seconds), script


@pytest.mark.usefixtures("slept")
def test_all_have_to_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, script = registries(monkeypatch, {"istiod-a": ""}, {**SYNCED, "istiod-b": "syncing"}, SYNCED)
    waiting.await_read("west")
    assert (script.looks, waiting.unseen) == (3, "")


@pytest.mark.usefixtures("slept")
def test_all_have_to_forget_it(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, script = registries(monkeypatch, SYNCED, {"istiod-a": "", "istiod-b": "synced"}, dict.fromkeys(SYNCED, ""))
    waiting.await_forgotten("west")
    assert script.looks == 3


def test_a_change_in_place_is_not_believed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, script = registries(monkeypatch, SYNCED)
    waiting.await_read("west", anew=True)
    assert script.looks > 5


@pytest.mark.parametrize(
    ("told", "reason", "hint"),
    [
        ({"istiod-a": "timeout"}, "istiod-a: timeout", "reach the address"),
        ({"istiod-a": ""}, "istiod-a: it does not know it", "reach the address"),
        ({"istiod": "none of its Pods is ready"}, "istiod: none of its Pods is ready", "reach the address"),
        ({"istiod-a": "it cannot be asked: no such command"}, "no such command", "a command can be run"),
    ],
)
@pytest.mark.usefixtures("slept")
def test_who_is_late_is_told(told: dict[str, str], reason: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting, _script = registries(monkeypatch, told, seconds=0.0)
    with pytest.raises(NotReady, match="The istiod on east does not read west after 0 s") as late:
        waiting.await_read("west")
    assert reason in late.value.reason
    assert hint in late.value.hint


def test_who_may_not_be_asked_is_given_time_each_time(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> None:
    refused: Any = Forbidden("forbidden", reason="you may not")
    waiting, script = registries(monkeypatch, refused)
    waiting.await_read("west")
    waiting.await_forgotten("west")
    assert (script.looks, waiting.unseen) == (1, "you may not")
    assert slept == [5.0, 5.0]
