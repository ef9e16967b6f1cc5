"""A whole mesh moves to another revision by the role mesh_rollout, in waves, while every service is asked all the time.

The same for three times as many of everything, and as an upgrade, is the campaign `rollout`.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.support.moving import NEW_REVISION, NEWER, Moving, moving
from integration.support.playbook import Runner

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moving]:
    with moving(tmp_path_factory.mktemp("moving"), "4x2x2") as made:
        made.whole.install(NEWER, revision=NEW_REVISION)
        made.fill(**{"istio.io/rev": NEW_REVISION})
        yield made


def test_nobody_is_turned_away_while_a_mesh_moves_in_waves(mesh: Moving, tmp_path: Path) -> None:
    moved = [{"name": name, "revision": NEW_REVISION} for name in mesh.spaces]
    mesh.whole.operations.run("injection", {"namespaces": moved, "take_ownership_from": ["kubectl"]})
    canary, half = {"name": "canary", "namespaces": [mesh.spaces[0]]}, {"name": "half", "percentage": 50}
    options: dict[str, Any] = {"mesh_rollout_waves": [canary, half, {"name": "rest"}]}
    runner = Runner(tmp_path)
    with mesh.observed() as (seen, violated):
        rolled = mesh.whole.play(runner, "restart", NEWER, **options).last.data["rollout"]
    assert (seen.failed, violated) == ({}, []), seen.lines
    assert seen.statuses["200"] > 100
    assert (rolled["state"], rolled["left"]["count"]) == ("done", 0)
    assert sum(wave["count"] for wave in rolled["waves"]) == mesh.workloads
    assert mesh.whole.proxies() == {NEWER}
    again = mesh.whole.play(runner, "restart", NEWER, **options)
    assert not any(result.changed for result in again.results)
    assert [wave["count"] for wave in again.last.data["rollout"]["waves"]] == [0, 0, 0]


def test_a_scope_for_all_hides_other_namespaces_and_not_the_root(mesh: Moving) -> None:
    """What is in the root namespace is for everybody, by Istio's own tool."""
    first, second, *_others = mesh.spaces
    scope = {"namespace": "istio-system", "scope": "own"}
    mesh.whole.operations.run("injection", {"discovery_scopes": [scope]})
    until = time.monotonic() + 30
    while (known := namespaces_known(mesh, first)) >= {second}:
        assert time.monotonic() < until, known
        time.sleep(0.5)
    assert known == {first, "istio-system"}
    mesh.whole.operations.run("injection", {"discovery_scopes": [{**scope, "scope": "mesh"}]})


def namespaces_known(mesh: Moving, space: str) -> set[str]:
    """Whose Services a proxy knows."""
    cluster = mesh.whole.cluster
    asked = ("proxy-config", "cluster", f"deployment/{mesh.names[0]}", "-n", space, "--direction", "outbound")
    argv = [str(cluster.bin / "istioctl"), "--kubeconfig", cluster.kubeconfig, *asked]
    rows = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    names = (row.split()[0].split(".") for row in rows if ".svc.cluster.local" in row)
    return {name[1] for name in names}
