"""The role that makes two clusters one mesh: planned, joined, nothing on the second run, refused, left."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from integration.support.bed import ISTIO, ROOT, Cluster
from integration.support.operations import Operations
from integration.support.playbook import Played, Runner
from integration.support.presence import presence
from unit.support.certificates import cacerts, root

pytestmark = pytest.mark.usefixtures("crds")
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
    check = mesh.run(role("trust"), role(), arguments=["--check", "--diff"], hosts=2)
    assert (check.rc, changes_in_both()) == (0, []), check.output
    assert "shop: multi-primary, one network" in check.output
    assert "east reads west: missing" in check.output
    done = mesh.run(role("trust"), role(), arguments=["--diff"], hosts=2)
    assert done.rc == 0, done.output
    assert len(changes_in_both()) == 14
    assert done.output.count("name: cacerts") == check.output.count("name: cacerts") == 2, "once for each cluster"
    again = mesh.run(role("trust"), role(), hosts=2)
    assert (again.rc, changes_in_both()) == (0, []), again.output
    assert "west reads east: present, token until" in again.output
    assert re.search(
        r"west \(host1\): primary, trust domain cluster.local, root sha256:\w+ until .*, signs until", again.output
    )
    limited = ["--limit", "host0", "-e", "mesh_clusters_join=true"]
    renewed = mesh.run(role(mesh_clusters_rotate=True), arguments=limited, hosts=2)
    assert (renewed.rc, changes_in_both()) == (2, []), renewed.output
    assert "--limit leaves host1 out of this run" in renewed.output
    assert "host0 reads west (Secret istio-remote-secret-west), which is not in this run (--limit)" in renewed.output
    left = mesh.run(role("leave", mesh_clusters_leaving=["host1"]), hosts=2)
    assert left.rc == 0, left.output
    assert len(changes_in_both()) == 10
    assert set(plans(left)) == {
        f"delete {kind}" for kind in ("ClusterRole", "ClusterRoleBinding", "Secret", "ServiceAccount")
    }


def test_nobody_reads_a_cluster_in_which_the_run_has_failed(
    mesh: Runner, changes_in_both: Callable[[], list[str]]
) -> None:
    fails = {"ansible.builtin.fail": {"msg": "no quota"}, "when": "inventory_hostname == 'host1'"}
    played = mesh.run(role("trust"), role("plan"), fails, role("register"), hosts=2)
    assert played.rc == 2, played.output
    assert "east does not read west yet: the run has failed in host1" in played.output
    assert [change for change in changes_in_both() if "cacerts" not in change and "namespaces" not in change] == []
    joined = mesh.run(role("trust"), role(), hosts=2)
    assert joined.rc == 0, joined.output
    assert any("istio-remote-secret-west" in change for change in changes_in_both())


def test_no_root_is_rotated_without_a_cluster_that_nobody_reads_yet(
    mesh: Runner, changes_in_both: Callable[[], list[str]]
) -> None:
    assert mesh.run(role("trust"), hosts=2).rc == 0
    changes_in_both()
    limited = ["--limit", "host0", "-e", "mesh_clusters_join=true"]
    played = mesh.run(role("rotate_ca"), arguments=limited, hosts=2)
    assert (played.rc, changes_in_both()) == (2, []), played.output
    assert "--limit leaves host1 out of this run, which would stay on the old root" in played.output


def test_clusters_whose_groups_are_narrower_forget_each_other(
    mesh: Runner, cluster: Cluster, west: Cluster, changes_in_both: Callable[[], list[str]]
) -> None:
    for host, name, own in (("host0", "east", cluster), ("host1", "west", west)):
        given = {"mesh_clusters_gateway_addresses": [{"address": "203.0.113.1"}]}
        _host(mesh.folder, host, name, own, mesh_network=name, **given)
    joined = mesh.run(role("trust"), role(), hosts=2)
    assert (joined.rc, len(changes_in_both())) == (0, 14), joined.output
    narrow: dict[str, Any] = {"mesh_clusters_groups": [["east"], ["west"]]}
    check = mesh.run(role(**narrow), role("rotate_ca", **narrow), arguments=["--check"], hosts=2)
    assert changes_in_both() == []
    assert "east reads west: ends (Secret istio-remote-secret-west)" in check.output
    assert "left over" not in check.output
    assert "which is not in this run" not in check.output, "no rotation waits for it"
    ended = mesh.run(role(**narrow), hosts=2)
    assert (ended.rc, len(changes_in_both())) == (0, 10), ended.output
    assert plans(ended) == [line for line in plans(check) if line.startswith("delete")]
    again = mesh.run(role(**narrow), hosts=2)
    assert (again.rc, changes_in_both()) == (0, []), again.output
    assert "east reads west" not in again.output


def test_what_does_not_fit_is_refused_before_the_first_write(
    mesh: Runner, cluster: Cluster, changes_in_both: Callable[[], list[str]]
) -> None:
    _host(mesh.folder, "host1", "east", cluster)
    played = mesh.run(role(), hosts=2)
    assert (played.rc, changes_in_both()) == (2, [])
    assert "host0 and host1 have the cluster name east" in played.output
    assert "host0 and host1 have one cluster" in played.output


@dataclass(frozen=True)
class Bad:
    """What cannot be one mesh: what the inventory says of both hosts and of each, and what is answered."""

    said: tuple[str, ...]
    both: Mapping[str, Any] = field(default_factory=dict)
    first: Mapping[str, Any] = field(default_factory=dict)
    second: Mapping[str, Any] = field(default_factory=dict)


DOWN = {"mesh_host": "https://127.0.0.1:1", "mesh_kubeconfig": "{{ omit }}", "mesh_api_key": "none"}
CONFIG: dict[str, Any] = {"mesh_cluster_role": "remote", "mesh_cluster_config": True, "mesh_mode": "hosted"}
BAD: dict[str, Bad] = {
    "equal names": Bad(("host0 and host1 have the cluster name east",), second={"mesh_cluster_name": "east"}),
    "two meshes": Bad(("host0 has the mesh 'shop' and host1 'other'",), second={"mesh_name": "other"}),
    "down": Bad(("host1 could not be seen", "https://127.0.0.1:1"), second=DOWN),
    "two config clusters": Bad(
        ("host0 and host1 are both to have the configuration of the mesh",), {"mesh_mode": "hosted"}, CONFIG, CONFIG
    ),
    "no door": Bad(
        ("host1: the network 'net2' has no east-west gateway",), {"mesh_network": "net1"}, {}, {"mesh_network": "net2"}
    ),
    "at home": Bad(("host0 cannot reach host1 at https://127.0.0.1:",), second={"mesh_clusters_server": ""}),
    "no root": Bad(
        ("host0 and host1 have no certificates, and no root is given for them",), {"mesh_clusters_root_file": ""}
    ),
    "a root for one": Bad(
        ("host1 has no certificates from the root of the mesh, and host0 has",), second={"mesh_clusters_root_file": ""}
    ),
    "two root files": Bad(
        ("host0 would get a new root in ", "/east.pem, and host1 one in ", "/west.pem"),
        {"mesh_clusters_root_file": "{{ inventory_dir }}/{{ mesh_cluster_name }}.pem"},
    ),
}


def whole(mesh: Runner, cluster: Cluster, charts: Path, *arguments: str, playbook: str = "mesh", **more: Any) -> Played:
    """The playbook that a user runs, for clusters that join."""
    helm = {"mesh_control_plane_helm_binary": str(cluster.bin / "helm"), "mesh_control_plane_version": ISTIO}
    told = {"mesh_clusters_join": True, "mesh_control_plane_charts": {"directory": str(charts)}, **helm, **more}
    path = str(ROOT / "playbooks" / f"{playbook}.yml")
    return mesh.run(arguments=(path, "-e", json.dumps(told), *arguments), hosts=2)


@pytest.mark.parametrize("case", BAD)
def test_the_playbook_refuses_before_the_first_write(
    case: str, mesh: Runner, cluster: Cluster, west: Cluster, charts: Path, changes_in_both: Callable[[], list[str]]
) -> None:
    bad = BAD[case]
    _host(mesh.folder, "host0", "east", cluster, **{**bad.both, **bad.first})
    _host(mesh.folder, "host1", "west", west, **{**bad.both, **bad.second})
    played = whole(mesh, cluster, charts)
    assert (played.rc, changes_in_both()) == (2, []), played.output
    assert all(said in played.output for said in ("nothing has been written for it", *bad.said)), played.output


def test_the_playbook_refuses_one_cluster_twice_before_the_first_write(
    mesh: Runner, cluster: Cluster, charts: Path, changes_in_both: Callable[[], list[str]]
) -> None:
    _host(mesh.folder, "host1", "west", cluster)
    played = whole(mesh, cluster, charts)
    assert (played.rc, changes_in_both()) == (2, []), played.output
    assert "host0 and host1 have one cluster" in played.output


def test_the_playbook_refuses_the_address_of_another_cluster_before_the_first_write(
    mesh: Runner, cluster: Cluster, west: Cluster, charts: Path, changes_in_both: Callable[[], list[str]]
) -> None:
    """By another of its own addresses, and by the very one that is given for that cluster, too."""
    elsewhere = cluster.server.replace("127.0.0.1", "localhost")
    said = {
        elsewhere: f"{elsewhere}, by which east would read west, does not prove that it is west",
        cluster.server: f"host0 and host1 have one address for their API servers ({cluster.server})",
    }
    for address, refusal in said.items():
        _host(mesh.folder, "host1", "west", west, mesh_clusters_server=address)
        played = whole(mesh, cluster, charts)
        assert (played.rc, changes_in_both()) == (2, []), played.output
        assert refusal in played.output, played.output


def test_the_playbook_refuses_roots_and_addresses_that_are_there_before_the_first_write(
    mesh: Runner,
    cluster: Cluster,
    west: Cluster,
    new_namespace: str,
    charts: Path,
    changes_in_both: Callable[[], list[str]],
) -> None:
    """West has another root than the one that the inventory gives to both, and east has none at all."""
    west.apply(*_certificates(new_namespace, datetime.now(timezone.utc)))
    changes_in_both()
    with same_addresses(cluster, west):
        played = whole(mesh, cluster, charts)
    assert (played.rc, changes_in_both()) == (2, []), played.output
    assert "host1: The root of west would change in place" in played.output
    assert "host0 would get a new root, as there is no file" in played.output
    assert "and host1 has one" in played.output
    assert "host0 and host1 are in the network '' and both have Pods in 10.99.0.0/24" in played.output
    assert not (mesh.folder / "root.pem").exists()


def test_the_playbook_looks_again_only_after_it_has_written(
    mesh: Runner, cluster: Cluster, charts: Path, changes_in_both: Callable[[], list[str]]
) -> None:
    """The tasks of the clusters alone: on bare API servers no istiod gets ready."""
    check, done, again = (
        whole(mesh, cluster, charts, "--tags", "clusters", *arguments) for arguments in (("--check",), (), ())
    )
    assert [one.rc for one in (check, done, again)] == [0, 0, 0], (check.output, done.output, again.output)
    assert [_looks(one) for one in (check, done, again)] == [2, 4, 2]
    assert [one.output.count("east reads west: missing") for one in (check, done, again)] == [1, 2, 0]
    assert len(changes_in_both()) == 14
    assert [_wrote(one) for one in (check, done, again)] == [True, True, False]


def test_a_hosted_mesh_on_networks_is_planned_by_the_playbook_plan(
    mesh: Runner, cluster: Cluster, west: Cluster, charts: Path, changes_in_both: Callable[[], list[str]]
) -> None:
    """Nobody has said --check; what is not there yet has no address, and nobody waits for one."""
    door = {"name": "eastwest", "namespace": "istio-eastwest", "type": "eastwest"}
    hosted = {"mesh_mode": "hosted", "mesh_gateways_instances": [door], "mesh_control_plane_components": ["istiod"]}
    _host(mesh.folder, "host0", "east", cluster, mesh_network="net1", **hosted)
    hosted["mesh_gateways_instances"] = [{**door, "state": "present"}]
    _host(mesh.folder, "host1", "west", west, mesh_network="net2", mesh_cluster_role="remote", **hosted)
    begin = time.monotonic()
    planned = whole(mesh, cluster, charts, "--diff", playbook="plan")
    assert (planned.rc, changes_in_both()) == (0, []), planned.output
    assert time.monotonic() - begin < 120
    assert planned.output.count("/cacerts (does not exist)") == 1
    assert {"create Secret", "create Deployment", "create MutatingWebhookConfiguration"} <= _planned(planned)


def test_register_alone_joins_nobody_into_whose_network_nothing_leads(
    mesh: Runner,
    cluster: Cluster,
    west: Cluster,
    namespace: str,
    charts: Path,
    changes_in_both: Callable[[], list[str]],
) -> None:
    """A gateway in the inventory opens nothing by itself: `mesh` makes it, and waits for its address."""
    west.create_namespace(namespace)
    cluster.apply(_door(namespace))
    doors = {"mesh_gateways_instances": [{"name": "eastwest", "namespace": namespace, "type": "eastwest"}]}
    _host(mesh.folder, "host0", "east", cluster, mesh_network="net1", **doors)
    _host(mesh.folder, "host1", "west", west, mesh_network="net2", **doors)
    assert mesh.run(role("trust"), hosts=2).rc == 0
    changes_in_both()
    for arguments in ((), ("--check",)):
        alone = whole(mesh, cluster, charts, *arguments, playbook="register")
        assert (alone.rc, changes_in_both()) == (2, []), alone.output
        assert "host0 would read host1, and nothing leads into its network 'net2' yet" in alone.output
    west.apply(_door(namespace, "net2"))
    changes_in_both()
    done = whole(mesh, cluster, charts, playbook="register")
    assert (done.rc, bool(changes_in_both())) == (0, True), done.output
    again = whole(mesh, cluster, charts, playbook="register")
    assert (again.rc, changes_in_both()) == (0, []), again.output


def _looks(played: Played) -> int:
    return sum(result.task.endswith("What each cluster has of the mesh") for result in played.results)


def _wrote(played: Played) -> bool:
    return any(result.changed for result in played.results)


@pytest.fixture
def two_meshes(cluster: Cluster, namespace: str) -> Iterator[None]:
    """East runs the control plane of this mesh, and one of another mesh in a namespace that comes first."""
    other = f"a-{namespace}"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": other}})
    cluster.apply(*_control_plane(other, "store", "north"), *_control_plane(namespace, "shop", "east"))
    yield
    for place in (other, namespace):
        cluster.kubectl("delete", "deployment/istiod", "configmap/istio-sidecar-injector", "-n", place)
    cluster.kubectl("delete", "namespace", other, "--wait=false")


def _control_plane(namespace: str, mesh_id: str, cluster_name: str, version: str = ISTIO) -> list[dict[str, Any]]:
    """An istiod that does not run, and what its charts were told."""
    values = {"global": {"meshID": mesh_id, "multiCluster": {"clusterName": cluster_name}}}
    told = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"values": json.dumps(values)}}
    labels = {"app": "istiod"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "discovery", "image": f"pilot:{version}"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    istiod = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
    return [
        {**told, "metadata": {"name": "istio-sidecar-injector", "namespace": namespace}},
        {**istiod, "metadata": {"name": "istiod", "namespace": namespace, "labels": labels}},
    ]


@pytest.mark.usefixtures("two_meshes")
def test_the_control_plane_of_another_mesh_in_the_same_cluster_is_in_nobodys_way(
    mesh: Runner, cluster: Cluster
) -> None:
    played = mesh.run(role("plan"), arguments=["--check"])
    assert played.rc == 0, played.output
    _host(mesh.folder, "host0", "west", cluster)
    renamed = mesh.run(role("plan"), arguments=["--check"])
    assert "host0 is installed with the cluster name 'east', and the inventory says 'west'" in renamed.output


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
    cluster.apply(*_certificates(new_namespace, datetime.now(timezone.utc) + timedelta(days=1)))
    with same_addresses(cluster, west):
        played = mesh.run(role(), hosts=2)
    assert (played.rc, changes_in_both()) == (2, [])
    for told in ("host0: the certificate", "compare the clocks", "host0 and host1 are in the network", "10.99.0.0/24"):
        assert told in played.output


@contextmanager
def same_addresses(*clusters: Cluster) -> Iterator[None]:
    """Clusters whose Pods have the same addresses."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "same-addresses"}}
    with ExitStack() as stack:
        for one in clusters:
            one.apply({**node, "spec": {"podCIDR": "10.99.0.0/24", "podCIDRs": ["10.99.0.0/24"]}})
            stack.callback(one.kubectl, "delete", "node", "same-addresses")
        yield


def _certificates(namespace: str, begin: datetime) -> list[dict[str, Any]]:
    """Of a root of their own, good from a moment on."""
    above = root("another root", begin + timedelta(days=3650), begin - timedelta(days=9))
    secret = cacerts(above.issues("east", begin + timedelta(days=99), begin), above)
    secret["metadata"]["namespace"] = namespace
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}, secret]


@dataclass(frozen=True)
class Hosted:
    """East, which serves west, and everything that there was before."""

    runner: Runner
    east: Cluster
    west: Cluster
    namespace: str
    before: list[set[str]]

    def leave(self, *arguments: str) -> Played:
        return unregistered(self.runner, *arguments)

    def found(self) -> list[set[str]]:
        return [presence(one) for one in (self.east, self.west)]


@pytest.fixture
def hosted(mesh: Runner, cluster: Cluster, west: Cluster, namespace: str) -> Hosted:
    """What `mesh` writes for that in east, where there are nodes; `test_many_clusters` proves that it does."""
    cluster.apply(_door(namespace))
    made = Hosted(mesh, cluster, west, namespace, [presence(cluster), presence(west)])
    shared = yaml.safe_load((mesh.folder / "group_vars" / "all.yml").read_text("utf-8"))
    _write(mesh.folder / "group_vars" / "all.yml", {**shared, "mesh_mode": "hosted", "mesh_network": "net1"})
    _host(mesh.folder, "host1", "west", west, mesh_cluster_role="remote")
    in_east = Operations({"kubeconfig": cluster.kubeconfig, "namespace": namespace})
    read = {"remote": {"kubeconfig": west.kubeconfig}, "server": west.server, "serves": True}
    in_east.run("remote_cluster", {"primary": "east", "cluster_name": "west", **read})
    tls = {"port": {"number": 15012, "name": "tls", "protocol": "TLS"}, "tls": {"mode": "PASSTHROUGH"}, "hosts": ["*"]}
    in_east.run("gateway", {"name": "istiod-eastwest", "selector": {"istio": "eastwest"}, "servers": [tls]})
    return made


@pytest.fixture
def served(hosted: Hosted, charts: Path) -> Hosted:
    """And what it writes in west."""
    west = Operations({"kubeconfig": hosted.west.kubeconfig, "namespace": hosted.namespace})
    charted = {"helm_binary": str(hosted.east.bin / "helm"), "charts": {"directory": str(charts)}, "version": ISTIO}
    named = {"mode": "hosted", "mesh_id": "shop", "cluster_name": "west", "network": "net1"}
    west.run("control_plane", {**charted, **named, "remote": {"primary": "east", "address": "192.0.2.7"}})
    door = {"name": "eastwest", "namespace": hosted.namespace, "type": "eastwest"}
    wanted = {**charted, **door, "mode": "hosted", "network": "net1", "wait_timeout": 0.0}
    for name in ("eastwest", "not-in-the-inventory"):
        with pytest.raises(NotReady):
            west.run("gateway_deployment", {**wanted, "name": name})
    charts_too = {f"mesh_control_plane_{name}": value for name, value in charted.items()}
    own = {"mesh_cluster_role": "remote", "mesh_gateways_instances": [door], **charts_too}
    _host(hosted.runner.folder, "host1", "west", hosted.west, **own)
    return hosted


def unregistered(runner: Runner, *arguments: str) -> Played:
    path = str(ROOT / "playbooks" / "unregister.yml")
    return runner.run(arguments=(path, "-e", '{"mesh_clusters_leaving": ["host1"]}', *arguments), hosts=2)


def _door(namespace: str, network: str = "net1") -> dict[str, Any]:
    """A Service that leads to a network, that of east if nothing else is said."""
    labels = {"topology.istio.io/network": network}
    spec = {"ports": [{"port": 15443}], "externalIPs": ["192.0.2.7"]}
    metadata = {"name": "eastwest", "namespace": namespace, "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def refuses_another_name_and_part(served: Hosted) -> None:
    """By another name it would be read twice, and as a primary it would get an istiod beside what leads elsewhere."""
    path = served.runner.folder / "host_vars" / "host1.yml"
    told = path.read_text("utf-8")
    _host(served.runner.folder, "host1", "far", served.west, mesh_cluster_role="remote")
    renamed = served.runner.run(role("trust"), hosts=2)
    assert (
        "host1 is installed with the cluster name 'west', and the inventory says 'far': let it leave" in renamed.output
    )
    _host(served.runner.folder, "host1", "west", served.west)
    promoted = served.runner.run(role("trust"), hosts=2)
    assert "host1 has the mesh_cluster_role primary, and its namespace" in promoted.output
    assert "says that the control plane of east serves it" in promoted.output
    assert (renamed.rc, promoted.rc) == (2, 2)
    path.write_text(told, encoding="utf-8")


def keeps_its_address(served: Hosted, charts: Path) -> None:
    """Where control planes alone are asked for, nobody asks where this one's is reached."""
    tags = ("--check", "--diff", "--tags", "control_plane")
    played = whole(served.runner, served.east, charts, *tags, mesh_control_plane_precheck=False)
    assert played.rc == 0, played.output
    (west,) = (one for one in played.results if one.host == "host1" and "plan" in one.data)
    assert west.data["plan"] == []


def test_a_remote_cluster_leaves_nothing_anywhere(
    served: Hosted, charts: Path, changes_in_both: Callable[[], list[str]]
) -> None:
    changes_in_both()
    keeps_its_address(served, charts)
    refuses_another_name_and_part(served)
    assert changes_in_both() == []
    served.west.label(served.namespace, {"istio-injection": "enabled"})
    changes_in_both()
    refused = served.leave("--check")
    assert (refused.rc, changes_in_both()) == (2, []), refused.output
    assert "still refer to the revision [revision_in_use, 1]: Namespace " in refused.output
    assert "(if it is meant so: mesh_clusters_ignore_checks: [revision_in_use])" in refused.output
    served.west.label(served.namespace, {"istio-injection": None})
    left = served.leave()
    assert left.rc == 0, left.output
    written = [line.split()[1] for line in changes_in_both()]
    assert served.found() == served.before
    assert written.index("mutatingwebhookconfigurations") < written.index("endpointslices")
    again = served.leave()
    assert (again.rc, changes_in_both()) == (0, []), again.output
    assert "host1 has left shop: nothing of it is left in host0" in again.output


def test_what_cannot_be_cleaned_of_a_remote_cluster_is_told(
    hosted: Hosted, changes_in_both: Callable[[], list[str]]
) -> None:
    down = {"mesh_cluster_name": "west", "mesh_host": "https://127.0.0.1:1", "mesh_api_key": "none"}
    _write(hosted.runner.folder / "host_vars" / "host1.yml", {**down, "mesh_cluster_role": "remote"})
    changes_in_both()
    refused = hosted.leave()
    assert (refused.rc, changes_in_both()) == (2, []), refused.output
    assert "(if it is meant so: mesh_clusters_unreachable: true)" in refused.output
    left = hosted.leave("-e", "mesh_clusters_unreachable=true")
    assert left.rc == 0, left.output
    assert hosted.found()[0] == hosted.before[0]
    assert "host1 was not asked" in left.output
    assert "that lead to the control plane of east" in left.output


ADDRESSES = {"host0": "203.0.113.1", "host1": "203.0.113.2"}


@pytest.fixture
def given(mesh: Runner, cluster: Cluster, west: Cluster, charts: Path) -> tuple[str, ...]:
    """Two networks with given addresses, whose control planes are installed; the arguments of a playbook for that."""
    for (host, address), own in zip(ADDRESSES.items(), (cluster, west), strict=True):
        given = {"mesh_clusters_gateway_addresses": [{"address": address}], "mesh_clusters_join": True}
        _host(mesh.folder, host, host, own, mesh_network=host, **given)
    helm = {"mesh_control_plane_helm_binary": str(cluster.bin / "helm"), "mesh_control_plane_version": ISTIO}
    directory = {"mesh_control_plane_charts": {"directory": str(charts)}, "mesh_control_plane_precheck": False}
    return "--check", "--diff", "-e", json.dumps({**helm, **directory, "mesh_control_plane_components": ["istiod"]})


def told_addresses(played: Played) -> dict[str, set[str]]:
    """Of which gateways the control plane of each host would be told."""
    shown = {result.host: str(result.data["diff"]) for result in played.results if "runs Istio" in result.task}
    return {host: {one for one in ADDRESSES.values() if one in text} for host, text in shown.items()}


def test_control_planes_are_told_no_address_of_who_has_left(mesh: Runner, given: tuple[str, ...]) -> None:
    played = unregistered(mesh, *given)
    assert played.rc == 0, played.output
    assert told_addresses(played) == {host: {address} for host, address in ADDRESSES.items()}


def test_nobody_leaves_while_a_control_plane_could_not_be_told(
    mesh: Runner, given: tuple[str, ...], cluster: Cluster, namespace: str
) -> None:
    """East is on its way to a newer Istio, and the inventory still has the one before."""
    cluster.apply(*_control_plane(namespace, "shop", "host0", "1.99.0"))
    try:
        played = unregistered(mesh, *given, "-e", '{"mesh_control_plane_precheck": true}')
    finally:
        cluster.kubectl("delete", "deployment/istiod", "configmap/istio-sidecar-injector", "-n", namespace)
    assert played.rc == 2, played.output
    assert "[downgrade]" in played.output
    assert "Nobody reads who leaves" not in played.output


def test_control_planes_keep_the_addresses_of_who_is_left_out_of_the_run(mesh: Runner, given: tuple[str, ...]) -> None:
    path, everybody = str(ROOT / "playbooks" / "mesh.yml"), {*ADDRESSES.values()}
    limited = (path, *given, "--tags", "control_plane", "--limit", "host0")
    by_name = mesh.run(arguments=limited, hosts=2)
    assert (by_name.rc, told_addresses(by_name)) == (0, {"host0": everybody}), by_name.output
    by_pattern = mesh.run(arguments=(*limited, "-e", "mesh_hosts=host0"), hosts=2)
    assert told_addresses(by_pattern) == {"host0": {ADDRESSES["host0"]}}, "host1 is none of its hosts"


def test_nobody_leaves_while_one_is_left_out_of_the_run(mesh: Runner, given: tuple[str, ...]) -> None:
    played = unregistered(mesh, *given, "--limit", "host1")
    assert played.rc == 2, played.output
    assert "host0: a cluster could not be seen" in played.output
    assert "it is not in this run, which --limit may have cut short" in played.output


def test_a_remote_cluster_in_which_nobody_injects_is_not_served(hosted: Hosted, west: Cluster) -> None:
    """Without a webhook at once, with one that gets no CA after the whole time."""
    served = role("served", mesh_clusters_address_timeout=4)
    none = hosted.runner.run(served, hosts=2)
    assert none.rc == 2, none.output
    assert "host1 has no webhook that would ask the control plane of host0 for sidecars" in none.output
    west.apply(_injector(hosted.namespace))
    try:
        waited = hosted.runner.run(served, hosts=2)
    finally:
        west.kubectl("delete", "mutatingwebhookconfiguration", f"injector-{hosted.namespace}")
    assert "The control plane of host0 does not serve host1 after 4 seconds" in waited.output
    asked = [one.data["attempts"] for one in waited.results if "attempts" in one.data]
    assert max(asked) == 4, "one second apart"


def _injector(namespace: str) -> dict[str, Any]:
    """A webhook of a control plane that has not given it its CA."""
    config = {"service": {"name": "istiod", "namespace": namespace, "path": "/inject"}}
    hook = {"name": "sidecar.istio.io", "clientConfig": config, "sideEffects": "None", "failurePolicy": "Ignore"}
    hooks = [{**hook, "admissionReviewVersions": ["v1"], "namespaceSelector": {"matchLabels": {"nobody": "asks"}}}]
    labels = {"app": "sidecar-injector", "istio.io/rev": "default"}
    metadata = {"name": f"injector-{namespace}", "labels": labels}
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    return {**kind, "metadata": metadata, "webhooks": hooks}


EXTERNAL: dict[str, Any] = {"mesh_cluster_role": "external", "mesh_mode": "hosted", "mesh_clusters_address_timeout": 1}


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
    changes_in_both()
    left = mesh.run(role("leave", mesh_clusters_leaving=["host1"]), hosts=2)
    assert (left.rc, changes_in_both()) == (2, [])
    assert "it has the configuration of the mesh (mesh_cluster_config)" in left.output


def test_what_an_external_control_plane_refuses_is_not_done_to_those_that_it_serves(
    mesh: Runner,
    cluster: Cluster,
    west: Cluster,
    charts: Path,
    namespace: str,
    changes_in_both: Callable[[], list[str]],
) -> None:
    """Their CRDs would be ahead of it, and nothing leads back from there."""
    _host(mesh.folder, "host0", "east", cluster, **EXTERNAL)
    _host(mesh.folder, "host1", "west", west, **CONFIG)
    cluster.apply(*_control_plane(namespace, "shop", "east"))
    changes_in_both()
    far = {"mesh_mode": "hosted", "mesh_control_plane_version": "1.31.1"}
    try:
        played = whole(mesh, cluster, charts, "--tags", "control_plane", **far)
        assert (played.rc, changes_in_both()) == (2, []), played.output
    finally:
        cluster.kubectl("delete", "deployment/istiod", "configmap/istio-sidecar-injector", "-n", namespace)
    assert "[skipped_minor]" in played.output
    assert "host1 is served by the control plane of host0, which has been refused or has failed" in played.output


def test_an_external_control_plane_waits_for_no_configuration_that_it_has_not_got(
    mesh: Runner, cluster: Cluster, west: Cluster, changes_in_both: Callable[[], list[str]]
) -> None:
    """The cluster of its configuration fails before it is joined: its istiod could not start."""
    _host(mesh.folder, "host0", "east", cluster, **EXTERNAL)
    _host(mesh.folder, "host1", "west", west, **CONFIG)
    hosted = {"mesh_mode": "hosted", "mesh_control_plane_version": ISTIO}
    fails = {"ansible.builtin.fail": {"msg": "it has failed"}, "when": "mesh_cluster_role == 'remote'"}
    plane = {"ansible.builtin.import_role": {"name": "service_mesh.istio.mesh_control_plane"}, "vars": hosted}
    tasks = [role("trust", **hosted), role("plan", **hosted), fails, role("register", **hosted), plane]
    played = mesh.run(*tasks, hosts=2)
    assert (played.rc, len(changes_in_both())) == (2, 2), "namespace and certificates"
    assert "host0 has its configuration from the cluster of host1, which has failed in this run" in played.output


def test_an_upgrade_begins_in_all_control_planes_or_in_none(
    mesh: Runner, cluster: Cluster, namespace: str, changes_in_both: Callable[[], list[str]]
) -> None:
    """What the second one refuses is found out before anything is remembered in the first one."""
    cluster.apply(*_control_plane(namespace, "shop", "east"))
    changes_in_both()
    path = str(ROOT / "playbooks" / "upgrade_start.yml")
    try:
        refused = mesh.run(arguments=(path, "-e", "mesh_upgrade_version=1.30.7"), hosts=2)
    finally:
        cluster.kubectl("delete", "deployment/istiod", "configmap/istio-sidecar-injector", "-n", namespace)
    assert (refused.rc, "fatal: [host0]" in refused.output) == (2, False), refused.output
    assert "[nothing_installed]" in refused.output
    assert not [line for line in changes_in_both() if "service-mesh-istio-upgrade" in line]


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
