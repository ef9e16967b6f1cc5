"""Three clusters on networks of their own that see each other in groups: wider and narrower again, under traffic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from integration.support import bed
from integration.support.meshes import NETS, Changes, Meshes, cloud, shared
from integration.support.playbook import Runner

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meshes]:
    folder = tmp_path_factory.mktemp("groups")
    with bed.own_clusters(folder, 3, "--network", "separate") as several, cloud(several.clusters):
        yield Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))


def in_groups(meshes: Meshes, groups: Sequence[Sequence[str]]) -> None:
    """The playbook makes it so, and has nothing to do any more. Each network has the name of its cluster."""
    described = {**shared(meshes.runner.folder, meshes.several), **NETS, "mesh_clusters_groups": groups}
    meshes.describe(described, {})
    made = meshes.play("mesh")
    assert made.rc == 0, made.output
    changes = Changes(meshes.clusters)
    again = meshes.play("mesh")
    assert (again.rc, changes.since()) == (0, []), again.output


def test_networks_answer_within_their_groups(meshes: Meshes) -> None:
    first, middle, last = meshes.clusters
    everybody, chain = {first, middle, last}, [[first, middle], [middle, last]]
    near = {first: {first, middle}, middle: everybody, last: {middle, last}}
    in_groups(meshes, chain)
    meshes.await_application(everybody)
    assert {name: meshes.answered_by(name, near[name]).keys() for name in everybody} == near
    assert {name: meshes.read_by(name).keys() for name in everybody} == near
    with meshes.under_traffic() as seen:
        in_groups(meshes, [])
        assert all(meshes.answered_by(name, everybody).keys() == everybody for name in everybody)
        in_groups(meshes, chain)
        assert {name: meshes.answered_by(name, near[name]).keys() for name in everybody} == near
    assert {name: (one.failed, one.lines) for name, one in seen.items()} == dict.fromkeys(everybody, ({}, []))
    assert all(one.statuses["200"] > 500 for one in seen.values()), {name: one.statuses for name, one in seen.items()}
