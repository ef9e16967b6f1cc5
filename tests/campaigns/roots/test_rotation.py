"""The root of a mesh of two clusters is rotated while every client asks across: cut off once, finished by the next run.

Where both have a control plane, on one network or on one each, the proxies of one are told of new roots by istiod;
those of the other find them when their short-lived certificates are renewed. Where one serves both, all are told.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from integration.support import bed
from integration.support.bed import ROOT, Cluster
from integration.support.meshes import NETS, Changes, Meshes, cloud, east_west, shared
from integration.support.playbook import Played, Runner
from unit.support.certificates import root

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]

TOLD = {"PROXY_CONFIG_XDS_AGENT": "true"}
# Renewed after a minute.
RENEWED = {"SECRET_TTL": "120s"}
NET = {"mesh_network": "net1"}


@dataclass(frozen=True)
class Rotating:
    """A mesh, and its inventory with a root of its own."""

    meshes: Meshes
    describe: Callable[[Meshes, str], None]

    def wants(self, file: str) -> None:
        self.describe(self.meshes, file)


def describe(meshes: Meshes, file: str, others: Mapping[str, str] = RENEWED, network: Mapping[str, Any] = NET) -> None:
    """Each has a control plane; how the proxies of the second learn of this root."""
    first, second = meshes.clusters
    common, values = described(meshes, file)
    hosts = {first: {**values_with(values, TOLD), **east_west()}, second: values_with(values, others)}
    meshes.describe({**common, **network}, hosts)


def describe_on_networks(meshes: Meshes, file: str) -> None:
    """The same, each with a door to its network."""
    describe(meshes, file, network=NETS)


def describe_hosted(meshes: Meshes, file: str) -> None:
    """The control plane of the first serves both."""
    first, second = meshes.clusters
    common, values = described(meshes, file)
    shape = {**common, **NET, **values_with(values, TOLD), "mesh_mode": "hosted"}
    meshes.describe(shape, {first: east_west(), second: {"mesh_cluster_role": "remote"}})


# Of the bed, and by an inventory.
SHAPES: dict[str, tuple[str, Callable[[Meshes, str], None]]] = {
    "multi-primary": ("flat", describe),
    "multi-primary on networks": ("separate", describe_on_networks),
    "primary and remote": ("flat", describe_hosted),
}


@pytest.fixture(scope="module", params=SHAPES)
def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotating]:
    """Two clusters, with sidecars and a gateway at least."""
    folder, (network, described_as) = tmp_path_factory.mktemp("roots"), SHAPES[request.param]
    with bed.own_clusters(folder, 2, "--network", network) as several, cloud(several.clusters):
        meshes = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        found = Rotating(meshes, described_as)
        found.wants("root.pem")
        made = meshes.play("mesh")
        assert made.rc == 0, made.output
        if described_as is describe_hosted:
            meshes.deploy(list(meshes.clusters)[1])
        meshes.await_application(meshes.clusters)
        yield found


def described(meshes: Meshes, file: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the clusters have in common, and the values of istiod."""
    folder = meshes.runner.folder
    common = {**shared(folder, meshes.several), "mesh_clusters_root_file": str(folder / file)}
    return common, common.pop("mesh_control_plane_values")["istiod"]


def values_with(values: Mapping[str, Any], metadata: Mapping[str, str]) -> dict[str, Any]:
    istiod = {
        **values,
        "env": {**values["env"], "ISTIO_MULTIROOT_MESH": "true"},
        "meshConfig": {"defaultConfig": {"proxyMetadata": dict(metadata)}},
    }
    return {"mesh_control_plane_values": {"istiod": istiod}}


def serial_of(file: Path) -> int:
    return x509.load_pem_x509_certificates(file.read_bytes())[0].serial_number


def proxies(cluster: Cluster) -> list[tuple[str, str]]:
    path = "jsonpath={range .items[*]}{.metadata.namespace} {.metadata.name}{'\\n'}{end}"
    rows = cluster.kubectl("get", "pods", "-A", "-l", "service.istio.io/canonical-name,app!=istiod", "-o", path)
    return [(row.split()[0], row.split()[1]) for row in rows.splitlines()]


def seen_by_istioctl(cluster: Cluster) -> list[tuple[set[int], str]]:
    """Of every proxy the roots that it holds, and the root of what it presents, by serial number: by Istio's tool."""
    return [_secrets(cluster, namespace, name) for namespace, name in proxies(cluster)]


def _secrets(cluster: Cluster, namespace: str, name: str) -> tuple[set[int], str]:
    argv = [str(cluster.bin / "istioctl"), "--kubeconfig", cluster.kubeconfig, "proxy-config", "secret"]
    printed = subprocess.run(
        [*argv, f"{name}.{namespace}", "-o", "json"], capture_output=True, text=True, check=True
    ).stdout
    found = {row["name"]: row["secret"] for row in json.loads(printed)["dynamicActiveSecrets"]}
    roots = _certificates(found["ROOTCA"]["validationContext"]["trustedCa"])
    chain = _certificates(found["default"]["tlsCertificate"]["certificateChain"])
    above = next((str(root.serial_number) for root in roots if _has_issued(root, chain[1])), "")
    return {one.serial_number for one in roots}, above


def _has_issued(root: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        signer.verify_directly_issued_by(root)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


def _certificates(source: Mapping[str, str]) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(base64.b64decode(source["inlineBytes"]))


def cut_off_when_signing(meshes: Meshes) -> str:
    """A run that is killed as soon as the first cluster signs by another intermediate. What it has printed."""
    first = next(iter(meshes.clusters.values()))
    before = first.get("secret", "cacerts", "istio-system")["data"]["ca-cert.pem"]
    process = meshes.runner.start(arguments=(str(ROOT / "playbooks" / "rotate_ca.yml"),), hosts=2)
    until = time.monotonic() + 400
    while first.get("secret", "cacerts", "istio-system")["data"]["ca-cert.pem"] == before:
        assert time.monotonic() < until
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.5)
    os.kill(process.pid, signal.SIGKILL)
    return process.communicate()[0]


def test_no_request_fails_and_no_proxy_stays_on_the_old_root(
    mesh: Rotating, capsys: pytest.CaptureFixture[str]
) -> None:
    meshes = mesh.meshes
    folder, changes, begin = meshes.runner.folder, Changes(meshes.clusters), time.monotonic()
    old = serial_of(folder / "root.pem")
    mesh.wants("root-next.pem")
    check = meshes.play("rotate_ca", "--check")
    assert (check.rc, changes.since()) == (0, []), check.output
    assert "the phase trust comes" in check.output
    assert not (folder / "root-next.pem").exists()
    with meshes.under_traffic() as seen:
        cut = cut_off_when_signing(meshes)
        done = meshes.play("rotate_ca")
        assert done.rc == 0, f"{cut}\n{done.output}"
        time.sleep(5)
    new = serial_of(folder / "root-next.pem")
    assert {name: (one.failed, one.lines) for name, one in seen.items()} == {name: ({}, []) for name in meshes.clusters}
    assert all(one.statuses["200"] > 1000 for one in seen.values())
    for cluster in meshes.clusters.values():
        told = seen_by_istioctl(cluster)
        assert len(told) >= 2
        assert set(map(str, told)) == {str(({new}, str(new)))}, old
    everybody = set(meshes.clusters)
    assert all(meshes.answered_by(name, everybody).keys() == everybody for name in everybody)
    with capsys.disabled():
        asked = sum(one.statuses["200"] for one in seen.values())
        print(f" {time.monotonic() - begin:.0f} s, {asked} requests, none failed", end=" ")


def test_a_second_run_says_that_it_is_done(mesh: Rotating) -> None:
    changes = Changes(mesh.meshes.clusters)
    for playbook in ("rotate_ca", "mesh"):
        again = mesh.meshes.play(playbook)
        assert (again.rc, changes.since()) == (0, []), again.output
    assert "the root is rotated, in every cluster" in mesh.meshes.play("rotate_ca").output


@pytest.mark.parametrize("mesh", ["multi-primary"], indirect=True)
def test_who_lags_behind_restarts(mesh: Rotating) -> None:
    """And asks istiod from then on, because its proxy has been told so meanwhile."""
    meshes = mesh.meshes
    second = list(meshes.clusters.values())[1]
    describe(meshes, "root-third.pem", {})
    assert meshes.play("mesh", "--tags", "control_plane").rc == 0
    second.kubectl("rollout", "restart", "deployment", "-n", "shop")
    for name in ("shop", "client"):
        second.kubectl("rollout", "status", f"deployment/{name}", "-n", "shop", "--timeout=120s")
    before = set(proxies(second))
    describe(meshes, "root-third.pem", TOLD)
    assert meshes.play("mesh", "--tags", "control_plane").rc == 0
    restarts = {"mesh_clusters_rotate_restart": True, "mesh_clusters_rotate_timeout": 100}
    done = meshes.play("rotate_ca", "-e", json.dumps(restarts))
    assert done.rc == 0, done.output
    assert before.isdisjoint(proxies(second))
    third = serial_of(meshes.runner.folder / "root-third.pem")
    for cluster in meshes.clusters.values():
        assert set(map(str, seen_by_istioctl(cluster))) == {str(({third}, str(third)))}


def test_a_root_that_has_ended_is_replaced(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nobody gets a certificate any more: as docs/multicluster.md says it, the mesh is whole again."""
    folder = tmp_path_factory.mktemp("ended")
    ends = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=150)
    ended = root("ended", ends, ends - timedelta(days=1))
    (folder / "root.pem").write_text(ended.pem + ended.key, encoding="utf-8")
    with bed.own_clusters(folder, 2, "--network", "flat") as several, cloud(several.clusters):
        meshes = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        describe(meshes, "root.pem", TOLD)
        made = meshes.play("mesh")
        assert made.rc == 0, made.output
        meshes.await_application(meshes.clusters)
        time.sleep(max(0.0, (ends - datetime.now(timezone.utc)).total_seconds()) + 1)
        assert gets_no_certificate(next(iter(meshes.clusters.values())))
        describe(meshes, "root-next.pem", TOLD)
        replaced = meshes.play("mesh", "--tags", "clusters")
        assert replaced.rc == 0, replaced.output
        assert "has ended, so" in " ".join(replaced.output.split())
        for cluster in meshes.clusters.values():
            cluster.kubectl("rollout", "restart", "deployment", "-l", "app=istiod", "-n", "istio-system")
            cluster.kubectl("rollout", "status", "deployment", "-l", "app=istiod", "-n", "istio-system")
        done = rotated_once_heard(meshes)
        assert done.rc == 0, done.output
        new = serial_of(folder / "root-next.pem")
        for cluster in meshes.clusters.values():
            assert set(map(str, seen_by_istioctl(cluster))) == {str(({new}, str(new)))}
        everybody = set(meshes.clusters)
        assert all(meshes.answered_by(name, everybody).keys() == everybody for name in everybody)
        changes = Changes(meshes.clusters)
        again = meshes.play("mesh")
        assert (again.rc, changes.since()) == (0, []), again.output


def rotated_once_heard(meshes: Meshes) -> Played:
    """An istiod hands out its root when it leads, which is some seconds after it is ready."""
    told = json.dumps({"mesh_clusters_rotate_restart": True, "mesh_clusters_rotate_timeout": 150})
    until = time.monotonic() + 90
    while True:
        done = meshes.play("rotate_ca", "-e", told)
        if "has not taken up the Secret" not in " ".join(done.output.split()) or time.monotonic() > until:
            return done
        time.sleep(5)


def gets_no_certificate(cluster: Cluster) -> bool:
    """Whether a new Pod of the application never gets ready: its proxy has no certificate."""
    cluster.kubectl("delete", "pods", "-l", "app=client", "-n", "shop", "--wait=false")
    time.sleep(20)
    ready: int = cluster.get("deployment", "client", "shop")["status"].get("readyReplicas", 0)
    return ready == 0
