"""A mesh with a remote cluster is upgraded in place, as docs/upgrading.md says it, while its clusters are asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from integration.support import bed
from integration.support.meshes import Changes, Meshes, cloud, east_west, external_door, shared
from integration.support.operations import Operations
from integration.support.playbook import Played, Runner
from integration.support.whole import Whole, charts, service, workload

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]

OLDER, NEWER = "1.28.3", "1.29.1"
# New Pods are ready before old ones go, and those end their requests: what fails is the mesh's.
APPLICATION = [workload("shop", "shop", 2), workload("client", "shop", 1, "pause"), service("shop", "shop")]
REMOTE = {"mesh_cluster_role": "remote"}
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "primary and remote": (east_west(), REMOTE),
    "external control plane": (
        {**external_door(), "mesh_cluster_role": "external"},
        {**REMOTE, "mesh_cluster_config": True},
    ),
}


@dataclass(frozen=True)
class Hosted:
    """Two clusters, of which the first serves the second, and where the application is."""

    meshes: Meshes
    inside: list[str]
    describe: Callable[[str], None]

    def play(self, playbook: str, **variables: Any) -> Played:
        played = self.meshes.play(playbook, "-e", json.dumps(variables))
        assert played.rc == 0, played.output
        return played

    def proxies(self) -> dict[str, set[str]]:
        """Their versions, by cluster."""
        clusters = ((name, self.meshes.clusters[name]) for name in self.inside)
        return {name: Whole(one, Operations({"kubeconfig": one.kubeconfig})).proxies() for name, one in clusters}


@pytest.fixture(scope="module", params=SHAPES)
def hosted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    folder, (first, second) = tmp_path_factory.mktemp("hosted"), SHAPES[request.param]
    options = ("--network", "flat", "--istio", f"{OLDER},{NEWER}")
    with bed.own_clusters(folder, 2, *options) as several, cloud(several.clusters):
        meshes = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        names = list(several.clusters)
        is_external = first.get("mesh_cluster_role") == "external"

        def describe(version: str) -> None:
            meshes.describe(of(version, shared(folder, several)), {names[0]: first, names[1]: second})

        made = Hosted(meshes, names[1:] if is_external else names, describe)
        made.describe(OLDER)
        made.play("mesh")
        if not is_external:
            several.clusters[names[1]].apply(*APPLICATION)
        meshes.await_application(made.inside)
        yield made


def of(version: str, common: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **common,
        "mesh_mode": "hosted",
        "mesh_network": "net1",
        "mesh_control_plane_version": version,
        "mesh_control_plane_charts": charts(version),
        "mesh_control_plane_ignore_prechecks": ["withdrawn_version"],
        "mesh_config_objects": APPLICATION,
    }


def test_no_request_fails_and_every_proxy_is_new(hosted: Hosted) -> None:
    assert hosted.proxies() == {name: {OLDER} for name in hosted.inside}
    with hosted.meshes.under_traffic(*hosted.inside) as seen:
        hosted.play("upgrade_start", mesh_upgrade_version=NEWER, mesh_upgrade_charts=charts(NEWER))
        hosted.play("upgrade_shift", mesh_upgrade_percentage=100)
        hosted.play("upgrade_complete")
        hosted.describe(NEWER)
        hosted.play("mesh")
        hosted.play("restart")
    assert {name: one.failed for name, one in seen.items()} == {name: {} for name in hosted.inside}, [
        one.lines for one in seen.values()
    ]
    assert all(one.statuses["200"] > 100 for one in seen.values())
    assert hosted.proxies() == {name: {NEWER} for name in hosted.inside}


def test_then_nothing_is_left_to_do(hosted: Hosted) -> None:
    changes = Changes(hosted.meshes.clusters)
    hosted.play("mesh")
    hosted.play("restart")
    assert changes.since() == []
