"""Two clusters on two networks, each a region of its own, with what is documented of traffic between clusters first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from campaigns.between.test_traffic import applied, documented
from integration.support import bed
from integration.support.meshes import CLUSTER, Meshes, cloud, east_west, shared
from integration.support.playbook import Runner


@pytest.fixture(scope="package")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meshes]:
    folder = tmp_path_factory.mktemp("between")
    with bed.own_clusters(folder, 2, "--network", "separate") as several, cloud(several.clusters):
        for cluster, region in zip(several.clusters.values(), ("europe", "america"), strict=True):
            label = f"topology.kubernetes.io/region={region}"
            cluster.kubectl("label", "nodes", "--all", "--overwrite", label)
        meshes = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        described = {**shared(folder, several), "mesh_network": CLUSTER, **east_west(), **documented(1)}
        meshes.describe(described, {})
        applied(meshes)
        meshes.await_application(several.clusters)
        yield meshes
