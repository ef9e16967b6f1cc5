"""Several real clusters, one mesh, by the playbooks of a user: joined, asked across, renewed under traffic, left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from integration.support import bed
from integration.support.meshes import CLUSTER, Changes, Meshes, cloud, east_west, external_door, shared
from integration.support.playbook import Played, Runner

pytestmark = [pytest.mark.root, pytest.mark.slow]


@dataclass(frozen=True)
class Shape:
    """How clusters are one mesh: what the inventory says of all, of the first two, and of the others."""

    network: str
    shared: Mapping[str, Any]
    first: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    second: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_external(self) -> bool:
        return self.first.get("mesh_cluster_role") == "external"

    def hosts(self, clusters: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        first, second, *others = clusters
        return {first: self.first, second: self.second or self.others, **dict.fromkeys(others, self.others)}

    def inside(self, clusters: Iterable[str]) -> list[str]:
        """Where the mesh has Pods."""
        return list(clusters)[1:] if self.is_external else list(clusters)

    def remotes(self, clusters: Iterable[str]) -> list[str]:
        return list(clusters)[1:] if self.others.get("mesh_cluster_role") == "remote" else []

    def without_configuration(self, clusters: Iterable[str]) -> list[str]:
        """Remote clusters in which the mesh's configuration is not: what runs there is nobody's business."""
        return self.remotes(clusters)[1 if self.is_external else 0 :]


NET, HOSTED, REMOTE = {"mesh_network": "net1"}, {"mesh_mode": "hosted"}, {"mesh_cluster_role": "remote"}
CONFIG = {**REMOTE, "mesh_cluster_config": True}
NETS = {"mesh_network": CLUSTER, **east_west()}
SHAPES = {
    "multi-primary": Shape("flat", NET),
    "multi-primary on networks": Shape("separate", NETS),
    "primary and remotes": Shape("flat", {**NET, **HOSTED}, first=east_west(), others=REMOTE),
    "external control plane": Shape(
        "flat",
        {**NET, **HOSTED},
        first={**external_door(), "mesh_cluster_role": "external"},
        second=CONFIG,
        others=REMOTE,
    ),
    "primary and remotes on networks": Shape("separate", {**NETS, **HOSTED}, others=REMOTE),
}
# `make campaign NAME=clusters` tries all shapes with three.
COUNT = int(os.environ.get("CLUSTERS", "2"))
CAMPAIGN = "CLUSTERS" in os.environ
TRIED = list(SHAPES) if CAMPAIGN else ["multi-primary on networks", "primary and remotes"]
# A bar where nothing else runs, as in a campaign; in the gate other tests run beside it.
MOST_SECONDS = 120.0 if CAMPAIGN else 300.0


@dataclass(frozen=True)
class Run:
    """A playbook, how many seconds it took, and what it has persisted."""

    played: Played
    seconds: float
    persisted: list[str]


@dataclass(frozen=True)
class Joined:
    """A mesh, and how it came to be."""

    meshes: Meshes
    shape: Shape
    remotes: list[str]
    check: Run
    run: Run
    again: Run

    @property
    def inside(self) -> list[str]:
        return self.shape.inside(self.meshes.clusters)


@pytest.fixture(scope="module", params=TRIED)
def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """Empty clusters that one playbook has made a mesh of this shape."""
    folder, shape = tmp_path_factory.mktemp("clusters"), SHAPES[request.param]
    with bed.own_clusters(folder, COUNT, "--network", shape.network) as several, cloud(several.clusters):
        meshes = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        meshes.describe({**shared(folder, several), **shape.shared}, shape.hosts(several.clusters))
        yield joined(meshes, shape)


def joined(meshes: Meshes, shape: Shape) -> Joined:
    changes, remotes = Changes(meshes.clusters), shape.remotes(meshes.clusters)
    check, run, again = (_timed(meshes, changes, *arguments) for arguments in (("--check",), (), ()))
    assert run.played.rc == 0, run.played.output
    for name in shape.without_configuration(meshes.clusters):
        meshes.deploy(name)
    for name in shape.inside(meshes.clusters):
        meshes.clusters[name].kubectl(
            "wait", "--for=condition=Available", "--timeout=60s", "deployment", "--all", "-n", "shop"
        )
    return Joined(meshes, shape, remotes, check, run, again)


def _timed(meshes: Meshes, changes: Changes, *arguments: str) -> Run:
    begin = time.monotonic()
    played = meshes.play("mesh", *arguments)
    return Run(played, time.monotonic() - begin, changes.since())


def test_one_playbook_makes_them_one_mesh(mesh: Joined, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f" {mesh.run.seconds:.1f} s for {COUNT} clusters, {mesh.again.seconds:.1f} s again", end=" ")
    assert (mesh.check.played.rc, mesh.check.persisted) == (0, []), mesh.check.played.output
    assert len(mesh.run.persisted) > 50
    assert mesh.run.seconds < MOST_SECONDS


def test_the_second_run_persists_nothing(mesh: Joined) -> None:
    assert (mesh.again.played.rc, mesh.again.persisted) == (0, []), mesh.again.played.output


def test_every_cluster_reaches_the_pods_of_the_others(mesh: Joined) -> None:
    everybody = set(mesh.inside)
    for name in set(mesh.meshes.clusters) - set(mesh.remotes):
        assert mesh.meshes.read_by(name) == dict.fromkeys(everybody, "synced")
    for name in everybody:
        assert mesh.meshes.answered_by(name, everybody).keys() == everybody
        others = {one.gateway for other, one in mesh.meshes.clusters.items() if other != name}
        doors = {f"{address}:15443" for address in others} if mesh.shape.network == "separate" else set()
        found = mesh.meshes.endpoints(name)
        assert (len(found), found & doors) == (len(everybody), doors)


def test_new_tokens_fail_no_request(mesh: Joined) -> None:
    with mesh.meshes.under_traffic(mesh.inside) as seen:
        done = mesh.meshes.play("rotate_remote_secrets")
    assert done.rc == 0, done.output
    assert {name: one.failed for name, one in seen.items()} == {name: {} for name in mesh.inside}
    assert all(one.statuses["200"] > 100 for one in seen.values())
    test_every_cluster_reaches_the_pods_of_the_others(mesh)


def test_who_leaves_answers_nobody_any_more(mesh: Joined) -> None:
    last = len(mesh.meshes.clusters) - 1
    leaving = list(mesh.meshes.clusters)[last]
    stay = set(mesh.inside) - {leaving}
    with mesh.meshes.under_traffic(mesh.inside) as seen:
        left = mesh.meshes.play("unregister", "-e", f'{{"mesh_clusters_leaving": ["host{last}"]}}')
        if not stay:
            assert (left.rc, "has the configuration of the mesh" in left.output) == (2, True), left.output
            return
        assert left.rc == 0, left.output
        for name in stay:
            assert mesh.meshes.answered_by(name, stay).keys() == stay
        if leaving not in mesh.remotes:
            assert mesh.meshes.answered_by(leaving, {leaving}).keys() == {leaving}
    assert {name: one.failed for name, one in seen.items()} == {name: {} for name in mesh.inside}
