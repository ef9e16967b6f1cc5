"""An upgrade in waves: namespaces move with their wave, one that fails goes back whole, and a later run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.revisions import Revisions
from integration.support.rollers import Rollers

OLDER, NEWER = "1.29.1", "1.31.0"


@dataclass
class Upgraded:
    """A mesh whose upgrade has begun: the new control plane is there, and everybody is still with the old one."""

    rollers: Rollers
    operations: Operations
    root: str

    def shift(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        spaces = list(self.rollers.namespaces)
        waves = [
            {"name": "one", "namespaces": spaces[:1]},
            {"name": "two", "namespaces": spaces[1:2]},
            {"name": "rest"},
        ]
        place = {"phase": "shift", "namespace": self.root, "wait_timeout": 3.0, "max_parallel": 1}
        chosen = {} if options.keys() & {"namespaces", "selector", "tag"} else {"percentage": 100}
        whole = {**place, **chosen, "waves": waves, "take_ownership_from": ["platform-team"], **options}
        return self.operations.run("upgrade", whole, check=check)

    def leads_to(self, tag: str) -> str:
        """The revision of a tag."""
        webhooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        found = self.rollers.rest.items(webhooks)
        labels = [one["metadata"]["labels"] for one in found]
        return next(str(one["istio.io/rev"]) for one in labels if one.get("istio.io/tag") == tag)

    def revisions(self) -> list[str]:
        """What the label of each namespace says."""
        found = (self.rollers.rest.get(f"/api/v1/namespaces/{name}") for name in self.rollers.namespaces)
        return [one["metadata"]["labels"]["istio.io/rev"] for one in found]


@pytest.fixture
def upgraded(cluster: Cluster, charts: Path, namespace: str) -> Iterator[Upgraded]:
    with begun(cluster, charts, namespace) as made:
        yield made


@pytest.fixture
def upgraded_by_tag(cluster: Cluster, charts: Path, namespace: str) -> Iterator[Upgraded]:
    with begun(cluster, charts, namespace, tag="stable") as made:
        yield made


@contextmanager
def begun(cluster: Cluster, charts: Path, namespace: str, tag: str = "") -> Iterator[Upgraded]:
    older = Revisions(cluster, charts, namespace)
    older.install("r1")
    replace(older, version=NEWER).install("r2")
    spaces = [f"{namespace}-{name}" for name in ("a", "b", "c")]
    rollers = Rollers(cluster.rest, spaces, {"r1": OLDER, "r2": NEWER}, {tag: "r2"})
    rollers.make(["cart", "shop"], "r1")
    operations = Operations({"kubeconfig": cluster.kubeconfig})
    if tag:
        operations.run("revision_tag", {"tag": tag, "revision": "r1", "namespace": namespace})
    rollers.label(tag or "r1")
    to = {"strategy": "revision", "version": NEWER, "revision": "r2", "from_revision": "r1"}
    operations.run("upgrade", {"phase": "start", "namespace": namespace, **to})
    yield Upgraded(rollers, operations, namespace)
    older.remove()


def test_a_wave_that_fails_goes_back_and_a_later_run_goes_on(upgraded: Upgraded) -> None:
    planned = upgraded.shift(check=True)
    assert [wave["count"] for wave in planned["rollout"]["waves"]] == [2, 2, 2]
    first, second, third = upgraded.rollers.namespaces
    with upgraded.rollers.rolling() as rollers:
        rollers.broken = {f"{second}/shop"}  # the second of its wave: the first has become ready, and goes back as well
        with pytest.raises(Failure, match=f"in wave 'two' .*Deployment {second}/shop") as stopped:
            upgraded.shift(on_failure="undo")
        assert stopped.value.extra["rollout"]["state"] == "undone"
        assert f"Undone: Deployment {second}/cart, Deployment {second}/shop" in str(stopped.value)
        assert upgraded.revisions() == ["r2", "r1", "r1"]
        revisions = {"r2": [f"{first}/cart", f"{first}/shop"]}
        assert {place for place, revision in rollers.proxies().items() if revision == "r2"} == set(revisions["r2"])
        assert not any(place.startswith(third) for place in rollers.restarts)

        done = upgraded.shift()
    assert done["rollout"]["state"] == "done"
    assert upgraded.revisions() == ["r2"] * 3
    assert set(rollers.proxies().values()) == {"r2"}
    assert [upgraded.shift(check=way)["changed"] for way in (True, False)] == [False, False]


NEVER = {"begin": "00:00", "end": "00:01", "days": ["monday"], "timezone": "Pacific/Kiritimati"}


def test_a_tag_moves_with_the_first_wave_and_not_before(upgraded_by_tag: Upgraded) -> None:
    upgraded = upgraded_by_tag
    choice: dict[str, Any] = {"tag": "stable"}
    with pytest.raises(Failure, match="'nowhere' does not exist"):
        upgraded.shift(**choice, waves=[{"name": "one", "namespaces": ["nowhere"]}])
    with pytest.raises(Failure, match="The gate 'page' is closed"):
        upgraded.shift(**choice, gates=[{"name": "page", "url": "http://127.0.0.1:9"}])
    assert upgraded.shift(**choice, window=NEVER)["rollout"]["state"] == "outside_window"
    assert upgraded.leads_to("stable") == "r1"
    planned = upgraded.shift(**choice, check=True)
    with upgraded.rollers.rolling() as rollers:
        done = upgraded.shift(**choice)
    assert (done["plan"], upgraded.leads_to("stable")) == (planned["plan"], "r2")
    assert set(rollers.proxies().values()) == {"r2"}
    assert [upgraded.shift(**choice, check=way)["changed"] for way in (True, False)] == [False, False]


def test_a_rollback_that_cannot_be_right_changes_nothing(upgraded: Upgraded) -> None:
    with upgraded.rollers.rolling():
        upgraded.shift()
    back: dict[str, Any] = {"phase": "rollback"}
    with pytest.raises(Failure, match="'nowhere' does not exist"):
        upgraded.shift(**back, waves=[{"name": "one", "namespaces": ["nowhere"]}])
    with pytest.raises(Failure, match="nobody says where Prometheus is"):
        upgraded.shift(**back, gates=[{"query": "up", "min": 1}])
    assert upgraded.revisions() == ["r2"] * 3


def test_no_namespace_is_not_every_namespace(upgraded: Upgraded) -> None:
    nobody: list[dict[str, Any]] = [{"namespaces": []}, {"selector": "nobody=has-it"}]
    for nothing in nobody:
        assert upgraded.shift(**nothing)["changed"] is False
    with pytest.raises(Failure, match=r"The selector is empty.*'percentage: 100'"):
        upgraded.shift(selector="")
    assert upgraded.revisions() == ["r1"] * 3
