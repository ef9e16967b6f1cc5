"""Control planes on a real API server: planned, written, and found unchanged, in every version and shape.

There are no nodes, so istiod never starts and the wait for it ends without it. What is written before is the whole of
it, and the second run has to find nothing to do.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.conftest import charts_of
from integration.support.bed import ISTIO, Cluster
from integration.support.failing import Row
from integration.support.planes import Planes
from integration.support.playbook import Runner
from integration.support.registry import registry
from integration.support.servers import file_server

VERSIONS = ("1.28.3", "1.29.1", "1.31.0")
SHAPES: Mapping[str, dict[str, Any]] = {
    "default": {},
    "revisioned": {"revision": "r1"},
    "replicated": {"high_availability": True, "sizing": "S500P2000"},
    "cni": {"components": ["base", "istiod", "cni"]},
    "ambient": {"components": ["base", "istiod", "cni", "ztunnel"], "profile": "ambient", "platform": "k3s"},
}
IDENTITY: Mapping[str, Any] = {"mesh_id": "shop", "network": "net1", "cluster_name": "east", "pull_secrets": ["mirror"]}


# Every version and every shape; each with each is `make campaign NAME=second-run`, with a node.
TRIED = [*zip(SHAPES, VERSIONS * 2, strict=False), ("ambient", VERSIONS[-1])]


@pytest.mark.parametrize(("shape", "version"), TRIED)
def test_a_second_run_persists_nothing(shape: str, version: str, planes: Planes) -> None:
    options = {"version": version, **SHAPES[shape], **IDENTITY}
    planned = planes.plan(**options)
    assert planned["changed"]
    assert len(planes.install(**options)) == len(planned["plan"])
    again = planes.plan(**options)
    assert (again["changed"], again["plan"]) == (False, [])
    assert planes.install(**options) == []


def test_every_image_comes_from_the_hub(planes: Planes) -> None:
    """Pull secrets, too, and the names of mesh and network, wherever a chart wants them."""
    everything: dict[str, Any] = {
        "components": ["base", "istiod", "cni", "ztunnel"],
        "image_hub": "mirror.example.com/istio",
    }
    planned = planes.plan(**everything, **IDENTITY)
    objects = [yaml.safe_load(entry["after"]) for entry in planned["diff"]]
    pods = [found["spec"]["template"]["spec"] for found in objects if found["kind"] in ("Deployment", "DaemonSet")]
    images = [container["image"] for pod in pods for container in [*pod["containers"], *pod.get("initContainers", [])]]
    assert len(pods) == 3
    assert {image.rpartition("/")[0] for image in images} == {"mirror.example.com/istio"}
    accounts = [found for found in objects if found["kind"] == "ServiceAccount"]
    assert len(accounts) == 4
    assert [account["imagePullSecrets"] for account in accounts] == [[{"name": "mirror"}]] * 4
    (injector,) = (found for found in objects if found["metadata"]["name"] == "istio-sidecar-injector")
    assert json.loads(injector["data"]["values"])["global"]["hub"] == "mirror.example.com/istio"
    (ztunnel,) = (pod for pod in pods if pod["containers"][0]["image"].endswith("/ztunnel:" + ISTIO))
    told = {entry["name"]: entry.get("value") for entry in ztunnel["containers"][0]["env"]}
    assert (told["NETWORK"], told["ISTIO_META_CLUSTER_ID"]) == ("net1", "east")


def test_two_revisions_do_not_undo_each_other(planes: Planes, cluster: Cluster) -> None:
    """What they share stays with the newest version; configuration stays judged by the first."""
    old: dict[str, Any] = {"version": "1.29.1", **IDENTITY}
    new: dict[str, Any] = {"version": "1.31.0", "revision": "r1", **IDENTITY}
    planes.install(**old)
    planes.install(**new)
    for revision in (old, new, old):
        assert planes.install(**revision) == []
    for revision in (old, new):
        assert planes.plan(**revision)["components"]["base"] == {"version": "1.31.0", "kept_by": "r1"}
    validator = cluster.get("validatingwebhookconfiguration", "istiod-default-validator")
    assert validator["metadata"]["labels"]["istio.io/rev"] == "default"
    assert cluster.names("deployments", planes.namespace) == {"istiod", "istiod-r1"}


def test_external_control_planes_of_several_meshes_do_not_meet(planes: Planes, cluster: Cluster) -> None:
    """Each in its own root namespace, with its own version: the cluster that they run in is in neither mesh."""
    other = dataclasses.replace(planes, namespace=f"{planes.namespace}-other")
    for made, version in ((planes, "1.29.1"), (other, "1.31.0")):
        place, secret = {"name": made.namespace}, {"name": "istio-kubeconfig", "namespace": made.namespace}
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": place})
        cluster.apply({"apiVersion": "v1", "kind": "Secret", "metadata": secret})
        options = {"version": version, "mode": "hosted", "cluster_name": "ops", "config_cluster": made.namespace}
        assert made.install(**options, components=["istiod"], mesh_id=made.namespace)
        assert made.plan(**options, components=["istiod"], mesh_id=made.namespace)["changed"] is False
    other.remove()


def test_what_was_installed_without_records_is_ours_and_gets_them(planes: Planes, cluster: Cluster) -> None:
    """An earlier version of this collection wrote none."""
    planes.install(**IDENTITY)
    for kind, name in (("configmap", "values"), ("serviceaccount", "istio-reader-service-account")):
        found = cluster.get(kind, name, planes.namespace)
        ours = [key for key in found["metadata"]["annotations"] if key.startswith("service-mesh-istio/")]
        gone = {"metadata": {"annotations": dict.fromkeys(ours)}}
        cluster.patch(kind, name, planes.namespace, gone)
    planned = planes.plan(**IDENTITY)["plan"]
    assert sorted(row["name"] for row in planned) == ["istio-reader-service-account", "values"]
    assert len(planes.install(**IDENTITY)) == 2
    assert planes.plan(**IDENTITY)["changed"] is False


def test_what_cannot_be_done_in_place_is_refused(
    planes: Planes, runner: Runner, changes: Callable[[], list[str]]
) -> None:
    """As a person sees it, in check mode and in a run."""
    planes.install(**IDENTITY)
    rows = in_place_rows(planes)
    changes()
    for arguments in (("--check",), ()):
        played = runner.run(*(row.task() for row in rows), arguments=arguments)
        untold = (row.untold(result) for row, result in zip(rows, played.results, strict=True))
        assert [lack for lack in untold if lack] == []
    assert changes() == []
    taken = planes.install(**{**IDENTITY, "inventory": "store", "take_over_from": "shop"})
    assert sorted(line.split()[1] for line in taken) == ["configmaps", "serviceaccounts"]


def in_place_rows(planes: Planes) -> list[Row]:
    """Another identity, another place, another inventory, and versions that are no step away."""

    def row(code: str, told: str, **more: Any) -> Row:
        return Row(f"{code}: {more}", "control_plane", planes.options({**IDENTITY, **more}), code, (told,))

    return [
        row("identity_change", "The identity of the mesh", mesh_id="other", inventory="shop"),
        row("identity_change", "The network of the control plane", network="net2"),
        row("identity_change", "The trust domain", mesh_config={"trustDomain": "example.com"}),
        row("identity_change", "The root namespace", namespace="elsewhere"),
        row("kept_elsewhere", "The inventory 'shop' keeps", inventory="store"),
        row("upgrade_path", "1.29.1 -> 1.30.7 -> 1.31.0", version="1.31.0"),
        row("upgrade_path", "with a 'revision' of its own", version="1.28.3"),
    ]


def test_a_remote_cluster_keeps_the_address_of_its_control_plane(planes: Planes) -> None:
    """A task that does not say it, because nobody has asked for it in its run, changes nothing there."""
    served = {"mode": "hosted", "cluster_name": "west", "network": "net1", "remote": {"primary": "east"}}
    refused = planes.refused(**served)
    assert refused.as_dict()["code"] == "no_address"
    assert f"ConfigMap {planes.namespace}/values" in str(refused)
    said = {**served, "remote": {"primary": "east", "address": "192.0.2.7"}}
    planes.operations.run("control_plane", planes.options(said))
    planes.changes()
    for check in (True, False):
        for kept in ({"primary": "east"}, {"primary": ""}, {"address": "192.0.2.7"}):
            again = planes.operations.run("control_plane", planes.options({**served, "remote": kept}), check=check)
            assert (again["changed"], planes.changes()) == (False, [])
    moved = planes.refused(**{**served, "remote": {"primary": "south"}}).as_dict()
    assert (moved["code"], moved["reason"]) == (
        "no_address",
        "the address that it has is that of east, whose control plane serves it now",
    )


def test_a_remote_cluster_is_served_by_somebody(planes: Planes) -> None:
    nobody = planes.refused(mode="hosted", cluster_name="west", network="net1", remote={"primary": ""})
    assert nobody.as_dict()["code"] == "no_address"
    assert "Nothing says which control plane serves" in str(nobody)


def test_charts_that_know_no_ipv6_are_not_told_such_an_address(planes: Planes) -> None:
    served = {"mode": "hosted", "cluster_name": "west", "remote": {"primary": "east", "address": "2001:db8::7"}}
    refused = planes.refused(**served)
    assert f"the charts of Istio {ISTIO} know addresses of IPv4 and names alone" in str(refused)


def test_rendering_is_done_once(planes: Planes, tmp_path: Path) -> None:
    """Without helm the second run works, and nobody else can read what is kept."""
    cache: dict[str, Any] = {"directory": str(charts_of(ISTIO)), "cache": str(tmp_path / "cache")}
    first = planes.plan(charts=cache)
    again = planes.plan(charts=cache, helm_binary="/no/helm")
    assert again["plan"] == first["plan"]
    assert "/no/helm" in str(planes.refused(charts={**cache, "use_cache": False}, helm_binary="/no/helm"))
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "cache", *(tmp_path / "cache").iterdir())] == [
        0o700,
        0o600,
        0o600,
    ]


def created(planned: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is not there yet; the CRDs may be, from another test and with the labels of another packing."""
    return [(row["kind"], row["name"]) for row in planned["plan"] if row["action"] == "create"]


def test_charts_come_from_a_repository_once(planes: Planes, tmp_path: Path) -> None:
    """And a version that it does not have is said."""
    by_directory = created(planes.plan())
    cache = {"cache": str(tmp_path / "cache")}
    with file_server(charts_of(ISTIO) / "archives") as repository:
        source = {"repository": repository, **cache}
        assert created(planes.plan(charts=source)) == by_directory
        refused = planes.refused(charts=source, version="1.29.99")
    assert f"The chart 'base' 1.29.99 cannot be had from {repository}" in str(refused)
    assert "Check that this version exists" in str(refused)
    assert created(planes.plan(charts=source)) == by_directory


def test_charts_come_from_an_oci_registry(
    cluster: Cluster, planes: Planes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which one has to log in to. What was pulled once is not asked for again."""
    by_directory = created(planes.plan())
    with registry(cluster, tmp_path) as artifacts:
        for name, value in artifacts.environment.items():
            monkeypatch.setenv(name, value)
        source = {"repository": artifacts.charts, "cache": str(tmp_path / "cache")}
        artifacts.log_in()
        artifacts.push(*(charts_of(ISTIO) / "archives" / f"{chart}-{ISTIO}.tgz" for chart in ("base", "istiod")))
        artifacts.log_out()
        assert "helm registry login" in str(planes.refused(charts=source))
        artifacts.log_in()
        assert created(planes.plan(charts=source)) == by_directory
        missing = str(planes.refused(charts=source, version="1.29.99"))
        assert f"The chart 'base' 1.29.99 cannot be had from {artifacts.charts}" in missing
    assert created(planes.plan(charts=source)) == by_directory


def test_charts_come_from_archives_with_the_right_checksum(planes: Planes) -> None:
    files = {chart: charts_of(ISTIO) / "archives" / f"{chart}-{ISTIO}.tgz" for chart in ("base", "istiod")}
    archives = [
        {"chart": chart, "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for chart, path in files.items()
    ]
    assert created(planes.plan(charts={"archives": archives})) == created(planes.plan())
    assert "it is of 1.29.1" in str(planes.refused(charts={"archives": archives}, version="1.28.3"))
