"""The ClusterRoles for trust and for several clusters are enough: to write, to renew, to take out."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
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
        for more, changed in (({}, True), ({}, False), ({"rotate": True}, True)):
            assert reading.operations.run("remote_cluster", {**wanted, **more})["changed"] is changed, more
        cluster.apply(*unready_istiod(namespace))
        with pytest.raises(NotReady, match="istiod"):  # it is restarted, and waited for
            reading.operations.run("remote_cluster", {**wanted, "rotate": True, "serves": True, "wait_timeout": 1.0})
        cluster.kubectl("delete", "deployment/istiod", "pod/istiod-0", "-n", namespace)
        assert reading.operations.run("remote_cluster", {**wanted, "state": "absent"})["changed"] is True


def unready_istiod(namespace: str) -> list[dict[str, Any]]:
    """A Deployment that no controller rolls out, and a Pod that runs nowhere."""
    labels = {"app": "istiod"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "discovery", "image": "pilot:1.29.1"}]}}
    place = {"namespace": namespace, "labels": labels}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    return [
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "istiod", **place}, "spec": spec},
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "istiod-0", **place}, "spec": pod["spec"]},
    ]
