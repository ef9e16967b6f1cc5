"""The role that makes two clusters one mesh: planned, joined, nothing on the second run, refused, left."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.support.bed import Cluster
from integration.support.playbook import Played, Runner
from unit.support.certificates import cacerts, root

ROLE = "service_mesh.istio.mesh_clusters"


def role(tasks: str = "main", **variables: Any) -> dict[str, Any]:
    return {"name": tasks, "ansible.builtin.import_role": {"name": ROLE, "tasks_from": tasks}, "vars": variables}


@pytest.fixture
def mesh(cluster: Cluster, west: Cluster, new_namespace: str, tmp_path: Path) -> Runner:
    """An inventory of two clusters, empty but for Kubernetes."""
    shared = {
        "mesh_name": "shop",
        "mesh_root_namespace": new_namespace,
        "mesh_clusters_root_file": str(tmp_path / "root.pem"),
    }
    _write(tmp_path / "group_vars" / "all.yml", shared)
    _host(tmp_path, "host0", "east", cluster)
    _host(tmp_path, "host1", "west", west)
    return Runner(tmp_path)


def _host(folder: Path, host: str, name: str, cluster: Cluster) -> None:
    facts = {"mesh_cluster_name": name, "mesh_kubeconfig": cluster.kubeconfig, "mesh_clusters_server": cluster.server}
    _write(folder / "host_vars" / f"{host}.yml", facts)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def plans(played: Played) -> list[str]:
    """What the items of loops have planned or done, in short."""
    items = [item for result in played.results for item in result.data.get("results") or []]
    rows = [row for item in items for row in item.get("plan") or []]
    return sorted(f"{row['action']} {row['kind']}" for row in rows)


def test_two_clusters_are_one_mesh(mesh: Runner, changes_in_both: Callable[[], list[str]]) -> None:
    check = mesh.run(role("trust"), role(), arguments=["--check"], hosts=2)
    assert (check.rc, changes_in_both()) == (0, []), check.output
    assert "shop: multi-primary, one network" in check.output
    assert "east reads west: missing" in check.output
    done = mesh.run(role("trust"), role(), hosts=2)
    assert done.rc == 0, done.output
    assert len(changes_in_both()) == 14
    again = mesh.run(role("trust"), role(), hosts=2)
    assert (again.rc, changes_in_both()) == (0, []), again.output
    assert "west reads east: present, token until" in again.output
    left = mesh.run(role("leave", mesh_clusters_leaving=["host1"]), hosts=2)
    assert left.rc == 0, left.output
    assert len(changes_in_both()) == 10
    assert set(plans(left)) == {
        f"delete {kind}" for kind in ("ClusterRole", "ClusterRoleBinding", "Secret", "ServiceAccount")
    }


def test_what_does_not_fit_is_refused_before_the_first_write(
    mesh: Runner, cluster: Cluster, changes_in_both: Callable[[], list[str]]
) -> None:
    _host(mesh.folder, "host1", "east", cluster)
    played = mesh.run(role(), hosts=2)
    assert (played.rc, changes_in_both()) == (2, [])
    assert "host0 and host1 have the cluster name east" in played.output
    assert "host0 and host1 have one cluster" in played.output


def test_a_cluster_that_is_down_is_said(mesh: Runner, changes_in_both: Callable[[], list[str]]) -> None:
    down = {"mesh_cluster_name": "west", "mesh_host": "https://127.0.0.1:1", "mesh_api_key": "none"}
    _write(mesh.folder / "host_vars" / "host1.yml", down)
    played = mesh.run(role(), hosts=2)
    assert (played.rc, changes_in_both()) == (2, [])
    assert "host1 could not be seen" in played.output
    assert "https://127.0.0.1:1" in played.output
    left = mesh.run(role("leave", mesh_clusters_leaving=["host1"]), hosts=2)
    assert (left.rc, changes_in_both()) == (2, []), "nor is anything taken out that could not be seen"
    assert "unreachable: true" in left.output


def test_a_cluster_in_which_nobody_injects_reaches_nobody(
    mesh: Runner, changes_in_both: Callable[[], list[str]]
) -> None:
    played = mesh.run(role("check", mesh_clusters_probe_namespace="default"), hosts=2)
    assert (played.rc, changes_in_both()) == (2, []), played.output
    for name in ("east", "west"):
        assert f"{name} does not reach anybody (probe): No control plane would inject a probe" in played.output


def test_clocks_and_addresses_that_cannot_be_right_are_refused(
    mesh: Runner, cluster: Cluster, west: Cluster, new_namespace: str, changes_in_both: Callable[[], list[str]]
) -> None:
    """Certificates of tomorrow, and one network whose clusters have the same addresses for Pods."""
    cluster.apply(*_certificates_of_tomorrow(new_namespace))
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "same-addresses"}}
    for one in (cluster, west):
        one.apply({**node, "spec": {"podCIDR": "10.99.0.0/24", "podCIDRs": ["10.99.0.0/24"]}})
    try:
        played = mesh.run(role(), hosts=2)
    finally:
        for one in (cluster, west):
            one.kubectl("delete", "node", "same-addresses")
    assert (played.rc, changes_in_both()) == (2, [])
    for told in ("host0: the certificate", "compare the clocks", "host0 and host1 are in the network", "10.99.0.0/24"):
        assert told in played.output


def _certificates_of_tomorrow(namespace: str) -> list[dict[str, Any]]:
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    above = root("mesh root", tomorrow + timedelta(days=3650), tomorrow - timedelta(days=9))
    secret = cacerts(above.issues("east", tomorrow + timedelta(days=99), tomorrow), above)
    secret["metadata"]["namespace"] = namespace
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, secret]
