"""Lane cluster: whole clusters with a node each, every one in its own namespaces, joined by a switch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from . import components, control_plane, forward, host, kubeconfig, namespaces, network, node, pki, processes
from .addresses import API_PORT, Plan, plans
from .components import Settings
from .control_plane import READY_WITHIN, Api
from .errors import BedError
from .layout import SOURCE, Bed, Cluster
from .parts import DEFAULT_ISTIO, cluster_images
from .processes import Argv, Child
from .progress import say
from .recipes import built

SWITCH = "switch"
NODE_WITHIN = 90.0
IMPORTED_WITHIN = 180.0
DNS_NAME = "kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Shape:
    """What `up` was asked for."""

    clusters: int = 1
    network: str = network.FLAT
    istio: tuple[str, ...] = (DEFAULT_ISTIO,)
    cni: bool = False
    cloud: bool = False

    def __post_init__(self) -> None:
        """Refuses a number without addresses before anything is built for it."""
        plans(self.clusters)

    @property
    def images(self) -> list[str]:
        return cluster_images(self.istio, cni=self.cni)


def require() -> None:
    """Everything that the machine must bring, looked at before anything starts."""
    host.require_root()
    host.require(host.NODE)


def up(bed: Bed, shape: Shape) -> None:
    """Starts all clusters at once; returns when every node is Ready and its DNS answers."""
    wanted = plans(shape.clusters)
    bed.lane("cluster").mkdir(parents=True, mode=0o700)
    switch = namespaces.hold(bed, SWITCH)
    network.make_switch(switch)
    names = {"order": [plan.name for plan in wanted], "switch_netns": str(switch.net)}
    write_shape(
        bed, {"network": shape.network, "istio": list(shape.istio), "cni": shape.cni, "cloud": shape.cloud, **names}
    )
    each(partial(cluster_up, bed, shape, wanted), wanted)


def each(work: partial[None], wanted: Sequence[Plan]) -> None:
    """Side by side; the first trouble ends it."""
    with ThreadPoolExecutor(len(wanted)) as pool:
        for outcome in [pool.submit(work, plan) for plan in wanted]:
            outcome.result()


def cluster_up(bed: Bed, shape: Shape, wanted: Sequence[Plan], plan: Plan) -> None:
    cluster = bed.cluster("cluster", plan.name)
    settings = Settings("0.0.0.0", API_PORT, plan.node, plan.services)
    furnish(cluster, settings, plan)
    network.join(namespaces.of(bed, plan.name), namespaces.of(bed, SWITCH), plan)
    network.connect(namespaces.of(bed, plan.name), plan, [other for other in wanted if other != plan], shape.network)
    port = expose(cluster, plan)
    children, imports = start_stores(cluster, settings, shape.images)
    api = Api(cluster, "127.0.0.1", port)
    api.wait_ready(children)
    children += start_workers(cluster, settings, plan, shape)
    if shape.cloud:
        appoint_node(cluster, api, plan, children)
    install_dns(cluster, plan)
    wait_node(api, plan, children)
    processes.wait_until(partial(finished, imports), "the images are imported", IMPORTED_WITHIN)
    wait_dns(cluster, plan)
    say(f"cluster {plan.name} is up at https://127.0.0.1:{port}")


def furnish(cluster: Cluster, settings: Settings, plan: Plan) -> None:
    identities = [pki.CONTROLLERS, pki.SCHEDULER, pki.PROXY, pki.kubelet(plan.node_name)]
    control_plane.prepare(cluster, settings, ["127.0.0.1", plan.node, plan.api], identities)
    node.prepare(cluster, plan)
    namespaces.hold(cluster.bed, cluster.name)


def expose(cluster: Cluster, plan: Plan) -> int:
    """The host's way to the API server, and what names it."""
    port = forward.ensure(cluster, plan.node, API_PORT)
    server = f"https://127.0.0.1:{port}"
    kubeconfig.write(cluster.kubeconfig, cluster.name, server, cluster.pki, pki.ADMIN.file)
    addresses = {name: getattr(plan, name) for name in ("gateway", "pods", "services", "dns", "node_name")}
    node_server = f"https://{plan.node}:{API_PORT}"
    control_plane.record(
        cluster, {"server": server, "node_server": node_server, "node_address": plan.node, **addresses}
    )
    return port


def start_stores(cluster: Cluster, settings: Settings, images: Sequence[str]) -> tuple[list[Child], list[Child]]:
    """What holds state; images are imported while the API server starts."""
    bin = built(cluster.bed, "kube") / "bin"
    containerd = control_plane.start(cluster, "containerd", components.containerd(host.find("containerd")))
    children = [
        containerd,
        control_plane.start(cluster, "etcd", components.etcd(bin)),
        control_plane.start(cluster, "kube-apiserver", components.apiserver(bin, settings)),
    ]
    socket = cluster.folder / "containerd" / "c.sock"
    processes.wait_until(socket.is_socket, "containerd listens", READY_WITHIN, [containerd])
    return children, import_images(cluster, images)


def import_images(cluster: Cluster, images: Sequence[str]) -> list[Child]:
    ctr: Argv = [
        host.find("ctr"),
        "--address",
        cluster.folder / "containerd" / "c.sock",
        "--namespace",
        "k8s.io",
        "images",
        "import",
    ]
    archives = {image: built(cluster.bed, image) / "image.tar" for image in images}
    return [control_plane.start(cluster, f"import-{image}", [*ctr, archive]) for image, archive in archives.items()]


def finished(imports: Sequence[Child]) -> bool:
    """Whether all have ended well; one that did not is an error."""
    codes = [child.process.poll() for child in imports]
    for child, code in zip(imports, codes, strict=True):
        if code:
            child.check()
    return None not in codes


def start_workers(cluster: Cluster, settings: Settings, plan: Plan, shape: Shape) -> list[Child]:
    bin = built(cluster.bed, "kube") / "bin"
    kubelet = components.kubelet(bin, cluster.folder / "kubelet", plan, cloud=shape.cloud)
    return [
        control_plane.start(cluster, "kube-controller-manager", components.controller_manager(bin, settings)),
        control_plane.start(cluster, "kube-scheduler", components.scheduler(bin)),
        control_plane.start(cluster, "kubelet", kubelet),
        control_plane.start(cluster, "kube-proxy", components.proxy(bin, plan)),
    ]


def kubectl(cluster: Cluster, *arguments: str, what: str, stdin: str = "") -> None:
    program = [str(built(cluster.bed, "kube") / "bin" / "kubectl"), "--kubeconfig", str(cluster.kubeconfig)]
    argv = [*program, "--cache-dir", str(cluster.kubectl_cache), *arguments]
    result = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
    if result.returncode:
        raise BedError(f"{what} in {cluster.name}:\n{result.stderr}")


def appoint_node(cluster: Cluster, api: Api, plan: Plan, children: Sequence[Child]) -> None:
    """What a cloud's controller does to a new node: it says its addresses, and lets Pods in."""
    path = f"/api/v1/nodes/{plan.node_name}"
    registered = partial(is_there, api, path)
    processes.wait_until(registered, f"node {plan.node_name} is registered", NODE_WITHIN, children)
    found = {"Hostname": plan.node_name, "InternalIP": plan.node, "ExternalIP": plan.gateway}
    status = {"status": {"addresses": [{"type": key, "address": value} for key, value in found.items()]}}
    patch = ("patch", "node", plan.node_name, "-p", json.dumps(status), "--subresource=status")
    kubectl(cluster, *patch, what="The node gets no addresses")
    taint = ("taint", "node", plan.node_name, "node.cloudprovider.kubernetes.io/uninitialized-")
    kubectl(cluster, *taint, what="The node takes no Pods")


def is_there(api: Api, path: str) -> bool:
    return api.get(path)[0] == 200


def install_dns(cluster: Cluster, plan: Plan) -> None:
    manifest = (SOURCE / "manifests" / "coredns.yaml").read_text().replace("${DNS}", plan.dns)
    apply = ("apply", "--server-side", "--field-manager=testbed", "-f", "-")
    kubectl(cluster, *apply, what="CoreDNS could not be installed", stdin=manifest)


def wait_node(api: Api, plan: Plan, children: Sequence[Child]) -> None:
    def ready() -> bool:
        status, body = api.get(f"/api/v1/nodes/{plan.node_name}")
        conditions = json.loads(body).get("status", {}).get("conditions", []) if status == 200 else []
        return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)

    processes.wait_until(ready, f"node {plan.node_name} is Ready", NODE_WITHIN, children)


def wait_dns(cluster: Cluster, plan: Plan) -> None:
    """A real question to the service's address, so that kube-proxy, the Pod network and CoreDNS are all proved."""
    space = namespaces.of(cluster.bed, cluster.name)
    argv = [*space.network, sys.executable, str(SOURCE / "testbed" / "dns.py"), plan.dns, DNS_NAME, str(NODE_WITHIN)]
    if subprocess.run(argv, check=False).returncode:
        raise BedError(
            f"DNS of {cluster.name} at {plan.dns} does not know {DNS_NAME} after {NODE_WITHIN:.0f} s; "
            "its Pod's troubles are in: bed logs --lane cluster kubelet"
        )


def add_images(bed: Bed, shape: Shape) -> None:
    """Images of more versions, or those of the node agent too, for clusters that run."""
    has = recorded(bed)
    whole = replace(has, istio=tuple(dict.fromkeys((*has.istio, *shape.istio))), cni=has.cni or shape.cni)
    images = [image for image in whole.images if image not in has.images]
    for cluster in bed.clusters("cluster"):
        imports = import_images(cluster, images)
        processes.wait_until(partial(finished, imports), "the images are imported", IMPORTED_WITHIN)
    record = json.loads(shape_file(bed).read_text())
    write_shape(bed, {**record, "istio": list(whole.istio), "cni": whole.cni})


def recorded(bed: Bed) -> Shape:
    """The shape that the lane was started with; the smallest when that was never written."""
    if not shape_file(bed).exists():
        return Shape()
    record = json.loads(shape_file(bed).read_text())
    return Shape(len(record["order"]), record["network"], tuple(record["istio"]), record["cni"], record["cloud"])


def write_shape(bed: Bed, record: dict[str, object]) -> None:
    shape_file(bed).write_text(json.dumps(record, indent=2))


def shape_file(bed: Bed) -> Path:
    return bed.lane("cluster") / "shape.json"
