"""One mesh of several real clusters, from an inventory, by the playbooks of a user."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import uuid
from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .audit import Audit
from .bed import ISTIO, ROOT, Cluster, Several
from .playbook import Played, Runner
from .traffic import Seen, under_traffic
from .whole import charts, values

HOST = "shop.shop.svc.cluster.local"
SHOP = f"http://{HOST}"
IMAGE = "docker.io/library/httpapp:1"
CLUSTER = "{{ mesh_cluster_name }}"
_EAST_WEST = {"name": "eastwest", "namespace": "istio-eastwest", "type": "eastwest"}


@dataclass(frozen=True)
class Meshes:
    """Clusters that become a mesh: the inventory hosts host0, host1 and so on, by their order."""

    several: Several
    runner: Runner

    @property
    def clusters(self) -> Mapping[str, Cluster]:
        return self.several.clusters

    def describe(self, shared: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]]) -> None:
        """The inventory: what all have in common, and what each has of its own."""
        self._write("group_vars/all.yml", shared)
        for number, name in enumerate(self.clusters):
            cluster = self.clusters[name]
            own = {"mesh_cluster_name": name, "mesh_kubeconfig": cluster.kubeconfig_node, "door": cluster.gateway}
            self._write(f"host_vars/host{number}.yml", {**own, **hosts.get(name, {})})

    def play(self, playbook: str, *arguments: str) -> Played:
        path = str(ROOT / "playbooks" / f"{playbook}.yml")
        return self.runner.run(arguments=(path, *arguments), hosts=len(self.clusters))

    def deploy(self, name: str) -> None:
        """The application, where the mesh's own configuration does not bring it: in a remote cluster."""
        objects = json.loads(json.dumps([*_workloads(), _service()]).replace(CLUSTER, name))
        self.clusters[name].apply(*objects)

    def await_application(self, names: Iterable[str]) -> None:
        """Until it runs in these clusters."""
        wanted = ("--for=condition=Available", "--timeout=60s", "deployment", "--all", "-n", "shop")
        for name in names:
            self.clusters[name].kubectl("wait", *wanted)

    def answers(self, name: str, url: str = SHOP, count: int = 40) -> Counter[str]:
        """Who answers the client of a cluster: requests by the cluster of the Pod that has answered, or by error."""
        asked = ("exec", "-n", "shop", "deployment/client", "-c", "client", "--", "httpapp", "get", "-json")
        found = json.loads(self.clusters[name].kubectl(*asked, "-n", str(count), url))
        return Counter(found["versions"]) + Counter(found["errors"])

    def answered_by(self, name: str, wanted: set[str], url: str = SHOP, within: float = 30.0) -> Counter[str]:
        """The same, once exactly these answer: what istiod tells its proxies takes its time."""
        until = time.monotonic() + within
        while (found := self.answers(name, url)).keys() != wanted and time.monotonic() < until:
            time.sleep(0.5)
        return found

    def read_by(self, name: str) -> dict[str, str]:
        """Which clusters the istiod of a cluster reads, and how that goes, by Istio's own tool."""
        # NAME, SECRET (none for its own cluster), STATUS, ISTIOD
        return {row.split()[0]: row.split()[-2] for row in self._istioctl(name, "remote-clusters")}

    def tokens(self) -> set[tuple[str, str]]:
        """By which tokens the clusters are read: the cluster that accepts it, and the token."""
        lists = [cluster.objects("secrets", labels="istio/multiCluster=true") for cluster in self.clusters.values()]
        files = [(name, file) for secrets in lists for one in secrets for name, file in one["data"].items()]
        read = {(name, yaml.safe_load(b64decode(file))["users"][0]["user"]["token"]) for name, file in files}
        return read | {told for cluster in self.clusters.values() for told in _mounted(cluster)}

    def configuration_arrives(self, name: str, within: float = 30.0) -> bool:
        """Whether what is written in a cluster from now on comes to its client."""
        cluster, host = self.clusters[name], f"{uuid.uuid4().hex[:8]}.example"
        ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
        spec = {"hosts": [host], "ports": ports, "resolution": "NONE"}
        entry = {"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "spec": spec}
        cluster.apply({**entry, "metadata": {"name": host, "namespace": "shop"}})
        asked = ("proxy-config", "cluster", "deployment/client", "-n", "shop", "--fqdn", host)
        until = time.monotonic() + within
        while not (rows := self._istioctl(name, *asked)) and time.monotonic() < until:
            time.sleep(0.5)
        cluster.kubectl("delete", "serviceentry", host, "-n", "shop")
        return bool(rows)

    def refuses(self, name: str, token: str, within: float = 15.0) -> bool:
        """Whether a cluster does not know a token, once it has forgotten that it did: that takes ten seconds."""
        cluster, until = self.clusters[name], time.monotonic() + within
        argv = [str(cluster.bin / "kubectl"), "--kubeconfig", os.devnull, "--server", cluster.server]
        argv += ["--certificate-authority", cluster.ca_file, "--token", token, "get", "--raw", "/api"]
        while "Unauthorized" not in (told := subprocess.run(argv, capture_output=True, text=True).stderr):
            if time.monotonic() > until:
                assert not told, told
                return False
            time.sleep(0.5)
        return True

    def endpoints(self, name: str) -> set[str]:
        """Where the client of a cluster sends its requests, by Istio's own tool."""
        asked = ("proxy-config", "endpoint", "deployment/client", "-n", "shop", "--cluster", f"outbound|80||{HOST}")
        return {row.split()[0] for row in self._istioctl(name, *asked)}

    def _istioctl(self, name: str, *arguments: str) -> list[str]:
        """The rows of the table that it prints, without the head; it asks Pods of istiod that are ending, too."""
        cluster, until = self.clusters[name], time.monotonic() + 30
        argv = [str(cluster.bin / "istioctl"), "--kubeconfig", cluster.kubeconfig, *arguments]
        while (ran := subprocess.run(argv, capture_output=True, text=True)).returncode:
            assert time.monotonic() < until, ran.stderr
            time.sleep(0.5)
        return ran.stdout.splitlines()[1:]

    def node_port(self, name: str) -> int:
        """The port of a cluster's nodes that leads to its door."""
        ports = self.clusters[name].get("service", _EAST_WEST["name"], _EAST_WEST["namespace"])["spec"]["ports"]
        (found,) = (port["nodePort"] for port in ports if port["port"] == 15443)
        return int(found)

    @contextmanager
    def only_in(self, name: str, clients: Iterable[str]) -> Iterator[str]:
        """The URL of a Service that has Pods in one cluster only, and is known to the clients of some."""
        clusters = [self.clusters[client] for client in clients]
        service = json.loads(json.dumps(_service("elsewhere", cluster=CLUSTER)).replace(CLUSTER, name))
        for cluster in clusters:
            cluster.apply(service)
        yield "http://elsewhere.shop.svc.cluster.local"
        for cluster in clusters:
            cluster.rest.send("DELETE", "/api/v1/namespaces/shop/services/elsewhere")

    @contextmanager
    def under_traffic(self, *names: str, urls: Sequence[str] = (SHOP,)) -> Iterator[Mapping[str, Seen]]:
        """Every client asks, all the time, or those of some clusters."""
        with ExitStack() as stack:
            clients = {"shop": urls}
            asked = names or tuple(self.clusters)
            yield {name: stack.enter_context(under_traffic(self.clusters[name], clients)) for name in asked}

    def switch_off(self, name: str, others: Iterable[str], doors: bool) -> None:
        """The application of a cluster runs on without sidecars, and clients of the others know it."""
        cluster = self.clusters[name]
        cluster.label("shop", {"istio-injection": None})
        cluster.kubectl("rollout", "restart", "deployment", "-n", "shop")
        for workload in ("client", "shop"):
            cluster.kubectl("rollout", "status", f"deployment/{workload}", "-n", "shop", "--timeout=60s")
        until, others = time.monotonic() + 30, set(others)
        wanted = self._through_doors if doors else self._everywhere
        while any(self.endpoints(other) != wanted(other, others) for other in others):
            assert time.monotonic() < until, "istiod tells no client of the new Pods"
            time.sleep(0.5)

    def _everywhere(self, _client: str, _inside: set[str]) -> set[str]:
        """Where the application answers on a flat network, with or without a sidecar."""
        return {address for name in self.clusters for address in self._pods(name)}

    def _through_doors(self, client: str, inside: set[str]) -> set[str]:
        """The same on networks of their own, where nobody but a sidecar takes what comes through a door."""
        return self._pods(client) | {f"{self.clusters[name].gateway}:15443" for name in inside - {client}}

    def _pods(self, name: str) -> set[str]:
        pods = self.clusters[name].objects("pods", "shop", "app=shop")
        return {f"{pod['status']['podIP']}:8080" for pod in pods}

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        path = self.runner.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(dict(content)), encoding="utf-8")


def _mounted(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """The token of a file by which the external control plane that runs in a cluster has its configuration."""
    for secret in cluster.objects("secrets"):
        if secret["metadata"]["name"] == "istio-kubeconfig":
            config = yaml.safe_load(b64decode(secret["data"]["config"]))
            yield config["current-context"], b64decode(secret["data"]["token"]).decode()


@contextmanager
def cloud(clusters: Mapping[str, Cluster]) -> Iterator[None]:
    """Gives each Service of type LoadBalancer its cluster's address for gateways, as a cloud does."""
    over = threading.Event()
    threads = [threading.Thread(target=_give_addresses, args=(one, over)) for one in clusters.values()]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _give_addresses(cluster: Cluster, over: threading.Event) -> None:
    """Until the cluster is over, or is none any more."""
    with suppress(AssertionError):
        _give(cluster, over)


def _give(cluster: Cluster, over: threading.Event) -> None:
    while not over.wait(0.5):
        for service in cluster.objects("services"):
            metadata, told = service["metadata"], service["status"]["loadBalancer"].get("ingress")
            if service["spec"]["type"] == "LoadBalancer" and not told:
                status = {"loadBalancer": {"ingress": [{"ip": cluster.gateway}]}}
                cluster.status("service", metadata["name"], metadata["namespace"], status)


class Changes:
    """What we have persisted in all clusters since the last look."""

    def __init__(self, clusters: Mapping[str, Cluster]) -> None:
        self._clusters = clusters
        self._audits = {name: Audit(Path(one.audit_log)) for name, one in clusters.items()}
        self._marks = {name: audit.mark() for name, audit in self._audits.items()}

    def created(self) -> dict[str, set[str]]:
        """What of it was not there before, by cluster: kind, namespace and name. To be asked before the next look."""
        found = {name: audit.created(self._marks[name]) for name, audit in self._audits.items()}
        return {name: {self._told(name, *one) for one in objects} for name, objects in found.items()}

    def _told(self, cluster: str, resource: str, namespace: str, name: str) -> str:
        """As a plan says it; of a Namespace the audit log says that it is in itself."""
        known = self._clusters[cluster].rest.resource(resource)
        return f"{known.kind} {namespace if known.namespaced else ''}/{name}"

    def since(self) -> list[str]:
        found = [
            f"{name}: {words}" for name, audit in self._audits.items() for words in audit.persisted(self._marks[name])
        ]
        self._marks = {name: audit.mark() for name, audit in self._audits.items()}
        return found


def shared(folder: Path, several: Several) -> dict[str, Any]:
    """What the clusters of a mesh have in common: trust, the bed's Istio, and an application that says where it is."""
    any_cluster = next(iter(several.clusters.values()))
    return {
        "mesh_name": "shop",
        "mesh_clusters_join": True,
        "mesh_clusters_root_file": str(folder / "root.pem"),
        "mesh_control_plane_version": ISTIO,
        "mesh_control_plane_values": {"istiod": values("istiod")},
        "mesh_control_plane_helm_binary": str(any_cluster.bin / "helm"),
        "mesh_control_plane_charts": charts(ISTIO),
        "mesh_injection_namespaces": [{"name": "shop", "create": True}],
        "mesh_config_objects": [*_workloads(), _service()],
        "mesh_config_peer_authentications": [{"name": "strict", "namespace": "shop", "mtls": {"mode": "STRICT"}}],
    }


def east_west() -> dict[str, Any]:
    """The door of a network, on clusters whose load balancers are nobody but `cloud`."""
    service = {"type": "LoadBalancer", "allocateLoadBalancerNodePorts": False}
    return {"mesh_gateways_instances": [_EAST_WEST], "mesh_gateways_values": {**values("gateway"), "service": service}}


def external_door() -> dict[str, Any]:
    """The same of an external control plane."""
    return {"mesh_clusters_istiod_service": {"spec": {"allocateLoadBalancerNodePorts": False}}}


# Clusters on networks of their own: each network has the name of its cluster, and a door.
NETS = {"mesh_network": CLUSTER, **east_west()}
# The same where Kubernetes knows no address of the doors: a router leads to them, by a port of its own.
ROUTER_PORT = 16443
GIVEN = {
    **NETS,
    "mesh_gateways_instances": [{**_EAST_WEST, "service": {"type": "ClusterIP"}}],
    "mesh_gateways_values": values("gateway"),
    "mesh_clusters_gateway_addresses": [{"address": "{{ door }}", "port": ROUTER_PORT}],
}


# The same by a port of the nodes, whose addresses a cloud knows. Kubernetes chooses the port.
NODE_PORTS = {
    **NETS,
    "mesh_gateways_instances": [
        {
            **_EAST_WEST,
            "service": {
                "type": "NodePort",
                "annotations": {"traffic.istio.io/nodeSelector": '{"kubernetes.io/os": "linux"}'},
            },
        }
    ],
    "mesh_gateways_values": values("gateway"),
}


def route_in(clusters: Iterable[Cluster]) -> None:
    """What leads from a cluster's address to its door, which nobody has told Istio of."""
    ports = [{"name": "any", "port": ROUTER_PORT, "targetPort": 15443}]
    for cluster in clusters:
        metadata = {"name": "router", "namespace": _EAST_WEST["namespace"]}
        spec = {"selector": {"istio": "eastwest"}, "ports": ports, "externalIPs": [cluster.gateway]}
        cluster.apply(
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": metadata["namespace"]}},
            {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec},
        )


def _workloads() -> Iterator[dict[str, Any]]:
    yield _workload("shop", readinessProbe={"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1})
    yield _workload("client", args=["pause"])


def _workload(name: str, **container: Any) -> dict[str, Any]:
    labels = {"app": name, "cluster": CLUSTER}
    own = {
        "name": name,
        "image": IMAGE,
        "env": [{"name": "VERSION", "value": CLUSTER}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        **container,
    }
    template = {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 1, "containers": [own]}}
    spec = {"selector": {"matchLabels": {"app": name}}, "template": template}
    metadata = {"name": name, "namespace": "shop"}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def _service(name: str = "shop", **more: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}]
    metadata = {"name": name, "namespace": "shop"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"selector": {"app": "shop", **more}, "ports": ports},
    }
