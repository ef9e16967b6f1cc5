"""The root of a mesh of two clusters is rotated while every client asks across: cut off once, finished by the next run.

The proxies of one cluster are told of new roots by istiod; those of the other find them when their short-lived
certificates are renewed.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from integration.support import bed
from integration.support.bed import ROOT, Cluster
from integration.support.meshes import Changes, Meshes, cloud, east_west, shared
from integration.support.playbook import Runner

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]

TOLD = {"PROXY_CONFIG_XDS_AGENT": "true"}
# Renewed after a minute.
RENEWED = {"SECRET_TTL": "120s"}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Meshes]:
    """Two clusters on one network, with sidecars and a gateway."""
    folder = tmp_path_factory.mktemp("roots")
    with bed.own_clusters(folder, 2, "--network", "flat") as several, cloud(several.clusters):
        meshes = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        describe(meshes, "root.pem")
        made = meshes.play("mesh")
        assert made.rc == 0, made.output
        meshes.await_application(several.clusters)
        yield meshes


def describe(meshes: Meshes, file: str, others: Mapping[str, str] = RENEWED) -> None:
    """The inventory with this root, and how the proxies of the other cluster learn of it."""
    folder, first = meshes.runner.folder, next(iter(meshes.clusters))
    common = {**shared(folder, meshes.several), "mesh_network": "net1", "mesh_clusters_root_file": str(folder / file)}
    values = common.pop("mesh_control_plane_values")["istiod"]
    hosts = {name: {**values_with(values, TOLD if name == first else others)} for name in meshes.clusters}
    hosts[first] |= east_west()
    meshes.describe(common, hosts)


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


def test_no_request_fails_and_no_proxy_stays_on_the_old_root(mesh: Meshes, capsys: pytest.CaptureFixture[str]) -> None:
    folder, changes, begin = mesh.runner.folder, Changes(mesh.clusters), time.monotonic()
    old = serial_of(folder / "root.pem")
    describe(mesh, "root-next.pem")
    check = mesh.play("rotate_ca", "--check")
    assert (check.rc, changes.since()) == (0, []), check.output
    assert "the phase trust comes" in check.output
    assert not (folder / "root-next.pem").exists()
    with mesh.under_traffic() as seen:
        cut = cut_off_when_signing(mesh)
        done = mesh.play("rotate_ca")
        assert done.rc == 0, f"{cut}\n{done.output}"
        time.sleep(5)
    new = serial_of(folder / "root-next.pem")
    assert {name: (one.failed, one.lines) for name, one in seen.items()} == {name: ({}, []) for name in mesh.clusters}
    assert all(one.statuses["200"] > 1000 for one in seen.values())
    for cluster in mesh.clusters.values():
        told = seen_by_istioctl(cluster)
        assert len(told) >= 2
        assert set(map(str, told)) == {str(({new}, str(new)))}, old
    everybody = set(mesh.clusters)
    assert all(mesh.answered_by(name, everybody).keys() == everybody for name in everybody)
    with capsys.disabled():
        asked = sum(one.statuses["200"] for one in seen.values())
        print(f" {time.monotonic() - begin:.0f} s, {asked} requests, none failed", end=" ")


def test_a_second_run_says_that_it_is_done(mesh: Meshes) -> None:
    changes = Changes(mesh.clusters)
    for playbook in ("rotate_ca", "mesh"):
        again = mesh.play(playbook)
        assert (again.rc, changes.since()) == (0, []), again.output
    assert "the root is rotated, in every cluster" in mesh.play("rotate_ca").output


def test_who_lags_behind_restarts(mesh: Meshes) -> None:
    """And asks istiod from then on, because its proxy has been told so meanwhile."""
    second = list(mesh.clusters.values())[1]
    describe(mesh, "root-third.pem", {})
    assert mesh.play("mesh", "--tags", "control_plane").rc == 0
    second.kubectl("rollout", "restart", "deployment", "-n", "shop")
    for name in ("shop", "client"):
        second.kubectl("rollout", "status", f"deployment/{name}", "-n", "shop", "--timeout=120s")
    before = set(proxies(second))
    describe(mesh, "root-third.pem", TOLD)
    assert mesh.play("mesh", "--tags", "control_plane").rc == 0
    restarts = {"mesh_clusters_rotate_restart": True, "mesh_clusters_rotate_timeout": 100}
    done = mesh.play("rotate_ca", "-e", json.dumps(restarts))
    assert done.rc == 0, done.output
    assert before.isdisjoint(proxies(second))
    third = serial_of(mesh.runner.folder / "root-third.pem")
    for cluster in mesh.clusters.values():
        assert set(map(str, seen_by_istioctl(cluster))) == {str(({third}, str(third)))}
