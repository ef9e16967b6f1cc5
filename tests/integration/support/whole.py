"""A cluster with nodes whose mesh carries traffic, and what is played on it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import yaml

from . import bed
from .bed import ROOT, Cluster
from .operations import Operations
from .playbook import Played, Runner

IMAGE = "docker.io/library/httpapp:1"


def values(name: str) -> dict[str, Any]:
    """What the bed's vanilla Envoy and its two cores need of a chart."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "tests/testbed/values" / f"{name}.yaml").read_text("utf-8"))
    return found


def charts(version: str) -> dict[str, str]:
    part = f"charts-{version}"
    return {"directory": str(bed.parts(part)[part])}


@dataclass(frozen=True)
class Whole:
    """The cluster, asked by operations or by playbooks of a user."""

    cluster: Cluster
    operations: Operations

    def install(self, version: str, **more: Any) -> None:
        """A control plane of that version."""
        common = {"version": version, "charts": charts(version), "helm_binary": str(self.cluster.bin / "helm")}
        self.operations.run("control_plane", {**common, "values": {"istiod": values("istiod")}, **more})

    def play(self, runner: Runner, playbook: str, version: str, **more: Any) -> Played:
        """A playbook that succeeds."""
        played = self.attempt(runner, playbook, version, **more)
        assert played.rc == 0, played.output
        return played

    def attempt(self, runner: Runner, playbook: str, version: str, **more: Any) -> Played:
        """One that may fail."""
        variables = {
            "mesh_kubeconfig": self.cluster.kubeconfig,
            "mesh_cluster_name": "Kubernetes",
            "mesh_control_plane_version": version,
            "mesh_control_plane_values": {"istiod": values("istiod")},
            "mesh_control_plane_helm_binary": str(self.cluster.bin / "helm"),
            "mesh_control_plane_charts": charts(version),
            "mesh_control_plane_ignore_prechecks": ["withdrawn_version"],
            **more,
        }
        inventory = runner.folder / "group_vars" / "all.yml"
        inventory.parent.mkdir(exist_ok=True)
        inventory.write_text(yaml.safe_dump(variables), encoding="utf-8")
        return runner.run(arguments=(str(ROOT / "playbooks" / f"{playbook}.yml"),))

    def proxies(self) -> set[str]:
        """The versions of all proxies that stay."""
        return {
            container["image"].rpartition(":")[2]
            for pod in self.cluster.objects("pods")
            if not pod["metadata"].get("deletionTimestamp")
            for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
            if container["name"] == "istio-proxy"
        }

    def await_workloads(self, namespaces: Collection[str], seconds: int = 120) -> None:
        for name in namespaces:
            wanted = ("--for=condition=Available", f"--timeout={seconds}s", "deployment", "--all")
            self.cluster.kubectl("wait", *wanted, "-n", name)


# Where a hundred Pods share two cores, one late answer does not mean that a Pod is not ready.
_PATIENT = {"periodSeconds": 1, "timeoutSeconds": 5, "failureThreshold": 5}
_READY = {"httpGet": {"path": "/", "port": "http"}, **_PATIENT}


def workload(name: str, namespace: str, replicas: int, *arguments: str) -> dict[str, Any]:
    """Replaced gracefully: the new Pod is ready before the old one goes, and that one ends its requests."""
    container = {
        "name": name,
        "image": IMAGE,
        "args": list(arguments),
        "ports": [{"name": "http", "containerPort": 8080}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
        **({"readinessProbe": _READY} if replicas > 1 else {}),
        "resources": {"requests": {"cpu": "5m", "memory": "16Mi"}},
    }
    strategy = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "strategy": strategy, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def service(name: str, namespace: str) -> dict[str, Any]:
    """What leads to a workload of that name."""
    port = {"name": "http", "port": 80, "targetPort": "http"}
    metadata = {"name": name, "namespace": namespace}
    spec = {"selector": {"app": name}, "ports": [port]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def space(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
