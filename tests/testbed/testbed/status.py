"""What runs, where it is reached, and where its files lie: for people, for programs, and as lines for a shell."""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

from . import processes
from .errors import BedError
from .layout import LANES, Bed, Cluster

EXTERNAL = "TESTBED_KUBECONFIG"
# Without these a cluster does not count as up.
VITAL = {
    "api": ("etcd", "kube-apiserver", "kube-controller-manager"),
    "cluster": (
        "etcd",
        "kube-apiserver",
        "kube-controller-manager",
        "kube-scheduler",
        "kubelet",
        "kube-proxy",
        "containerd",
        "forward-6443",
    ),
}


def external() -> str | None:
    """The kubeconfig of a cluster that the bed is told to use instead of its own."""
    return os.environ.get(EXTERNAL) or None


def collect(bed: Bed) -> dict[str, Any]:
    """The whole of it, as `status --json` prints it."""
    tools = {"id": bed.id, "bin": str(bed.bin), "charts": str(bed.charts)}
    if kubeconfig := external():
        return {**tools, "external": True, "kubeconfig": kubeconfig, "lanes": {}}
    return {**tools, "external": False, "lanes": {lane: lane_status(bed, lane) for lane in LANES}}


def lane_status(bed: Bed, lane: str) -> dict[str, Any]:
    clusters = {cluster.name: cluster_status(cluster) for cluster in bed.clusters(lane)}
    shape = bed.lane(lane) / "shape.json"
    return {
        "up": bool(clusters) and all(not found["missing"] for found in clusters.values()),
        **(json.loads(shape.read_text()) if shape.exists() else {}),
        "clusters": clusters,
    }


def cluster_status(cluster: Cluster) -> dict[str, Any]:
    running = processes.components(cluster.mark)
    return {
        **json.loads(cluster.record.read_text()),
        "kubeconfig": str(cluster.kubeconfig),
        "kubeconfig_node": str(cluster.kubeconfig_node),
        "ca_file": str(cluster.pki / "ca.crt"),
        "ca_key_file": str(cluster.pki / "ca.key"),
        "client_certificate_file": str(cluster.pki / "admin.crt"),
        "client_key_file": str(cluster.pki / "admin.key"),
        "token_file": str(cluster.token_file),
        "audit_log": str(cluster.audit_log),
        "kubectl_cache": str(cluster.kubectl_cache),
        "logs": str(cluster.folder / "logs"),
        "netns": str(cluster.netns) if cluster.netns.exists() else "",
        "bin": str(cluster.bed.bin),
        "charts": str(cluster.bed.charts),
        "components": running,
        "missing": [name for name in VITAL[cluster.lane] if name not in running],
    }


def text(state: dict[str, Any]) -> str:
    """For people."""
    if state["external"]:
        return f"external cluster: {state['kubeconfig']} ({EXTERNAL} is set)"
    lines = []
    for lane, found in state["lanes"].items():
        lines.append(f"lane {lane}: {'up' if found['up'] else 'incomplete' if found['clusters'] else 'down'}")
        for name, cluster in found["clusters"].items():
            trouble = f", missing: {', '.join(cluster['missing'])}" if cluster["missing"] else ""
            lines.append(f"  {name}: {cluster['server']}{trouble}\n    KUBECONFIG={cluster['kubeconfig']}")
    return "\n".join(lines)


def exports(bed: Bed, lane: str | None, cluster: str | None) -> str:
    """Lines for `eval "$(bed env)"`."""
    values = {"TESTBED_BIN": str(bed.bin), "TESTBED_CHARTS": str(bed.charts), **reach(bed, lane, cluster)}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in values.items()]
    return "\n".join([*lines, f'export PATH={shlex.quote(str(bed.bin))}:"$PATH"'])


def reach(bed: Bed, lane: str | None, cluster: str | None) -> dict[str, str]:
    """What leads kubectl and others to the cluster."""
    if kubeconfig := external():
        return {"KUBECONFIG": kubeconfig}
    found = pick(collect(bed), lane, cluster)
    return {"KUBECONFIG": found["kubeconfig"], "KUBECACHEDIR": found["kubectl_cache"]}


def pick(state: dict[str, Any], lane: str | None, cluster: str | None) -> dict[str, Any]:
    """The cluster that is meant: the named one, else the first of lane cluster when that is up, else lane api's."""
    lanes = (
        [lane] if lane else sorted((name for name, found in state["lanes"].items() if found["clusters"]), reverse=True)
    )
    for name in lanes:
        clusters = state["lanes"][name]["clusters"]
        first = next(iter(state["lanes"][name].get("order", clusters)), None)
        if (wanted := cluster or first) in clusters:
            found: dict[str, Any] = clusters[wanted]
            return found
    raise BedError(
        f"no cluster {cluster or ''} runs in lane {lane or 'api or cluster'}; start one: bed up --lane {lane or 'api'}"
    )
