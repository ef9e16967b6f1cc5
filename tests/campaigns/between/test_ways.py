"""Ways between clusters that are broken on purpose, and what the playbook says of each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from integration.support.bed import Cluster
from integration.support.meshes import Meshes

pytestmark = [pytest.mark.root, pytest.mark.slow]
SERVICE = ("service", "eastwest", "-n", "istio-eastwest")
GATEWAY = ("deployment/eastwest", "-n", "istio-eastwest")
PORT = "networking.istio.io/gatewayPort"


@contextmanager
def nothing_broken(_meshes: Meshes, _closed: Cluster) -> Iterator[None]:
    yield


@contextmanager
def without_gateway(_meshes: Meshes, closed: Cluster) -> Iterator[None]:
    closed.kubectl("scale", *GATEWAY, "--replicas=0")
    closed.kubectl("wait", "--for=delete", "pods", "-l", "istio=eastwest", *GATEWAY[1:], "--timeout=60s")
    yield
    closed.kubectl("scale", *GATEWAY, "--replicas=1")
    closed.kubectl("rollout", "status", *GATEWAY, "--timeout=60s")


@contextmanager
def at_port(closed: Cluster, port: int) -> Iterator[None]:
    closed.kubectl("label", *SERVICE, f"{PORT}={port}")
    yield
    closed.kubectl("label", *SERVICE, f"{PORT}-")


def unknown_gateway(_meshes: Meshes, closed: Cluster) -> AbstractContextManager[None]:
    """A port that its Service does not have: istiods then know no gateway of this network."""
    return at_port(closed, 6443)


def to_what_speaks_no_tls(_meshes: Meshes, closed: Cluster) -> AbstractContextManager[None]:
    """The port where the gateway tells its health."""
    return at_port(closed, 15021)


@contextmanager
def not_exposed(_meshes: Meshes, closed: Cluster) -> Iterator[None]:
    """Other services are, so the gateway listens."""
    expose(closed, "*.shop.svc.cluster.local")
    yield
    expose(closed, "*.local")


def expose(cluster: Cluster, hosts: str) -> None:
    change = json.dumps([{"op": "replace", "path": "/spec/servers/0/hosts", "value": [hosts]}])
    exposed = ("gateways.networking.istio.io", "cross-network-eastwest", "-n", "istio-system")
    cluster.kubectl("patch", *exposed, "--type=json", "-p", change)


@contextmanager
def not_registered(meshes: Meshes, closed: Cluster) -> Iterator[None]:
    name = next(name for name, cluster in meshes.clusters.items() if cluster is closed)
    other = next(cluster for cluster in meshes.clusters.values() if cluster is not closed)
    other.kubectl("delete", "secret", f"istio-remote-secret-{name}", "-n", "istio-system")
    yield
    assert meshes.play("register").rc == 0


@pytest.mark.parametrize(
    ("broken", "hop"),
    [
        (nothing_broken, ""),
        (without_gateway, "address"),
        (unknown_gateway, "address"),
        (to_what_speaks_no_tls, "trust"),
        (not_exposed, "gateway"),
        (not_registered, "registry"),
    ],
)
def test_the_hop_is_named(
    broken: Callable[[Meshes, Cluster], AbstractContextManager[None]], hop: str, meshes: Meshes
) -> None:
    here, there = meshes.clusters
    with broken(meshes, meshes.clusters[there]):
        played = meshes.play("connectivity", "-e", "mesh_clusters_probe_timeout=30")
    found = [result.data.get("ansible_facts") or {} for result in played.results]
    (told,) = (facts["mesh_clusters_connectivity"] for facts in found if "mesh_clusters_connectivity" in facts)
    assert {(way["from"], way["to"]): way["hop"] for way in told if not way["ok"]} == (
        {(here, there): hop} if hop else {}
    )
