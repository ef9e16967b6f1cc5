"""The role mesh_status for a fleet: one table, one JSON file, one page, and no change."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.support.bed import Cluster
from integration.support.mesh import Mesh, mesh
from integration.support.operations import Operations
from integration.support.playbook import Played, Runner

pytestmark = pytest.mark.usefixtures("crds", "nothing_persisted")


@pytest.fixture
def own(cluster: Cluster, namespace: str) -> Iterator[Mesh]:
    with mesh(cluster, namespace) as found:
        yield found


def play(runner: Runner, cluster: Cluster, **variables: Any) -> Played:
    """A play over two clusters, of which one is not there."""
    missing = str(runner.folder / "missing.yaml")
    kubeconfig = "{{ '" + missing + "' if inventory_hostname == 'host1' else '" + cluster.kubeconfig + "' }}"
    role = {"name": "Status", "ansible.builtin.import_role": {"name": "service_mesh.istio.mesh_status"}}
    return runner.run({**role, "vars": {"mesh_kubeconfig": kubeconfig, "mesh_name": "shop", **variables}}, hosts=2)


def test_a_fleet_is_told_in_three_ways(own: Mesh, cluster: Cluster, runner: Runner) -> None:
    own.istiod("1.28.3", available=0)
    own.injector()
    own.pod("old", "1.28.3")
    own.label(revision=own.revision)
    files = {f"mesh_status_{kind}_path": str(runner.folder / f"fleet.{kind}") for kind in ("json", "html")}
    played = play(runner, cluster, mesh_status_gather=["revisions", "pods", "drift"], **files)
    assert "changed=0" in played.output
    (told,) = [result.data["msg"] for result in played.results if result.task.endswith(" Status")]
    assert told[0].startswith("shop on host0: NOT READY, Istio 1.28.3")
    fleet = told[told.index("") + 1 :]
    assert [line.split()[:2] for line in fleet[1:]] == [["host0", "NOT"], ["host1", "UNKNOWN"]]
    assert "1.28 is not supported since 2026-07-01" in fleet[1]
    known = json.loads((runner.folder / "fleet.json").read_text(encoding="utf-8"))
    assert known["host1"] is None
    assert own.revision in [entry["name"] for entry in known["host0"]["revisions"]]
    page = (runner.folder / "fleet.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert f"<td>{own.revision}</td>" in page
    assert "it could not be asked" in page
    assert "src=" not in page


def test_the_table_of_a_cluster_says_why_and_what_comes_next(own: Mesh, cluster: Cluster, runner: Runner) -> None:
    own.istiod("1.28.3", available=0)
    played = play(runner, cluster, mesh_status_gather=["revisions"])
    (told,) = [result.data["msg"] for result in played.results if result.task.endswith(" Status")]
    text = "\n".join(told)
    assert "0 of 1 replicas available" in text
    assert "Istio 1.28.3: 1.28 is not supported since 2026-07-01. Next in place: 1.28.10, 1.29.9" in text
    assert f"revision {own.revision}: not used" in text


def test_each_cluster_of_a_play_has_its_table_and_its_line(own: Mesh, cluster: Cluster, runner: Runner) -> None:
    own.istiod("1.29.1")
    task = {"name": "Status", "ansible.builtin.import_role": {"name": "service_mesh.istio.mesh_status"}}
    played = runner.run({**task, "vars": {"mesh_kubeconfig": cluster.kubeconfig}}, hosts=2)
    (told,) = [result.data["msg"] for result in played.results if result.task.endswith(" Status")]
    first, second, fleet = "\n".join(told).split("\n\n")
    assert first.startswith("mesh on host0: ")
    assert second.startswith("mesh on host1: ")
    assert first.splitlines()[1:] == second.splitlines()[1:]
    assert [line.split()[0] for line in fleet.splitlines()] == ["cluster", "host0", "host1"]


def test_a_remote_cluster_is_judged_by_what_it_has(
    own: Mesh, cluster: Cluster, runner: Runner, operations: Operations
) -> None:
    own.served_by("east", "1.29.1")
    before = operations.run("mesh_info", {})["mesh"]
    assert [one["state"] for one in before["webhooks"] if not one["ready"]] == [
        "no CA yet for rev.namespace.sidecar-injector.istio.io"
    ]
    assert (before["ready"], before["mode"], before["versions"]) == (False, "hosted", ["1.29.1"])
    ca = base64.b64encode(Path(cluster.ca_file).read_bytes()).decode()
    patch = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": ca}]
    where = ("mutatingwebhookconfiguration", f"istio-{own.namespace}", "--type", "json")
    cluster.kubectl("patch", *where, "-p", json.dumps(patch))
    page = runner.folder / "fleet.html"
    played = play(runner, cluster, mesh_status_require_ready=True, mesh_status_html_path=str(page))
    (told,) = [result.data["msg"] for result in played.results if result.task.endswith(" Status")]
    assert told[0].startswith("shop on host0: READY, Istio 1.29.1 of east, Kubernetes")
    assert ["control", "plane", "of", "east", own.namespace, "1.29.1"] in [line.split()[:6] for line in told]
    assert "served by east" in told[told.index("") + 2]
    assert "lets everything pass, as its control plane is in another cluster" in "\n".join(told)
    assert "<td>control plane of east</td>" in page.read_text(encoding="utf-8")
    assert "The mesh is not ready" not in played.output


def test_clusters_that_are_asked_one_after_another(own: Mesh, cluster: Cluster, runner: Runner) -> None:
    own.istiod("1.29.1")
    task = {"name": "Status", "ansible.builtin.import_role": {"name": "service_mesh.istio.mesh_status"}}
    played = runner.run({**task, "vars": {"mesh_kubeconfig": cluster.kubeconfig}}, hosts=2, play={"serial": 1})
    told = ["\n".join(result.data["msg"]) for result in played.results if result.task.endswith(" Status")]
    tables = [[part.split()[2].rstrip(":") for part in text.split("\n\n")[:-1]] for text in told]
    assert tables == [["host0"], ["host1"]]
    lines = [[line.split()[0] for line in text.split("\n\n")[-1].splitlines()[1:]] for text in told]
    assert lines == [["host0"], ["host0", "host1"]]


def test_sidecars_are_told_when_asked_for(own: Mesh, cluster: Cluster, runner: Runner) -> None:
    own.istiod("1.29.1")
    own.injector()
    own.label(revision=own.revision)
    own.pod("old", "1.28.3")
    played = play(runner, cluster, mesh_status_injection=True)
    (told,) = [result.data["msg"] for result in played.results if result.task.endswith(" Sidecars")]
    (line,) = [line.split() for line in told if line.startswith(own.namespace) and "Pod/old" in line]
    assert line[1:6] == ["Pod/old", "pending_restart", "1/1", "1.29.1", own.revision]
    assert " ".join(line[6:]) == "its proxy is 1.28.3, and would be 1.29.1"
