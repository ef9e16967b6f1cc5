"""The node of a cluster: what containerd, the CNI plugins and the kubelet are told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from . import cgroups, host
from .addresses import Plan
from .layout import Cluster

PAUSE = "registry.k8s.io/pause:3.10"
MAX_PODS = 200
# Not needed, and the last one makes a folder in /opt.
DISABLED = (
    "snapshotter.v1.aufs",
    "snapshotter.v1.btrfs",
    "snapshotter.v1.devmapper",
    "snapshotter.v1.zfs",
    "internal.v1.opt",
)
CRI = "io.containerd.grpc.v1.cri"


def prepare(cluster: Cluster, plan: Plan) -> None:
    """The files that the node's programs read, and the control group of its containers."""
    for folder in ("containerd", "cni", "kubelet"):
        (cluster.folder / folder).mkdir()
    link_plugins(cluster)
    (cluster.folder / "containerd" / "config.toml").write_text(toml(containerd(cluster)))
    (cluster.folder / "cni" / "10-pods.conflist").write_text(json.dumps(cni(cluster, plan), indent=2))
    (cluster.folder / "kubelet.yaml").write_text(yaml.safe_dump(kubelet(cluster, plan)))
    cgroups.make(cgroups.root(cluster.bed.id, cluster.name))


def plugins(cluster: Cluster) -> Path:
    """Where containerd finds the programs of the Pod network; a node agent may put another one there."""
    return cluster.folder / "cni-plugins"


def link_plugins(cluster: Cluster) -> None:
    """The machine's own, in a folder of the cluster's."""
    plugins(cluster).mkdir()
    for program in host.cni_folder().iterdir():
        (plugins(cluster) / program.name).symlink_to(program)


def containerd(cluster: Cluster) -> dict[str, Any]:
    """Sections with dots in their names stay whole: TOML quotes them."""
    folder = cluster.folder / "containerd"
    return {
        "": {
            "version": 2,
            "root": str(folder / "root"),
            "state": str(folder / "state"),
            "disabled_plugins": [f"io.containerd.{name}" for name in DISABLED],
        },
        "grpc": {"address": str(folder / "c.sock")},
        "ttrpc": {"address": str(folder / "c.ttrpc")},
        # An unprivileged container engine may not lower a process' protection against the out-of-memory killer.
        f'plugins."{CRI}"': {"sandbox_image": PAUSE, "restrict_oom_score_adj": True},
        f'plugins."{CRI}".cni': {"bin_dir": str(plugins(cluster)), "conf_dir": str(cluster.folder / "cni")},
        f'plugins."{CRI}".containerd': {"snapshotter": "overlayfs"},
    }


def toml(sections: Mapping[str, Mapping[str, object]]) -> str:
    """Strings, numbers, booleans and lists of strings look the same in TOML and in JSON."""
    blocks = [
        "\n".join([f"[{name}]" if name else "", *(f"{key} = {json.dumps(value)}" for key, value in values.items())])
        for name, values in sections.items()
    ]
    return "\n".join(blocks) + "\n"


def cni(cluster: Cluster, plan: Plan) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": plan.pods, "rangeStart": plan.first_pod}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(cluster.folder / "cni" / "addresses"),
    }
    # A pair of interfaces and a route for each Pod. A bridge would need the machine to filter bridged traffic.
    pair = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [pair, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }


def kubelet(cluster: Cluster, plan: Plan) -> dict[str, Any]:
    """Requests decide what fits, not what the machine really has: several clusters share it."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": f"unix://{cluster.folder}/containerd/c.sock",
        "clusterDNS": [plan.dns],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "maxPods": MAX_PODS,
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups.root(cluster.bed.id, cluster.name),
        "enforceNodeAllocatable": [],
        # Only the API server and this machine's root reach the kubelet: it listens in the cluster's namespace.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "100Mi"},
        "imageGCHighThresholdPercent": 100,
        "serializeImagePulls": False,
        "podLogsDir": str(cluster.folder / "pods"),
        "volumePluginDir": str(cluster.folder / "kubelet" / "volume-plugins"),
        "nodeStatusUpdateFrequency": "5s",
    }
