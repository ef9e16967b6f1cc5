"""The role that makes two clusters one mesh: planned, joined, nothing on the second run, refused, left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.support.bed import Cluster
from integration.support.playbook import Played, Runner

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


def _host(folder: Path, host: str, name: str, cluster: Cluster, **more: Any) -> None:
    facts = {"mesh_cluster_name": name, "mesh_kubeconfig": cluster.kubeconfig, "mesh_clusters_server": cluster.server}
    _write(folder / "host_vars" / f"{host}.yml", {**facts, **more})


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


EXTERNAL: dict[str, Any] = {"mesh_cluster_role": "external", "mesh_clusters_address_timeout": 1}
CONFIG: dict[str, Any] = {"mesh_cluster_role": "remote", "mesh_cluster_config": True}


def test_an_external_control_plane_is_planned_and_has_a_door(
    mesh: Runner, cluster: Cluster, west: Cluster, changes_in_both: Callable[[], list[str]]
) -> None:
    _host(mesh.folder, "host0", "east", cluster, **EXTERNAL)
    _host(mesh.folder, "host1", "west", west, **CONFIG)
    tasks = [role(name, mesh_mode="hosted") for name in ("trust", "plan", "door", "register")]
    for one in tasks[2:]:
        one["when"] = "mesh_cluster_role == 'external'"
    check = mesh.run(*tasks, arguments=["--check"], hosts=2)
    assert (check.rc, changes_in_both()) == (0, []), check.output
    assert "shop: 1 external control plane, 1 remote, one network" in check.output
    assert {"create Service", "create Secret"} <= {*plans(check), *_planned(check)}
    done = mesh.run(*tasks, hosts=2)
    assert (done.rc, len(changes_in_both())) == (2, 3), "namespace, certificates and the Service"
    assert "The control plane of host0 has no address after 1 seconds: its Service" in done.output


def _planned(played: Played) -> set[str]:
    return {f"{row['action']} {row['kind']}" for result in played.results for row in result.data.get("plan") or []}


def test_two_config_clusters_are_refused_before_the_first_write(
    mesh: Runner, cluster: Cluster, west: Cluster, changes_in_both: Callable[[], list[str]]
) -> None:
    _host(mesh.folder, "host0", "east", cluster, **CONFIG)
    _host(mesh.folder, "host1", "west", west, **CONFIG)
    played = mesh.run(role(), hosts=2)
    assert (played.rc, changes_in_both()) == (2, [])
    assert "host0 and host1 are both to have the configuration of the mesh" in played.output
