"""Several real clusters, one mesh, by the playbooks of a user: joined, asked across, renewed under traffic, left."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from integration.support import bed
from integration.support.meshes import CLUSTER, Changes, Meshes, cloud, east_west, shared
from integration.support.playbook import Played, Runner

pytestmark = [pytest.mark.root, pytest.mark.slow]
MOST_SECONDS = 120.0


@dataclass(frozen=True)
class Shape:
    """How two clusters are one mesh: their networks, what the inventory says of both, and of each."""

    network: str
    shared: Mapping[str, Any]
    east: Mapping[str, Any] = field(default_factory=dict)
    west: Mapping[str, Any] = field(default_factory=dict)

    @property
    def remotes(self) -> list[str]:
        return ["west"] if self.west.get("mesh_cluster_role") == "remote" else []


NET, HOSTED, REMOTE = {"mesh_network": "net1"}, {"mesh_mode": "hosted"}, {"mesh_cluster_role": "remote"}
NETS = {"mesh_network": CLUSTER, **east_west()}
SHAPES = {
    "multi-primary": Shape("flat", NET),
    "multi-primary, two networks": Shape("separate", NETS),
    "primary and remote": Shape("flat", {**NET, **HOSTED}, east=east_west(), west=REMOTE),
    "primary and remote, two networks": Shape("separate", {**NETS, **HOSTED}, west=REMOTE),
}


@dataclass(frozen=True)
class Run:
    """A playbook, how many seconds it took, and what it has persisted."""

    played: Played
    seconds: float
    persisted: list[str]


@dataclass(frozen=True)
class Joined:
    """A mesh, and how it came to be."""

    mesh: Meshes
    shape: Shape
    check: Run
    run: Run
    again: Run


@pytest.fixture(scope="module", params=SHAPES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """Two empty clusters that one playbook has made a mesh of this shape."""
    folder, shape = tmp_path_factory.mktemp("clusters"), SHAPES[request.param]
    with bed.own_clusters(folder, 2, "--network", shape.network) as several, cloud(several.clusters):
        mesh = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        mesh.describe({**shared(folder, several), **shape.shared}, {"east": shape.east, "west": shape.west})
        yield joined(mesh, shape)


def joined(mesh: Meshes, shape: Shape) -> Joined:
    changes = Changes(mesh.clusters)
    made = Joined(mesh, shape, *(_timed(mesh, changes, *arguments) for arguments in (("--check",), (), ())))
    for name in shape.remotes:
        mesh.deploy(name)
    for name, cluster in mesh.clusters.items():
        cluster.kubectl("wait", "--for=condition=Available", "--timeout=60s", "deployment", "--all", "-n", "shop")
        assert len(mesh.endpoints(name)) > 0
    return made


def _timed(mesh: Meshes, changes: Changes, *arguments: str) -> Run:
    begin = time.monotonic()
    played = mesh.play("mesh", *arguments)
    return Run(played, time.monotonic() - begin, changes.since())


def test_one_playbook_makes_them_one_mesh(both: Joined) -> None:
    assert (both.check.played.rc, both.check.persisted) == (0, []), both.check.played.output
    assert both.run.played.rc == 0, both.run.played.output
    assert len(both.run.persisted) > 50
    assert both.run.seconds < MOST_SECONDS


def test_the_second_run_persists_nothing(both: Joined) -> None:
    assert (both.again.played.rc, both.again.persisted) == (0, []), both.again.played.output


def test_every_cluster_reaches_the_pods_of_the_others(both: Joined) -> None:
    everybody = set(both.mesh.clusters)
    for name in everybody:
        assert both.mesh.answered_by(name, everybody).keys() == everybody
        if name not in both.shape.remotes:
            assert both.mesh.read_by(name) == dict.fromkeys(everybody, "synced")
        others = {one.gateway for other, one in both.mesh.clusters.items() if other != name}
        doors = {f"{address}:15443" for address in others} if both.shape.network == "separate" else set()
        found = both.mesh.endpoints(name)
        assert (len(found), found & doors) == (len(everybody), doors)


def test_new_tokens_fail_no_request(both: Joined) -> None:
    with both.mesh.under_traffic() as seen:
        done = both.mesh.play("rotate_remote_secrets")
    assert done.rc == 0, done.output
    assert {name: one.failed for name, one in seen.items()} == {name: {} for name in both.mesh.clusters}
    assert all(one.statuses["200"] > 100 for one in seen.values())
    test_every_cluster_reaches_the_pods_of_the_others(both)


def test_who_leaves_answers_nobody_any_more(both: Joined) -> None:
    with both.mesh.under_traffic() as seen:
        left = both.mesh.play("unregister", "-e", '{"mesh_clusters_leaving": ["host1"]}')
        assert left.rc == 0, left.output
        for name in set(both.mesh.clusters) - set(both.shape.remotes):
            assert both.mesh.answered_by(name, {name}).keys() == {name}
    assert {name: one.failed for name, one in seen.items()} == {name: {} for name in both.mesh.clusters}
