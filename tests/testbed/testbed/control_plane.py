"""etcd, the API server and the controllers of one cluster: the same in both lanes."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Sequence
from pathlib import Path

import yaml

from . import components, kubeconfig, namespaces, pki, processes
from .components import Settings
from .layout import Cluster
from .processes import Argv, Child

READY_WITHIN = 60.0


def prepare(cluster: Cluster, settings: Settings, addresses: Sequence[str], identities: Sequence[pki.Identity]) -> None:
    """Everything on disk that the components read."""
    cluster.folder.mkdir(parents=True, mode=0o700)
    pki.make(cluster.pki, addresses, [pki.ADMIN, *identities])
    (cluster.folder / "audit-policy.yaml").write_text(yaml.safe_dump(components.POLICY))
    server = f"https://{settings.advertise}:{settings.port}"
    kubeconfig.write(cluster.kubeconfig_node, cluster.name, server, cluster.pki, pki.ADMIN.file)
    for identity in identities:
        kubeconfig.write(
            cluster.folder / f"{identity.file}.kubeconfig", cluster.name, server, cluster.pki, identity.file
        )


def start(cluster: Cluster, name: str, argv: Sequence[str | Path]) -> Child:
    """One component of a cluster, in the cluster's folder and, where it has them, its namespaces."""
    inside: Argv = (
        [*namespaces.of(cluster.bed, cluster.name).inside, cluster.folder] if cluster.lane == "cluster" else []
    )
    return processes.start(name, [*inside, *argv], mark=cluster.mark, log=cluster.log(name), folder=cluster.folder)


class Api:
    """A few questions to one API server."""

    def __init__(self, cluster: Cluster, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.tls = ssl.create_default_context(cafile=str(cluster.pki / "ca.crt"))
        self.token = cluster.token_file.read_text()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; status 0 while nobody answers."""
        connection = http.client.HTTPSConnection(self.host, self.port, timeout=2, context=self.tls)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def found(self, path: str) -> bool:
        return self.get(path)[0] == 200

    def wait_ready(self, children: Sequence[Child]) -> None:
        processes.wait_until(lambda: self.found("/readyz"), "the API server is ready", READY_WITHIN, children)

    def wait_controllers(self, children: Sequence[Child]) -> None:
        """The controllers work when the first thing that they owe exists."""
        path = "/api/v1/namespaces/default/serviceaccounts/default"
        processes.wait_until(lambda: self.found(path), "the controllers work", READY_WITHIN, children)


def record(cluster: Cluster, facts: dict[str, object]) -> None:
    """What cannot be told from the layout: addresses and ports."""
    cluster.record.write_text(json.dumps(facts, indent=2))
