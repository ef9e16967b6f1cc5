"""Real upgrades under constant traffic: in place, and by a second revision; and the way back.

The cluster is of a bed of its own, with the images of all versions (root needed). `make campaign NAME=upgrade` runs it;
the phases themselves are tried one by one in tests/integration/lives/test_upgrade_phases.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.support import bed
from integration.support.bed import ROOT, Cluster
from integration.support.operations import Operations
from integration.support.playbook import Played, Runner
from integration.support.traffic import Seen, under_traffic
from integration.support.watcher import Watcher, watched

FIRST, SECOND, THIRD = "1.28.3", "1.29.1", "1.31.0"
REVISION = "1-31-0"
IMAGE = "docker.io/library/httpapp:1"
GATEWAY = ("-host", "shop.example.com", "http://ingress.istio-ingress.svc.cluster.local")
CLIENTS = {"outside": GATEWAY, "web": ("http://shop.web.svc.cluster.local",)}


def values(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "tests/testbed/values" / f"{name}.yaml").read_text("utf-8"))
    return found


def charts(version: str) -> dict[str, str]:
    part = f"charts-{version}"
    return {"directory": str(bed.parts(part)[part])}


@dataclass(frozen=True)
class Whole:
    """A cluster with a mesh that carries traffic."""

    cluster: Cluster
    operations: Operations

    def play(self, runner: Runner, playbook: str, version: str, **more: Any) -> Played:
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
        played = runner.run(arguments=(str(ROOT / "playbooks" / f"{playbook}.yml"),))
        assert played.rc == 0, played.output
        return played

    def proxies(self) -> set[str]:
        pods = json.loads(self.cluster.kubectl("get", "pods", "-A", "-o", "json"))["items"]
        return {
            container["image"].rpartition(":")[2]
            for pod in pods
            if not pod["metadata"].get("deletionTimestamp")
            for container in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
            if container["name"] == "istio-proxy"
        }


def workload(name: str, namespace: str, replicas: int, *arguments: str) -> dict[str, Any]:
    """Replaced gracefully: the new Pod is ready before the old one goes, and that one ends its requests."""
    container = {
        "name": name,
        "image": IMAGE,
        "args": list(arguments),
        "ports": [{"name": "http", "containerPort": 8080}],
        "lifecycle": {"preStop": {"sleep": {"seconds": 10}}},
        **({"readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1}} if replicas > 1 else {}),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
    }
    strategy = {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "strategy": strategy, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def space(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Playbooks that name their cluster themselves."""
    return Runner(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("upgrade")
    versions = ",".join((FIRST, SECOND, THIRD))
    with bed.own_cluster("cluster", folder, "--istio", versions) as cluster:
        made = Whole(cluster, Operations({"kubeconfig": cluster.kubeconfig}))
        install(made)
        yield made


def install(made: Whole) -> None:
    common = {"version": FIRST, "charts": charts(FIRST), "helm_binary": str(made.cluster.bin / "helm")}
    made.operations.run("control_plane", {**common, "values": {"istiod": values("istiod")}})
    gateway = {"name": "ingress", "namespace": "istio-ingress", "values": values("gateway")}
    made.operations.run("gateway_deployment", {**common, **gateway})
    made.cluster.apply(space("web", **{"istio-injection": "enabled"}), space("outside"))
    port = {"name": "http", "port": 80, "targetPort": "http"}
    service = {"selector": {"app": "shop"}, "ports": [port]}
    made.cluster.apply(
        workload("shop", "web", 2),
        workload("client", "web", 1, "pause"),
        workload("client", "outside", 1, "pause"),
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "shop", "namespace": "web"}, "spec": service},
    )
    entry = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["shop.example.com"]}
    made.operations.run(
        "config",
        {
            "gateways": [{"name": "shop", "namespace": "web", "selector": {"istio": "ingress"}, "servers": [entry]}],
            "virtual_services": [
                {
                    "name": "shop",
                    "namespace": "web",
                    "hosts": ["shop.example.com"],
                    "gateways": ["shop"],
                    "http": [{"route": [{"destination": {"host": "shop"}}]}],
                }
            ],
        },
    )
    for name, namespace in (("shop", "web"), ("client", "web"), ("client", "outside")):
        made.cluster.kubectl("rollout", "status", f"deployment/{name}", "-n", namespace, "--timeout=120s")


def require_served(seen: Seen, watcher: Watcher) -> None:
    assert seen.failed == {}, seen.lines
    assert seen.statuses["200"] > 100
    assert watcher.dangling == {}


def test_in_place(whole: Whole, runner: Runner) -> None:
    to = {"mesh_upgrade_version": SECOND, "mesh_upgrade_charts": charts(SECOND)}
    with under_traffic(whole.cluster, CLIENTS) as seen, watched(whole.cluster) as watcher:
        whole.play(runner, "upgrade_start", FIRST, **to)
        whole.play(runner, "upgrade_shift", FIRST, mesh_upgrade_namespaces=["web"])
        whole.play(runner, "rollback", FIRST)
        assert whole.proxies() == {FIRST}
        whole.play(runner, "upgrade_start", FIRST, **to)
        whole.play(runner, "upgrade_shift", FIRST, mesh_upgrade_percentage=100)
        whole.play(runner, "upgrade_complete", FIRST)
    require_served(seen, watcher)
    assert whole.proxies() == {SECOND}


def test_by_revision(whole: Whole, runner: Runner) -> None:
    to = {
        "mesh_upgrade_strategy": "revision",
        "mesh_upgrade_version": THIRD,
        "mesh_upgrade_revision": REVISION,
        "mesh_upgrade_charts": charts(THIRD),
    }
    with under_traffic(whole.cluster, CLIENTS) as seen, watched(whole.cluster) as watcher:
        whole.play(runner, "upgrade_start", SECOND, **to)
        whole.play(runner, "upgrade_shift", SECOND, mesh_upgrade_tag="default")
        assert whole.proxies() == {THIRD}
        whole.play(runner, "rollback", SECOND)
        assert whole.proxies() == {SECOND}
        whole.play(runner, "upgrade_start", SECOND, **to)
        whole.play(runner, "upgrade_shift", SECOND, mesh_upgrade_tag="default")
        whole.play(runner, "upgrade_complete", SECOND)
    require_served(seen, watcher)
    mesh = whole.operations.run("mesh_info", {})["mesh"]
    assert (mesh["ready"], mesh["versions"]) == (True, [THIRD])
