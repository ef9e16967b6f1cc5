"""A mesh of so many namespaces, workloads and replicas that is to move to another revision while it answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import bed
from .operations import Operations
from .traffic import Seen, under_traffic
from .watcher import followed
from .whole import Whole, charts, service, space, workload

OLDER, NEWER = "1.29.1", "1.31.0"
OLD_REVISION, NEW_REVISION = "1-29-1", "1-31-0"
VISITORS = "visitors"
_BUDGETS = "/apis/policy/v1/poddisruptionbudgets"


@dataclass(frozen=True)
class Moving:
    """Graceful workloads, each with a Service and a budget that lets one Pod be away, and somebody who asks them."""

    whole: Whole
    spaces: tuple[str, ...]
    names: tuple[str, ...]
    replicas: int

    @property
    def workloads(self) -> int:
        return len(self.spaces) * len(self.names)

    def upgrade(self, waves: list[dict[str, Any]]) -> dict[str, Any]:
        """What the inventory says of an upgrade to the newer revision."""
        return {
            "mesh_upgrade_strategy": "revision",
            "mesh_upgrade_version": NEWER,
            "mesh_upgrade_revision": NEW_REVISION,
            "mesh_upgrade_charts": charts(NEWER),
            "mesh_control_plane_revision": OLD_REVISION,
            "mesh_upgrade_waves": waves,
            "mesh_upgrade_take_ownership_from": ["kubectl"],
        }

    def fill(self, **labels_of_visitors: str) -> None:
        """The workloads, of the old revision, and a client in a namespace with these labels."""
        for name in self.spaces:
            self.whole.cluster.apply(space(name, **{"istio.io/rev": OLD_REVISION}), *self._of_space(name))
            # A hundred proxies that start at once on two cores would answer no probe in time.
            self.whole.await_workloads((name,), seconds=120)
        client = workload("client", VISITORS, 1, "pause")
        self.whole.cluster.apply(space(VISITORS, **labels_of_visitors), client)
        self.whole.await_workloads((VISITORS,), seconds=120)

    def _of_space(self, name: str) -> Iterator[dict[str, Any]]:
        for app in self.names:
            selector = {"matchLabels": {"app": app}}
            head = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget"}
            budget = {"selector": selector, "minAvailable": self.replicas - 1}
            yield workload(app, name, self.replicas)
            yield service(app, name)
            yield {**head, "metadata": {"name": app, "namespace": name}, "spec": budget}

    @contextmanager
    def observed(self) -> Iterator[tuple[Seen, list[str]]]:
        """What the client sees of all Services, and whenever fewer Pods are healthy than a budget asks for."""
        urls = [f"http://{app}.{name}.svc.cluster.local" for name in self.spaces for app in self.names]
        violated: list[str] = []
        cluster = self.whole.cluster
        with followed(cluster, _BUDGETS) as (stream,), under_traffic(cluster, {VISITORS: urls}) as seen:
            yield seen, violated
        violated += [text for change in stream.changes if (text := _violation(change.now or {}))]


def _violation(budget: dict[str, Any]) -> str:
    status = budget.get("status") or {}
    healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    return (
        f"{budget['metadata']['namespace']}/{budget['metadata']['name']}: {healthy} of {wanted}"
        if healthy < wanted
        else ""
    )


@contextmanager
def moving(folder: Path, size: str) -> Iterator[Moving]:
    """Such a mesh on a cluster of its own; the size is namespaces, workloads in each and replicas, as 4x2x2."""
    namespaces, workloads, replicas = map(int, size.split("x"))
    spaces = tuple(f"team-{number}" for number in range(namespaces))
    names = tuple(f"app-{number}" for number in range(workloads))
    with bed.own_cluster("cluster", folder, "--istio", f"{OLDER},{NEWER}") as cluster:
        whole = Whole(cluster, Operations({"kubeconfig": cluster.kubeconfig}))
        whole.install(OLDER, revision=OLD_REVISION)
        yield Moving(whole, spaces, names, replicas)
