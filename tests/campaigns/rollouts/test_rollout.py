"""A whole mesh moves to another revision in waves, while requests are answered and disruption budgets watched.

The cluster is of a bed of its own (root needed). `make campaign NAME=rollout` runs it. ROLLOUT_SIZE says how large it
is: namespaces, workloads in each, and replicas of each.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from campaigns.upgrades.test_upgrades import Whole, charts, space, values, workload
from integration.support import bed
from integration.support.operations import Operations
from integration.support.playbook import Runner
from integration.support.rest import Rest
from integration.support.traffic import under_traffic

OLDER, NEWER = "1.29.1", "1.31.0"
NAMESPACES, WORKLOADS, REPLICAS = (int(part) for part in os.environ.get("ROLLOUT_SIZE", "12x3x3").split("x"))
SPACES = [f"team-{number}" for number in range(NAMESPACES)]
NAMES = [f"app-{number}" for number in range(WORKLOADS)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    folder = tmp_path_factory.mktemp("rollout")
    with bed.own_cluster("cluster", folder, "--istio", f"{OLDER},{NEWER}") as cluster:
        made = Whole(cluster, Operations({"kubeconfig": cluster.kubeconfig}))
        install(made)
        yield made


def install(made: Whole) -> None:
    common = {"version": OLDER, "charts": charts(OLDER), "helm_binary": str(made.cluster.bin / "helm")}
    made.operations.run("control_plane", {**common, "revision": "1-29-1", "values": {"istiod": values("istiod")}})
    for name in SPACES:
        made.cluster.apply(space(name, **{"istio.io/rev": "1-29-1"}), *(of_space(name)))
    made.cluster.apply(space("outside"), workload("client", "outside", 1, "pause"))
    for name in SPACES:
        for app in NAMES:
            made.cluster.kubectl("rollout", "status", f"deployment/{app}", "-n", name, "--timeout=600s")
    made.cluster.kubectl("rollout", "status", "deployment/client", "-n", "outside", "--timeout=600s")


def of_space(name: str) -> list[dict[str, Any]]:
    """Graceful workloads, each with a Service and a budget that lets one Pod be away."""
    made: list[dict[str, Any]] = []
    for app in NAMES:
        selector, metadata = {"app": app}, {"name": app, "namespace": name}
        port = {"name": "http", "port": 80, "targetPort": "http"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": metadata}
        budget = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata}
        made += [
            workload(app, name, REPLICAS),
            {**service, "spec": {"selector": selector, "ports": [port]}},
            {**budget, "spec": {"selector": {"matchLabels": selector}, "minAvailable": REPLICAS - 1}},
        ]
    return made


@contextmanager
def budgets_watched(made: Whole) -> Iterator[list[str]]:
    """Every moment in which fewer Pods were healthy than a budget asks for."""
    rest, over, violated = Rest.of(made.cluster), threading.Event(), []

    def look() -> None:
        while not over.wait(0.2):
            for found in rest.items("/apis/policy/v1/poddisruptionbudgets"):
                status, place = found.get("status", {}), f"{found['metadata']['namespace']}/{found['metadata']['name']}"
                if status.get("currentHealthy", 0) < status.get("desiredHealthy", 0):
                    violated.append(f"{place}: {status['currentHealthy']} of {status['desiredHealthy']}")

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield violated
    finally:
        over.set()
        thread.join()


def test_a_mesh_moves_in_waves(whole: Whole, tmp_path: Path) -> None:
    to = {
        "mesh_upgrade_strategy": "revision",
        "mesh_upgrade_version": NEWER,
        "mesh_upgrade_revision": "1-31-0",
        "mesh_upgrade_charts": charts(NEWER),
        "mesh_control_plane_revision": "1-29-1",
        "mesh_upgrade_waves": [
            {"name": "canary", "namespaces": SPACES[:1]},
            {"name": "half", "percentage": 50},
            {"name": "rest"},
        ],
        "mesh_upgrade_take_ownership_from": ["kubectl"],
        "mesh_upgrade_wait_timeout": 900.0,
        "mesh_rollout_max_parallel": 2,
    }
    runner = Runner(tmp_path)
    clients = {"outside": (f"http://{NAMES[0]}.{SPACES[0]}.svc.cluster.local",)}
    whole.play(runner, "upgrade_start", OLDER, **to)
    with under_traffic(whole.cluster, clients) as seen, budgets_watched(whole) as violated:
        moved = whole.play(runner, "upgrade_shift", OLDER, mesh_upgrade_percentage=100, **to)
    assert (seen.failed, violated) == ({}, []), seen.lines
    assert whole.proxies() == {NEWER}
    assert sum(wave["count"] for wave in moved.last.data["rollout"]["waves"]) == NAMESPACES * WORKLOADS
    again = whole.play(runner, "upgrade_shift", OLDER, mesh_upgrade_percentage=100, **to)
    assert not any(result.changed for result in again.results)
