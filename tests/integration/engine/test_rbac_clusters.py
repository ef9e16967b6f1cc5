"""The ClusterRoles for trust and for several clusters are enough: to write, to renew, to take out."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from integration.engine.bound import bound
from integration.support.bed import Cluster
from unit.support.certificates import root


def test_trust(cluster: Cluster, new_namespace: str) -> None:
    above = root("mesh root", datetime.now(timezone.utc) + timedelta(days=3650))
    wanted = {"cluster_name": "east", "namespace": new_namespace, "root_certificate": above.pem, "root_key": above.key}
    with bound(cluster, "trust") as user:
        assert user.operations.run("mesh_ca", wanted)["changed"] is True
        assert user.operations.run("mesh_ca", wanted)["changed"] is False


def test_clusters(cluster: Cluster, west: Cluster, namespace: str) -> None:
    with bound(cluster, "clusters-primary") as reading, bound(west, "clusters-remote") as read:
        remote = {"kubeconfig": west.kubeconfig, "impersonate_user": read.user}
        wanted: dict[str, Any] = {
            "primary": "east",
            "cluster_name": "west",
            "namespace": namespace,
            "server": west.server,
            "remote": remote,
        }
        for more, changed in (({}, True), ({}, False), ({"rotate": True}, True), ({"state": "absent"}, True)):
            assert reading.operations.run("remote_cluster", {**wanted, **more})["changed"] is changed, more
