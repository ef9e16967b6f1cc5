"""The role mesh_gateways: what no single gateway shows is refused before the first, and every option gets through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from integration.support.bed import ISTIO, Cluster
from integration.support.playbook import Played, Runner

pytestmark = pytest.mark.usefixtures("crds", "nothing_persisted")


def played(runner: Runner, cluster: Cluster, charts: Path, *gateways: dict[str, Any], **more: Any) -> Played:
    """A plan of some gateways."""
    role = {"name": "Gateways", "ansible.builtin.import_role": {"name": "service_mesh.istio.mesh_gateways"}}
    variables = {
        "mesh_kubeconfig": cluster.kubeconfig,
        "mesh_gateways_version": ISTIO,
        "mesh_gateways_charts": {"directory": str(charts)},
        "mesh_gateways_helm_binary": str(cluster.bin / "helm"),
        "mesh_gateways_instances": list(gateways),
        **more,
    }
    return runner.run({**role, "vars": variables}, arguments=["--check"])


def node_port(name: str, **more: Any) -> dict[str, Any]:
    port = {"name": "http", "port": 80, "node_port": 30080}
    return {"name": name, "namespace": "edge", "service": {"type": "NodePort", "ports": [port]}, **more}


@pytest.mark.parametrize(
    ("gateways", "told"),
    [
        ([{"name": "a", "namespace": "edge"}, {"name": "a", "namespace": "edge"}], ["names a gateway twice: edge/a"]),
        ([node_port("a"), node_port("b")], ["asks twice for a port of the nodes: 30080/TCP"]),
        ([node_port("a"), node_port("a")], ["names a gateway twice", "asks twice for a port of the nodes"]),
    ],
)
def test_what_no_single_gateway_shows_is_refused_first(
    gateways: list[dict[str, Any]], told: list[str], runner: Runner, cluster: Cluster, charts: Path
) -> None:
    result = played(runner, cluster, charts, *gateways)
    assert result.rc != 0
    assert [words for words in told if words not in result.last.data["msg"]] == []


def test_every_type_and_the_end_of_one(runner: Runner, cluster: Cluster, charts: Path) -> None:
    """A gateway that goes needs no port and no injection, and the network is the cluster's."""
    gateways = [
        node_port("ingress", autoscaling={"min": 2, "max": 3}, labels={"tier": "edge"}, pull_secrets=["mirror"]),
        {"name": "egress", "namespace": "edge", "type": "egress", "replicas": 2},
        {"name": "eastwest", "namespace": "edge", "type": "eastwest"},
        node_port("former", namespace="former", state="absent"),
    ]
    disabled = [{"name": "former", "mode": "disabled"}]
    result = played(runner, cluster, charts, *gateways, mesh_network="net1", mesh_injection_namespaces=disabled)
    assert result.rc == 0, result.output
    items = result.last.data["results"]
    assert [item["summary"]["create"] > 0 for item in items] == [True, True, True, False]
