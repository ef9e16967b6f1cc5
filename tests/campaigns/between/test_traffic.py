"""Traffic between the clusters of a mesh: it stays at home, moves when home is gone and comes back, is shared out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml
from integration.support.bed import ROOT
from integration.support.meshes import Meshes

pytestmark = [pytest.mark.root, pytest.mark.slow]


def documented(number: int) -> dict[str, Any]:
    """The variables of an example in the section of docs/multicluster.md, for the regions and service of this test."""
    text = (ROOT / "docs" / "multicluster.md").read_text(encoding="utf-8").partition("## Traffic between clusters")[2]
    found: dict[str, Any] = yaml.safe_load(text.split("```yaml\n")[number].partition("```")[0])
    return found


def applied(meshes: Meshes, *arguments: str, **variables: Any) -> None:
    played = meshes.play("mesh", *arguments, "-e", json.dumps(variables))
    assert played.rc == 0, played.output


@contextmanager
def without_pods(meshes: Meshes, name: str) -> Iterator[None]:
    cluster = meshes.clusters[name]
    cluster.kubectl("scale", "deployment/shop", "-n", "shop", "--replicas=0")
    try:
        yield
    finally:
        cluster.kubectl("scale", "deployment/shop", "-n", "shop", "--replicas=1")
        cluster.kubectl("rollout", "status", "deployment/shop", "-n", "shop", "--timeout=60s")


def assert_answered_by(meshes: Meshes, name: str, wanted: set[str]) -> None:
    found = meshes.answered_by(name, wanted)
    assert found.keys() == wanted, (found, meshes.endpoints(name))


def test_traffic_moves_when_the_local_pods_go_and_comes_back(meshes: Meshes) -> None:
    here, there = meshes.clusters
    for name in (here, there):
        assert_answered_by(meshes, name, {name})
    with without_pods(meshes, here):
        assert_answered_by(meshes, here, {there})
        assert_answered_by(meshes, there, {there})
    assert_answered_by(meshes, here, {here})


def test_traffic_is_shared_out(meshes: Meshes) -> None:
    here, there = meshes.clusters
    applied(meshes, "--tags", "config", **documented(2))
    assert_answered_by(meshes, here, {here, there})
    found = meshes.answers(here, count=400)
    assert 0.7 < found[here] / found.total() < 0.9, found
    assert_answered_by(meshes, there, {there})
    applied(meshes, "--tags", "config")


def test_what_is_local_to_its_cluster_never_leaves_it(meshes: Meshes) -> None:
    here, there = meshes.clusters
    applied(meshes, "--tags", "control_plane", **documented(3))
    for name in (here, there):
        assert_answered_by(meshes, name, {name})
        assert len(meshes.endpoints(name)) == 1
    with without_pods(meshes, here):
        assert meshes.answered_by(here, {"503"}).keys().isdisjoint({here, there})
