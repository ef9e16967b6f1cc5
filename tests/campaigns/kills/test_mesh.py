"""Joining, renewing and leaving, each killed with SIGKILL at random moments: the next run finishes what was begun.

First the join of empty clusters, where each run goes on from what a killed one has left. Then a run is as often killed
while it joins as while it renews or takes out; between them the mesh is whole again, so that each begins where it does
for a user. So for clusters that serve themselves, and for one that the control plane of the other serves.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from integration.support import bed
from integration.support.bed import ROOT
from integration.support.meshes import Changes, Meshes, cloud, shared
from integration.support.playbook import Played, Runner
from integration.support.presence import presence
from integration.support.shapes import SHAPES, Shape

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(3600)]
KILLS, SEED = int(os.environ.get("KILLS", "21")), int(os.environ.get("SEED", "1"))
KILLED = ("multi-primary on networks", "primary and remotes")
# Of the kills of each shape, those of clusters that have no control plane yet. Such a join takes longer than this.
FIRST, FIRST_SECONDS = 2, 20.0
# The sidecars of a remote cluster stay while it is apart for some seconds: restarts would take longer than the kills.
IGNORED = ["sidecars_left", "revision_in_use"]
LEAVING = ("-e", json.dumps({"mesh_clusters_leaving": ["host1"], "mesh_clusters_ignore_checks": IGNORED}))
STEPS = {"mesh": (), "rotate_remote_secrets": (), "unregister": LEAVING}


@dataclass(frozen=True)
class Killed:
    """A mesh of two clusters, and how often its runs are killed."""

    meshes: Meshes
    shape: Shape
    kills: int

    @property
    def first(self) -> int:
        return min(FIRST, self.kills)

    @property
    def readers(self) -> list[str]:
        """The clusters with a control plane."""
        return [name for name in self.meshes.clusters if name not in self.shape.remotes(self.meshes.clusters)]

    def fill(self) -> None:
        """The application, once it can have sidecars."""
        for name in self.shape.without_configuration(self.meshes.clusters):
            self.meshes.deploy(name)
        self.meshes.await_application(self.meshes.clusters)


@pytest.fixture(scope="module", params=KILLED)
def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    """Empty clusters."""
    folder, shape = tmp_path_factory.mktemp("kills"), SHAPES[request.param]
    kills = KILLS // len(KILLED) + (KILLED.index(request.param) < KILLS % len(KILLED))
    with bed.own_clusters(folder, 2, *shape.options) as several, cloud(several.clusters):
        meshes = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        meshes.describe({**shared(folder, several), **shape.shared}, shape.hosts(several.clusters))
        yield Killed(meshes, shape, kills)


@pytest.fixture(scope="module")
def seconds(mesh: Killed) -> dict[str, float]:
    """How long each step takes that nobody disturbs. The clusters are apart then, with their control planes."""
    played(mesh.meshes, "mesh")
    mesh.fill()
    found = {name: played(mesh.meshes, name) for name in (*list(STEPS)[1:], "mesh")}
    played(mesh.meshes, "unregister")
    return found


def played(meshes: Meshes, name: str) -> float:
    """How long a step takes."""
    begin = time.monotonic()
    done = meshes.play(name, *STEPS[name])
    assert done.rc == 0, done.output
    return time.monotonic() - begin


def cut_off(meshes: Meshes, name: str, after: float) -> bool:
    """A step that is killed after some seconds; whether it was still at work. What it has begun ends by itself."""
    process = meshes.runner.start(arguments=(str(ROOT / "playbooks" / f"{name}.yml"), *STEPS[name]), hosts=2)
    try:
        process.wait(after)
        return False
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        return True
    finally:
        process.communicate()


def test_the_first_join_is_finished(mesh: Killed) -> None:
    chance = random.Random(SEED)
    cuts = [cut_off(mesh.meshes, "mesh", chance.uniform(0.5, FIRST_SECONDS)) for _ in range(mesh.first)]
    assert all(cuts[:1]), "it had ended before"
    played(mesh.meshes, "mesh")
    mesh.fill()
    assert_finished(mesh, "mesh")


def test_the_next_run_finishes(mesh: Killed, seconds: dict[str, float], capsys: pytest.CaptureFixture[str]) -> None:
    chance, cut, kills = random.Random(SEED), 0, mesh.kills - mesh.first
    for number in range(kills):
        name = [*STEPS][number % len(STEPS)]
        after = chance.uniform(0.5, seconds[name])
        cut += cut_off(mesh.meshes, name, after)
        with capsys.disabled():
            print(f" {name} after {after:.1f} of {seconds[name]:.1f} s;", end="", flush=True)
        played(mesh.meshes, name)
        assert_finished(mesh, name)
    assert cut >= kills * 0.8, "the others had ended before"


def assert_finished(mesh: Killed, name: str) -> None:
    is_apart = name == "unregister"
    (assert_left if is_apart else assert_joined)(mesh)
    again = name if is_apart else "mesh"
    changes = Changes(mesh.meshes.clusters)
    done: Played = mesh.meshes.play(again, *STEPS[again])
    assert (done.rc, changes.since()) == (0, []), done.output


def assert_joined(mesh: Killed) -> None:
    """Each reads the other by one Secret, whose token is the only one of its reader; and requests go across.

    The proxies of a remote cluster look for their control plane again after up to half a minute.
    """
    everybody = set(mesh.meshes.clusters)
    for name in mesh.readers:
        assert mesh.meshes.read_by(name) == dict.fromkeys(everybody, "synced")
    for name, cluster in mesh.meshes.clusters.items():
        assert mesh.meshes.answered_by(name, everybody, within=60.0).keys() == everybody
        bound = cluster.kubectl("get", "secrets", "-n", "istio-system", "-l", "service-mesh-istio/reader", "-o", "name")
        assert len(bound.split()) == len({*mesh.readers} - {name})


def assert_left(mesh: Killed) -> None:
    """Who has no control plane any more is not asked: its proxies know what they knew."""
    first, second = mesh.meshes.clusters
    for name, other in ((first, second), (second, first)):
        assert {what for what in presence(mesh.meshes.clusters[name]) if re.search(rf"\b{other}\b", what)} == set()
    for name in mesh.readers:
        assert mesh.meshes.answered_by(name, {name}).keys() == {name}
