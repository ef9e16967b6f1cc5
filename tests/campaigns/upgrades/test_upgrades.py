"""Real upgrades under constant traffic: in place, and by a second revision; and the way back.

The cluster is of a bed of its own, with the images of all versions (root needed). `make campaign NAME=upgrade` runs it;
the phases themselves are tried one by one in tests/integration/lives/test_upgrade_phases.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.support import bed
from integration.support.operations import Operations
from integration.support.playbook import Runner
from integration.support.traffic import Seen, under_traffic
from integration.support.watcher import Watcher, watched
from integration.support.whole import Whole, charts, service, space, values, workload

FIRST, SECOND, THIRD = "1.28.3", "1.29.1", "1.31.0"
REVISION = "1-31-0"
GATEWAY = ("-host", "shop.example.com", "http://ingress.istio-ingress.svc.cluster.local")
CLIENTS = {"outside": GATEWAY, "web": ("http://shop.web.svc.cluster.local",)}


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
    made.install(FIRST)
    common = {"version": FIRST, "charts": charts(FIRST), "helm_binary": str(made.cluster.bin / "helm")}
    gateway = {"name": "ingress", "namespace": "istio-ingress", "values": values("gateway")}
    made.operations.run("gateway_deployment", {**common, **gateway})
    made.cluster.apply(
        space("web", **{"istio-injection": "enabled"}),
        space("outside"),
        workload("shop", "web", 2),
        workload("client", "web", 1, "pause"),
        workload("client", "outside", 1, "pause"),
        service("shop", "web"),
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
    made.await_workloads(("web", "outside"))


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
