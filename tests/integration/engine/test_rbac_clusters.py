"""The ClusterRoles for trust and for several clusters are enough: to write, to renew, to take out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from integration.engine.bound import Bound, bound
from integration.support.bed import ROOT, Cluster
from integration.support.playbook import Played, Runner
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


@pytest.fixture
def mesh(cluster: Cluster, west: Cluster, new_namespace: str, tmp_path: Path) -> Iterator[Users]:
    """Two clusters that read each other, and the user of each, with the roles that are documented for it."""
    roles = ("read", "clusters-primary", "clusters-remote", "trust", "lifecycle", "removal")
    with bound(cluster, *roles) as first, bound(west, *roles) as second:
        shared = {
            "mesh_name": "shop",
            "mesh_root_namespace": new_namespace,
            "mesh_clusters_join": True,
            "mesh_clusters_root_file": str(tmp_path / "root.pem"),
        }
        _write(tmp_path / "group_vars" / "all.yml", shared)
        for number, user in enumerate((first, second)):
            of_user = {"mesh_kubeconfig": user.cluster.kubeconfig, "mesh_impersonate_user": user.user}
            own = {"mesh_cluster_name": ("east", "west")[number], "mesh_clusters_server": user.cluster.server}
            _write(tmp_path / "host_vars" / f"host{number}.yml", {**own, **of_user})
        yield Users(Runner(tmp_path), first, second)


@dataclass(frozen=True)
class Users:
    """The users of both clusters, and playbooks as these."""

    runner: Runner
    first: Bound
    second: Bound

    def play(self, name: str, *arguments: str) -> Played:
        return self.runner.run(arguments=(str(ROOT / "playbooks" / f"{name}.yml"), *arguments), hosts=2)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def test_playbooks(mesh: Users) -> None:
    """They do with the documented roles what they do; what may not be seen is said, and nothing concluded from it."""
    trust = mesh.play("mesh", "--tags", "clusters", "-e", "mesh_control_plane_version=1.29.1")
    assert trust.rc == 0, trust.output
    for name in ("register", "rotate_remote_secrets"):
        done = mesh.play(name)
        assert done.rc == 0, done.output
    leaving = ("-e", json.dumps({"mesh_clusters_leaving": ["host1"]}))
    for right, said in HIDDEN.items():
        mesh.first.grant(missing=right)
        for name, arguments in (("register", ()), ("unregister", leaving)):
            refused = mesh.play(name, *arguments)
            assert refused.rc == 2
            assert "changed=0" in refused.output
            assert f"host0 could not be seen whole: without the permission to {said}" in refused.output
        mesh.first.grant()
    left = mesh.play("unregister", *leaving)
    assert left.rc == 0, left.output


# What is taken away, and how it is told.
HIDDEN = {("list", "secrets"): "'list' on secrets in ", ("list", "services"): "'list' on services nobody knows what"}


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
