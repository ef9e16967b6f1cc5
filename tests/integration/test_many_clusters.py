"""Several real clusters, one mesh, by the playbooks of a user: joined, asked across, renewed under traffic, left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from integration.support import bed
from integration.support.meshes import Changes, Meshes, shared
from integration.support.playbook import Played, Runner

pytestmark = [pytest.mark.root, pytest.mark.slow]
MOST_SECONDS = 120.0


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
    check: Run
    run: Run
    again: Run


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """Multi-primary on one network, from two empty clusters."""
    folder = tmp_path_factory.mktemp("flat")
    with bed.own_clusters(folder, 2) as several:
        runner = Runner(folder, within=("nsenter", f"--net={several.switch}"))
        mesh = Meshes(several, runner)
        mesh.describe({**shared(folder, several), "mesh_network": "net1"}, {})
        yield joined(mesh)


def joined(mesh: Meshes) -> Joined:
    changes = Changes(mesh.clusters)
    return Joined(mesh, *(_timed(mesh, changes, *arguments) for arguments in (("--check",), (), ())))


def _timed(mesh: Meshes, changes: Changes, *arguments: str) -> Run:
    begin = time.monotonic()
    played = mesh.play("mesh", *arguments)
    return Run(played, time.monotonic() - begin, changes.since())


def test_one_playbook_makes_them_one_mesh(flat: Joined) -> None:
    assert (flat.check.played.rc, flat.check.persisted) == (0, []), flat.check.played.output
    assert flat.run.played.rc == 0, flat.run.played.output
    assert len(flat.run.persisted) > 50
    assert flat.run.seconds < MOST_SECONDS


def test_the_second_run_persists_nothing(flat: Joined) -> None:
    assert (flat.again.played.rc, flat.again.persisted) == (0, []), flat.again.played.output


def test_every_cluster_reaches_the_pods_of_the_others(flat: Joined) -> None:
    everybody = set(flat.mesh.clusters)
    for name in everybody:
        assert flat.mesh.answered_by(name, everybody).keys() == everybody
        assert flat.mesh.read_by(name) == dict.fromkeys(everybody, "synced")


def test_new_tokens_fail_no_request(flat: Joined) -> None:
    with flat.mesh.under_traffic() as seen:
        done = flat.mesh.play("rotate_remote_secrets")
    assert done.rc == 0, done.output
    assert {name: one.failed for name, one in seen.items()} == {name: {} for name in flat.mesh.clusters}
    assert all(one.statuses["200"] > 100 for one in seen.values())
    test_every_cluster_reaches_the_pods_of_the_others(flat)


def test_who_leaves_answers_nobody_any_more(flat: Joined) -> None:
    with flat.mesh.under_traffic() as seen:
        left = flat.mesh.play("unregister", "-e", '{"mesh_clusters_leaving": ["host1"]}')
        assert left.rc == 0, left.output
        for name in flat.mesh.clusters:
            assert flat.mesh.answered_by(name, {name}).keys() == {name}
    assert {name: one.failed for name, one in seen.items()} == {name: {} for name in flat.mesh.clusters}
