"""Joining, renewing and leaving, each killed with SIGKILL at random moments: the next run finishes what was begun.

A run that is killed at a moment is as often killed while it joins as while it renews or takes out; between them the
mesh is whole again, so that each begins where it does for a user.
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
from integration.support.meshes import NETS, Changes, Meshes, cloud, shared
from integration.support.playbook import Played, Runner
from integration.support.presence import presence

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(3600)]
KILLS, SEED = int(os.environ.get("KILLS", "21")), int(os.environ.get("SEED", "1"))
LEAVING = ("-e", json.dumps({"mesh_clusters_leaving": ["host1"]}))
STEPS = {"mesh": (), "rotate_remote_secrets": (), "unregister": LEAVING}


@dataclass(frozen=True)
class Timed:
    """A mesh of two clusters, and how many seconds each step takes that nobody disturbs."""

    meshes: Meshes
    seconds: dict[str, float]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Timed]:
    """Clusters that are apart, but have been joined before: the longest part of it, the control planes, is there."""
    folder = tmp_path_factory.mktemp("kills")
    with bed.own_clusters(folder, 2, "--network", "separate") as several, cloud(several.clusters):
        meshes = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        meshes.describe({**shared(folder, several), **NETS}, {})
        played(meshes, "mesh")
        meshes.await_application(several.clusters)
        seconds = {name: played(meshes, name) for name in (*list(STEPS)[1:], "mesh")}
        played(meshes, "unregister")
        yield Timed(meshes, seconds)


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


def test_the_next_run_finishes(mesh: Timed, capsys: pytest.CaptureFixture[str]) -> None:
    chance, cut = random.Random(SEED), 0
    for number in range(KILLS):
        name = [*STEPS][number % len(STEPS)]
        after = chance.uniform(0.5, mesh.seconds[name])
        cut += cut_off(mesh.meshes, name, after)
        with capsys.disabled():
            print(f" {name} after {after:.1f} of {mesh.seconds[name]:.1f} s;", end="", flush=True)
        done = mesh.meshes.play(name, *STEPS[name])
        assert done.rc == 0, done.output
        assert_finished(mesh, name)
    assert cut >= KILLS * 0.8, "the others had ended before"


def assert_finished(mesh: Timed, name: str) -> None:
    is_apart = name == "unregister"
    (assert_left if is_apart else assert_joined)(mesh)
    again = name if is_apart else "mesh"
    changes = Changes(mesh.meshes.clusters)
    done: Played = mesh.meshes.play(again, *STEPS[again])
    assert (done.rc, changes.since()) == (0, []), done.output


def assert_joined(mesh: Timed) -> None:
    """Each reads the other by one Secret, whose token is the only one of its reader; and requests go across."""
    everybody = set(mesh.meshes.clusters)
    for name, cluster in mesh.meshes.clusters.items():
        assert mesh.meshes.read_by(name) == dict.fromkeys(everybody, "synced")
        assert mesh.meshes.answered_by(name, everybody).keys() == everybody
        bound = cluster.kubectl("get", "secrets", "-n", "istio-system", "-l", "service-mesh-istio/reader", "-o", "name")
        assert len(bound.split()) == 1


def assert_left(mesh: Timed) -> None:
    first, second = mesh.meshes.clusters
    for name, other in ((first, second), (second, first)):
        assert {what for what in presence(mesh.meshes.clusters[name]) if re.search(rf"\b{other}\b", what)} == set()
        assert mesh.meshes.answered_by(name, {name}).keys() == {name}
