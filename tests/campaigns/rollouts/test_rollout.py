"""A whole mesh is upgraded in waves, while requests are answered and disruption budgets watched.

The cluster is of a bed of its own (root needed). `make campaign NAME=rollout` runs it. ROLLOUT_SIZE says how large it
is: namespaces, workloads in each, and replicas of each.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.support.moving import NEWER, OLDER, Moving, moving
from integration.support.playbook import Runner

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moving]:
    with moving(tmp_path_factory.mktemp("rollout"), os.environ.get("ROLLOUT_SIZE", "12x3x3")) as made:
        made.fill()
        yield made


def test_a_mesh_moves_in_waves(mesh: Moving, tmp_path: Path) -> None:
    waves: list[dict[str, Any]] = [
        {"name": "canary", "namespaces": [mesh.spaces[0]]},
        {"name": "half", "percentage": 50},
        {"name": "rest"},
    ]
    to = mesh.upgrade(waves) | {"mesh_upgrade_wait_timeout": 900.0, "mesh_rollout_max_parallel": 2}
    runner = Runner(tmp_path)
    mesh.whole.play(runner, "upgrade_start", OLDER, **to)
    with mesh.observed() as (seen, violated):
        moved = mesh.whole.play(runner, "upgrade_shift", OLDER, mesh_upgrade_percentage=100, **to)
    assert (seen.failed, violated) == ({}, []), seen.lines
    assert mesh.whole.proxies() == {NEWER}
    assert sum(wave["count"] for wave in moved.last.data["rollout"]["waves"]) == mesh.workloads
    again = mesh.whole.play(runner, "upgrade_shift", OLDER, mesh_upgrade_percentage=100, **to)
    assert not any(result.changed for result in again.results)
