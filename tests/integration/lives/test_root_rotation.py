"""A root takes the place of another: phase by phase, refused where it could do harm, in all clusters of a mesh."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.issuing import BadAuthority
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.mesh_ca import MANAGER, RootChange
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.root_refusals import RotationRefused
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from integration.engine.bound import bound
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.playbook import Played, Runner
from integration.support.secrets import contents, files, traces
from unit.support.certificates import Authority, cacerts, root

Changes = Callable[[], list[str]]
Options = dict[str, Any]
NOW = datetime.now(timezone.utc).replace(microsecond=0)
YEAR = timedelta(days=365)
NEW = root("new root", NOW + 10 * YEAR)
ENDED = root("ended", NOW - timedelta(days=1))


def of_one_key(name: str) -> list[Authority]:
    """A root and two that renew it, by their fingerprints: the middle one is the former root."""
    first = root(name, NOW + 10 * YEAR)
    several = [first, *(first.renewed(NOW + 20 * YEAR) for _ in range(2))]
    return sorted(several, key=lambda one: one.certificate.fingerprint(SHA256()))


LOWER, OLD, HIGHER = of_one_key("old root")
ROLE = "service_mesh.istio.mesh_clusters"


def given(namespace: str, authority: Authority, **more: Any) -> Options:
    own = {"root_certificate": authority.pem, "root_key": authority.key}
    return {"cluster_name": "east", "namespace": namespace, **own, "wait_timeout": 0, **more}


def istiod(namespace: str, multi_root: str = "true", name: str = "istiod") -> dict[str, Any]:
    """A control plane that runs nowhere: its settings count."""
    env = [{"name": "ISTIO_MULTIROOT_MESH", "value": multi_root}]
    container = {"name": "discovery", "image": "pilot", "env": env}
    pod = {"metadata": {"labels": {"app": "istiod"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "istiod"}}, "template": pod}
    metadata = {"name": name, "namespace": namespace, "labels": {"app": "istiod"}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def handed_out(namespace: str, *roots: Authority) -> dict[str, Any]:
    """What istiod gives to its proxies."""
    metadata = {"name": "istio-ca-root-cert", "namespace": namespace}
    data = {"root-cert.pem": "".join(one.pem for one in roots)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.fixture
def signed(cluster: Cluster, operations: Operations, namespace: str) -> Iterator[str]:
    """The namespace of a control plane that signs by the old root."""
    operations.run("mesh_ca", given(namespace, OLD))
    cluster.apply(istiod(namespace), handed_out(namespace, OLD))
    yield namespace
    cluster.kubectl("delete", "configmap,deployment,daemonset,pod", "--all", "-n", namespace, "--force")


@pytest.fixture
def other(cluster: Cluster, namespaces: list[str]) -> Iterator[str]:
    """The namespace of somebody else's Pods."""
    name = f"other-{uuid.uuid4().hex[:8]}"
    namespaces.append(name)
    cluster.create_namespace(name)
    yield name
    cluster.kubectl("delete", "configmap,pod", "--all", "-n", name, "--force")


def roots_in(cluster: Cluster, namespace: str) -> str:
    data = cluster.get("secret", "cacerts", namespace)["data"]
    return base64.b64decode(data["root-cert.pem"]).decode()


def test_phase_by_phase(signed: str, cluster: Cluster, operations: Operations, changes: Changes) -> None:
    def phase(name: str, *, check: bool = False) -> dict[str, Any]:
        return operations.run("mesh_ca", given(signed, NEW, rotate=name), check=check)

    changes()
    check = phase("trust", check=True)
    assert (check["plan"][0]["fields"], changes()) == (["data.[root-cert.pem]"], [])
    assert check["rotation"]["next"] == "trust"
    with pytest.raises(NotReady, match=f"ConfigMap {signed}/istio-ca-root-cert: does not hold the new root"):
        phase("trust")
    assert (len(changes()), roots_in(cluster, signed)) == (1, OLD.pem + NEW.pem)
    with pytest.raises(RotationRefused, match="the phase 'trust' is not done"):
        phase("sign")
    cluster.apply(handed_out(signed, OLD, NEW))
    assert (phase("trust")["rotation"]["next"], changes()) == ("sign", [])
    sign = phase("sign")
    assert (sign["rotation"]["next"], sign["trust"]["problems"], len(changes())) == ("drop", [], 1)
    assert sign["trust"]["anchor"] == sign["trust"]["roots"][1]["fingerprint"]
    with pytest.raises(NotReady, match="still holds the root 'CN=old root'"):
        phase("drop")
    cluster.apply(handed_out(signed, NEW))
    assert (phase("drop")["rotation"]["next"], len(changes())) == ("", 1)
    for again in ("trust", "sign", "drop"):
        assert phase(again)["changed"] is False
    assert operations.run("mesh_ca", given(signed, NEW))["changed"] is False
    assert (changes(), roots_in(cluster, signed)) == ([], NEW.pem)
    with pytest.raises(RootChange, match="rotate_ca"):
        operations.run("mesh_ca", given(signed, OLD))


@pytest.mark.parametrize("renewed", [LOWER, HIGHER], ids=["lower", "higher"])
def test_a_root_that_is_renewed_with_its_key(
    renewed: Authority, signed: str, cluster: Cluster, operations: Operations, changes: Changes
) -> None:
    """What the former has signed leads to it, too, so nothing has to be signed."""
    cluster.apply(handed_out(signed, OLD, renewed))
    signer = cluster.get("secret", "cacerts", signed)["data"]["ca-cert.pem"]
    changes()
    for name, comes, written in (("trust", "drop", 1), ("sign", "drop", 0)):
        done = operations.run("mesh_ca", given(signed, renewed, rotate=name))
        assert (done["rotation"]["next"], done["trust"]["problems"], len(changes())) == (comes, [], written)
    cluster.apply(handed_out(signed, renewed))
    changes()
    assert operations.run("mesh_ca", given(signed, renewed, rotate="drop"))["rotation"]["next"] == ""
    assert operations.run("mesh_ca", given(signed, renewed))["changed"] is False
    assert (len(changes()), roots_in(cluster, signed)) == (1, renewed.pem)
    assert cluster.get("secret", "cacerts", signed)["data"]["ca-cert.pem"] == signer


@pytest.mark.parametrize("renewed", [LOWER, HIGHER], ids=["lower", "higher"])
def test_who_names_the_former_root_is_signed_anew(
    renewed: Authority, signed: str, cluster: Cluster, operations: Operations
) -> None:
    named = OLD.issues("named", NOW + YEAR, more=[OLD.pointer()])
    cluster.kubectl("delete", "secret", "cacerts", "-n", signed)
    theirs = cacerts(named, OLD)
    cluster.apply({**theirs, "metadata": {"name": "cacerts", "namespace": signed}})
    cluster.apply(handed_out(signed, OLD, renewed))
    for name, comes in (("trust", "sign"), ("sign", "drop")):
        done = operations.run("mesh_ca", given(signed, renewed, rotate=name, take_ownership_from=["kubectl"]))
        assert (done["rotation"]["next"], done["trust"]["problems"]) == (comes, [])
    assert done["trust"]["signer"]["subject"] != "CN=named"


def external(namespace: str) -> dict[str, Any]:
    made = istiod(namespace)
    env: list[dict[str, str]] = made["spec"]["template"]["spec"]["containers"][0]["env"]
    env.append({"name": "LOCAL_CLUSTER_SECRET_WATCHER", "value": "true"})
    return made


def test_of_an_external_control_plane_its_secret_alone_counts(
    signed: str, cluster: Cluster, operations: Operations
) -> None:
    """What another mesh has in that cluster is nobody's business."""
    with_ztunnel(cluster, signed)
    cluster.apply(external(signed), handed_out(signed, root("another root", NOW + YEAR)))
    for name, comes in (("trust", "sign"), ("sign", "drop"), ("drop", "")):
        assert operations.run("mesh_ca", given(signed, NEW, rotate=name))["rotation"]["next"] == comes
    assert roots_in(cluster, signed) == NEW.pem


def test_nobody_signs_without_a_key(signed: str, operations: Operations, changes: Changes) -> None:
    changes()
    with pytest.raises(RotationRefused, match="nobody can sign"):
        operations.run("mesh_ca", {**given(signed, NEW, rotate="trust"), "root_key": None})
    stranger = OLD.issues("east", NOW + YEAR)
    other = {"root_key": None, "certificate": stranger.pem, "key": stranger.key}
    with pytest.raises(BadAuthority, match="does not lead to the root"):
        operations.run("mesh_ca", {**given(signed, NEW, rotate="trust"), **other})
    assert changes() == []


def test_another_authority_signs_by_the_new_root(signed: str, cluster: Cluster, operations: Operations) -> None:
    cluster.apply(handed_out(signed, OLD, NEW))
    east = NEW.issues("east", NOW + YEAR)
    theirs = {"root_key": None, "certificate": east.pem, "key": east.key}
    for name in ("trust", "sign"):
        done = operations.run("mesh_ca", {**given(signed, NEW, rotate=name), **theirs})
    assert done["trust"]["signer"]["subject"] == "CN=east"
    cluster.apply(handed_out(signed, NEW))
    assert operations.run("mesh_ca", {**given(signed, NEW, rotate="drop"), **theirs})["rotation"]["next"] == ""
    assert operations.run("mesh_ca", {**given(signed, NEW), **theirs})["changed"] is False


def test_a_rotation_that_has_begun_goes_back(signed: str, cluster: Cluster, operations: Operations) -> None:
    cluster.apply(handed_out(signed, OLD, NEW))
    operations.run("mesh_ca", given(signed, NEW, rotate="trust"))
    with pytest.raises(RootChange, match="under way"):
        operations.run("mesh_ca", given(signed, NEW))
    cluster.apply(handed_out(signed, OLD))
    back = operations.run("mesh_ca", given(signed, OLD, rotate="drop"))
    assert (back["rotation"]["next"], roots_in(cluster, signed)) == ("", OLD.pem)


def without_multi_root(cluster: Cluster, namespace: str) -> None:
    cluster.apply(istiod(namespace, multi_root="false"))


def one_of_two(cluster: Cluster, namespace: str) -> None:
    cluster.apply(istiod(namespace, multi_root="", name="istiod-canary"))


def test_what_a_control_plane_that_is_gone_has_left_is_nobodys_root(
    cluster: Cluster, operations: Operations, other: str
) -> None:
    """A cluster that had an Istio of its own once, and is served by another one's now."""
    cluster.apply({**cacerts(OLD, OLD), "metadata": {"name": "istio-ca-secret", "namespace": other}})
    cluster.apply(handed_out(other, OLD, NEW))
    assert operations.run("mesh_ca", given(other, NEW, rotate="trust"))["rotation"]["next"] == "drop"
    cluster.apply(handed_out(other, NEW))
    assert operations.run("mesh_ca", given(other, NEW, rotate="drop"))["rotation"]["next"] == ""


def test_an_istiod_that_has_not_taken_up_what_has_come_is_told_of(
    signed: str, cluster: Cluster, operations: Operations
) -> None:
    """The Secret is as it shall be, and nobody shows anything else: only a restart helps, with any settings."""
    cluster.apply(istiod(signed, multi_root="false"), handed_out(signed, ENDED))
    for name in ("trust", "drop"):
        with pytest.raises(RotationRefused, match=r"hands out the root 'CN=ended'.*restart it"):
            operations.run("mesh_ca", given(signed, OLD, rotate=name))
    cluster.apply(handed_out(signed, OLD))
    assert operations.run("mesh_ca", given(signed, OLD, rotate="trust"))["rotation"]["next"] == ""


def not_taken_up(cluster: Cluster, namespace: str) -> None:
    cluster.apply(handed_out(namespace, root("another root", NOW + YEAR)))


def of_cert_manager(cluster: Cluster, namespace: str) -> None:
    signer = OLD.issues("theirs", NOW + YEAR)
    data = {"tls.crt": signer.pem, "tls.key": signer.key, "ca.crt": OLD.pem}
    cluster.kubectl("delete", "secret", "cacerts", "-n", namespace)
    secret = cacerts(signer, OLD)
    secret["data"] = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    cluster.apply({**secret, "metadata": {"name": "cacerts", "namespace": namespace}}, manager="cert-manager")


def of_istiod_itself(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("delete", "secret", "cacerts", "-n", namespace)
    cluster.apply({**cacerts(OLD, OLD), "metadata": {"name": "istio-ca-secret", "namespace": namespace}})


def with_ztunnel(cluster: Cluster, namespace: str) -> None:
    labels = {"app": "ztunnel"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "ztunnel", "image": "ztunnel"}]}}
    metadata = {"name": "ztunnel", "namespace": namespace, "labels": labels}
    spec = {"selector": {"matchLabels": labels}, "template": pod}
    cluster.apply({"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": metadata, "spec": spec})


def expired(cluster: Cluster, namespace: str) -> None:
    signer = base64.b64encode(OLD.issues("old", NOW - YEAR).pem.encode()).decode()
    cluster.patch("secret", "cacerts", namespace, {"data": {"ca-cert.pem": signer}})


BAD: dict[str, tuple[Callable[[Cluster, str], None], str]] = {
    "without multi-root": (without_multi_root, "runs without ISTIO_MULTIROOT_MESH.*mesh_control_plane_values"),
    "one of two": (one_of_two, "istiod-canary runs without ISTIO_MULTIROOT_MESH"),
    "not taken up": (not_taken_up, "hands out the root 'CN=another root'.*cacerts has 'CN=old root'"),
    "of cert-manager": (of_cert_manager, "as cert-manager makes them"),
    "of istiod itself": (of_istiod_itself, "a root that it has made for itself"),
    "expired": (expired, "has expired"),
    "with ztunnel": (with_ztunnel, "ztunnel"),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_could_do_harm_is_refused(
    bad: str, signed: str, cluster: Cluster, operations: Operations, changes: Changes
) -> None:
    prepare, message = BAD[bad]
    prepare(cluster, signed)
    changes()
    with pytest.raises(RotationRefused, match=message) as error:
        operations.run("mesh_ca", given(signed, NEW, rotate="trust"))
    assert "PRIVATE" not in str(error.value)
    assert changes() == []


def with_proxy(cluster: Cluster, namespace: str, authority: str) -> None:
    """A Pod that seems to run, whose proxy asks for its certificate there."""
    env = [{"name": "CA_ADDR", "value": authority}]
    pod = {"containers": [{"name": "istio-proxy", "image": "proxyv2", "env": env}], "nodeName": "nowhere"}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}
    cluster.apply(account)
    metadata = {"name": "shop", "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod})
    running = '{"status": {"phase": "Running"}}'
    cluster.kubectl("patch", "pod", "shop", "-n", namespace, "--subresource=status", "--type=merge", "-p", running)


@pytest.mark.parametrize("authority", ["", "istiod-canary.{}.svc:15012", "ca.example.com:443"])
def test_a_proxy_that_cannot_be_asked_is_waited_for(
    authority: str, signed: str, cluster: Cluster, operations: Operations
) -> None:
    with_proxy(cluster, signed, authority.format(signed))
    cluster.apply(handed_out(signed, OLD, NEW))
    with pytest.raises(NotReady, match=f"Pod {signed}/shop: it cannot be asked") as error:
        operations.run("mesh_ca", given(signed, NEW, rotate="trust"))
    assert error.value.extra["rotation"]["proxies"] == 1


def test_what_another_control_plane_of_the_cluster_has_is_left_alone(
    signed: str, other: str, cluster: Cluster, operations: Operations
) -> None:
    """Another mesh, with a root of its own; its proxies ask it, and are handed its root."""
    with_proxy(cluster, other, "istiod.istio-elsewhere.svc:15012")
    cluster.apply(handed_out(other, root("another root", NOW + YEAR)))
    cluster.apply(handed_out(signed, OLD, NEW))
    done = operations.run("mesh_ca", given(signed, NEW, rotate="trust"))["rotation"]
    assert (done["next"], done["proxies"], done["lagging"]) == ("sign", 0, [])
    cluster.apply(handed_out(other, OLD))
    with pytest.raises(NotReady, match=f"ConfigMap {other}/istio-ca-root-cert: does not hold the new root"):
        operations.run("mesh_ca", given(signed, NEW, rotate="trust"))


@pytest.mark.parametrize("ended", ["root", "intermediate"])
def test_what_ends_while_it_is_replaced_does_not_stand_in_the_way(
    ended: str, signed: str, cluster: Cluster, operations: Operations, changes: Changes
) -> None:
    """Before the new root is there an istiod takes up no bundle; once it is, everything can be brought to its end."""
    old = ENDED if ended == "root" else OLD
    signer = old.issues("old", NOW - timedelta(days=1) if ended == "intermediate" else NOW + YEAR)
    cluster.kubectl("delete", "secret", "cacerts", "-n", signed)
    secret = cacerts(signer, old)
    cluster.apply({**secret, "metadata": {"name": "cacerts", "namespace": signed}}, handed_out(signed, old, NEW))
    changes()
    wanted = given(signed, NEW, take_ownership_from=["kubectl"])
    with pytest.raises(RotationRefused, match="has expired"):
        operations.run("mesh_ca", {**wanted, "rotate": "trust"})
    assert changes() == []
    both = base64.b64encode((old.pem + NEW.pem).encode()).decode()
    cluster.patch("secret", "cacerts", signed, {"data": {"root-cert.pem": both}})
    signs = operations.run("mesh_ca", {**wanted, "rotate": "sign", "take_ownership_from": ["kubectl", "kubectl-patch"]})
    assert signs["rotation"]["next"] == "drop"
    cluster.apply(handed_out(signed, NEW))
    assert operations.run("mesh_ca", {**wanted, "rotate": "drop"})["rotation"]["next"] == ""
    assert operations.run("mesh_ca", given(signed, NEW))["trust"]["problems"] == []


def test_one_of_several_istiods_may_be_late(signed: str, cluster: Cluster, operations: Operations) -> None:
    plane = istiod(signed)
    cluster.apply({**plane, "spec": {**plane["spec"], "replicas": 2}}, handed_out(signed, OLD, NEW))
    with pytest.raises(NotReady, match="one of several istiods"):
        operations.run("mesh_ca", given(signed, NEW, rotate="trust"))


def test_the_root_comes_with_the_first_phase(
    signed: str, operations: Operations, changes: Changes, tmp_path: Path
) -> None:
    wanted = {"cluster_name": "east", "namespace": signed, "root_file": str(tmp_path / "next.pem"), "wait_timeout": 0}
    changes()
    with pytest.raises(RotationRefused, match="there is no root file"):
        operations.run("mesh_ca", {**wanted, "rotate": "sign"})
    assert operations.run("mesh_ca", {**wanted, "rotate": "trust"}, check=True)["changed"] is True
    assert (changes(), (tmp_path / "next.pem").exists()) == ([], False)


def test_the_rights_are_enough(signed: str, cluster: Cluster) -> None:
    cluster.apply(handed_out(signed, OLD, NEW))
    with bound(cluster, "rotation") as user:
        assert user.operations.run("mesh_ca", given(signed, NEW, rotate="trust"))["changed"] is True
    with bound(cluster, "trust") as user, pytest.raises(Failure, match=r"examples/rbac/rotation\.yaml"):
        user.operations.run("mesh_ca", given(signed, NEW, rotate="trust"))


@pytest.fixture
def mesh(cluster: Cluster, west: Cluster, new_namespace: str, tmp_path: Path) -> Runner:
    """Two clusters that sign by one root; nothing runs in them. The inventory then calls the first one remote."""
    shared = {"mesh_name": "shop", "mesh_root_namespace": new_namespace, "mesh_clusters_rotate_timeout": 0}
    _write(tmp_path / "group_vars" / "all.yml", shared)
    for number, (name, one) in enumerate((("east", cluster), ("west", west))):
        facts = {"mesh_cluster_name": name, "mesh_kubeconfig": one.kubeconfig, "mesh_clusters_server": one.server}
        _write(tmp_path / "host_vars" / f"host{number}.yml", facts)
    runner = Runner(tmp_path)
    assert play(runner, "trust", "root.pem").rc == 0
    _say(tmp_path, "host0", mesh_cluster_role="remote")
    _say(tmp_path, "host1", mesh_clusters_gateway_addresses=[{"address": "192.0.2.7"}])
    return runner


def _say(folder: Path, host: str, **more: Any) -> None:
    path = folder / "host_vars" / f"{host}.yml"
    _write(path, {**yaml.safe_load(path.read_text("utf-8")), **more})


def _write(path: Path, content: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def play(runner: Runner, tasks: str, file: str, *arguments: str, hosts: int = 2) -> Played:
    given_root = {"mesh_clusters_root_file": str(runner.folder / file)}
    task = {"name": tasks, "ansible.builtin.import_role": {"name": ROLE, "tasks_from": tasks}, "vars": given_root}
    return runner.run(task, arguments=arguments, hosts=hosts, play={"any_errors_fatal": True})


def test_all_clusters_of_a_mesh_get_the_new_root(
    mesh: Runner, west: Cluster, new_namespace: str, changes_in_both: Changes
) -> None:
    with_ztunnel(west, new_namespace)
    stopped = play(mesh, "rotate_ca", "next.pem")
    assert (stopped.rc, changes_in_both()) == (2, [])
    assert "The root of west cannot be rotated" in stopped.output
    assert not (mesh.folder / "next.pem").exists()
    west.kubectl("delete", "daemonset", "ztunnel", "-n", new_namespace)
    check = play(mesh, "rotate_ca", "next.pem", "--check")
    assert (check.rc, changes_in_both()) == (0, []), check.output
    assert "the phase trust comes" in check.output
    done = play(mesh, "rotate_ca", "next.pem", "-vvv", "--diff")
    assert (done.rc, len(changes_in_both())) == (0, 6), done.output
    signing = [one.host for one in done.results if (one.data.get("rotation") or {}).get("phase") == "sign"]
    assert signing == ["host1", "host0"], "a remote cluster shows it only after the one that signs for it"
    again = play(mesh, "rotate_ca", "next.pem")
    assert (again.rc, changes_in_both()) == (0, []), again.output
    assert "the root is rotated, in every cluster" in again.output
    texts = {"output": done.output, **contents(files(mesh.folder))}
    keys = [line for name in ("root.pem", "next.pem") for line in _key_of(texts.pop(str(mesh.folder / name)))]
    assert traces(keys, texts) == []


def renew(folder: Path, file: str) -> None:
    """The root of the mesh with a new end, in a file of its own."""
    text = (folder / "root.pem").read_text("utf-8")
    private = load_pem_private_key("".join(text.partition("-----BEGIN PRIVATE")[1:]).encode(), None)
    assert isinstance(private, EllipticCurvePrivateKey)
    renewed = Authority(load_pem_x509_certificate(text.encode()), private).renewed(NOW + 20 * YEAR)
    (folder / file).write_text(renewed.pem + renewed.key, encoding="utf-8")


def test_a_renewed_root_gets_to_all_clusters_of_a_mesh(
    mesh: Runner, west: Cluster, operations: Operations, new_namespace: str, changes_in_both: Changes
) -> None:
    """Also after a run that was cut off when one cluster had dropped the former root already."""
    renew(mesh.folder, "next.pem")
    file = str(mesh.folder / "next.pem")
    one = {"cluster_name": "east", "namespace": new_namespace, "root_file": file, "wait_timeout": 0}
    for kubeconfig in ({}, {"kubeconfig": west.kubeconfig}):
        assert operations.run("mesh_ca", {**one, **kubeconfig, "rotate": "trust"})["rotation"]["next"] == "drop"
    assert operations.run("mesh_ca", {**one, "rotate": "drop"})["rotation"]["next"] == ""
    changes_in_both()
    done = play(mesh, "rotate_ca", "next.pem")
    assert (done.rc, len(changes_in_both())) == (0, 1), done.output
    assert "the root of the inventory is in its place in all clusters" in " ".join(done.output.split())


def test_clusters_that_are_given_different_roots_are_not_rotated(mesh: Runner, changes_in_both: Changes) -> None:
    """Each would trust its own new root, and nobody that of the other."""
    other = root("other root", NOW + 10 * YEAR)
    (mesh.folder / "host0.pem").write_text(NEW.pem + NEW.key, encoding="utf-8")
    (mesh.folder / "host1.pem").write_text(other.pem + other.key, encoding="utf-8")
    changes_in_both()
    refused = play(mesh, "rotate_ca", "{{ inventory_hostname }}.pem")
    said = " ".join(refused.output.split())
    assert (refused.rc, changes_in_both()) == (2, []), refused.output
    assert "its clusters are given different roots" in said
    assert "host0 would get 'CN=new root'" in said
    assert "host1 would get 'CN=other root'" in said
    new = play(mesh, "rotate_ca", "new-{{ inventory_hostname }}.pem")
    assert (new.rc, changes_in_both()) == (2, []), new.output
    assert f"host0 would get a new one in {mesh.folder}/new-host0.pem" in " ".join(new.output.split())
    assert not list(mesh.folder.glob("new-*"))


def test_the_end_of_the_old_root_stops_no_rotation_of_a_mesh(
    mesh: Runner, cluster: Cluster, west: Cluster, new_namespace: str, changes_in_both: Changes
) -> None:
    """All clusters trust the new one already when it comes."""
    for one in (cluster, west):
        signs_by_ended(one, new_namespace, NEW)
    (mesh.folder / "next.pem").write_text(NEW.pem + NEW.key, encoding="utf-8")
    changes_in_both()
    done = play(mesh, "rotate_ca", "next.pem")
    assert done.rc == 0, done.output
    assert "the root of the inventory is in its place in all clusters" in " ".join(done.output.split())
    assert [roots_in(one, new_namespace) for one in (cluster, west)] == [NEW.pem, NEW.pem]


def signs_by_ended(cluster: Cluster, namespace: str, *more: Authority) -> None:
    """The cluster signs by a root that has ended, and may trust others already."""
    secret = cacerts(ENDED.issues("old", NOW + YEAR), ENDED)
    bundle = "".join(one.pem for one in (ENDED, *more))
    secret["data"]["root-cert.pem"] = base64.b64encode(bundle.encode()).decode()
    cluster.kubectl("delete", "secret", "cacerts", "-n", namespace)
    cluster.apply({**secret, "metadata": {"name": "cacerts", "namespace": namespace}}, manager=MANAGER)


@pytest.mark.parametrize("state", ["given", "to be made", "begun in one"])
def test_a_root_that_has_ended_is_replaced_in_all_clusters(
    state: str, mesh: Runner, cluster: Cluster, west: Cluster, new_namespace: str, changes_in_both: Changes
) -> None:
    """Also where a rotation to the new one had begun in some of them, and can neither go on nor back."""
    signs_by_ended(cluster, new_namespace, *([NEW] if state == "begun in one" else []))
    signs_by_ended(west, new_namespace)
    for host in ("host0", "host1"):
        _say(mesh.folder, host, mesh_cluster_role="primary")
    if state != "to be made":
        (mesh.folder / "next.pem").write_text(NEW.pem + NEW.key, encoding="utf-8")
    changes_in_both()
    check = play(mesh, "trust", "next.pem", "--check")
    assert (check.rc, changes_in_both()) == (0, []), check.output
    done = play(mesh, "trust", "next.pem")
    assert (done.rc, len(changes_in_both())) == (0, 2), done.output
    assert "When a root has ended" in " ".join(done.output.split())
    first, second = (roots_in(one, new_namespace) for one in (cluster, west))
    assert first == second != ENDED.pem


def test_what_is_not_at_its_end_is_no_success(mesh: Runner) -> None:
    """An inventory that names another root to the last phase: the phases pass, and the mesh signs by a wrong one."""
    new, both = mesh.folder / "next.pem", mesh.folder / "both.pem"
    new.write_text(NEW.pem + NEW.key, encoding="utf-8")
    both.write_text(NEW.pem + (mesh.folder / "root.pem").read_text("utf-8"), encoding="utf-8")
    stopped = play(mesh, "rotate_ca", "{{ 'both' if mesh_clusters_phase | default('') == 'drop' else 'next' }}.pem")
    assert stopped.rc == 2, stopped.output
    said = " ".join(stopped.output.split())
    assert "The root of shop is not rotated yet, though nothing has failed: host0 needs the phase sign" in said
    assert "is in its place in all clusters" not in said


def _key_of(text: str) -> list[str]:
    return [line for line in text[text.index("-----BEGIN PRIVATE") :].splitlines() if not line.startswith("-----")]
