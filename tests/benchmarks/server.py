"""The API server's state between two measurements: namespaces there, Istio's objects in them gone."""

from __future__ import annotations

import http.client
import json
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.contenders import MESH
from benchmarks.workload import SORTS
from integration.support import bed
from integration.support.bed import Cluster

LANE = "api"
_PART_OF_ISTIO = "app.kubernetes.io/part-of=istio"


class StateError(Exception):
    """The API server is not as a measurement needs it."""


@contextmanager
def running() -> Iterator[Cluster]:
    """The bed's API server with Istio's CRDs; one that was not up is taken down again."""
    before = _state_of_bed()
    bed.bed("up", "--lane", LANE)
    try:
        cluster = bed.cluster(LANE)
        _install_crds(cluster)
        yield cluster
    finally:
        if not before["lanes"][LANE]["up"]:
            bed.bed("down", "--lane", LANE)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A cluster with a node in a bed of its own: what a developer has on the bed is left alone."""
    _state_of_bed()
    with (
        tempfile.TemporaryDirectory(prefix="benchmark-") as folder,
        bed.own_cluster("cluster", Path(folder)) as cluster,
    ):
        yield cluster


def _state_of_bed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bed.bed("status", "--json"))
    if found["external"]:
        raise StateError("benchmarks need the bed's own API server with its audit log: unset TESTBED_KUBECONFIG")
    return found


def _install_crds(cluster: Cluster) -> None:
    part = f"charts-{bed.ISTIO}"
    file = str(bed.parts(part)[part] / "base" / "files" / "crd-all.gen.yaml")
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager", "tests", "-f", file)
    cluster.kubectl("wait", "--for=condition=Established", "-f", file)


@contextmanager
def namespaces(cluster: Cluster, names: Sequence[str]) -> Iterator[None]:
    """Namespaces that exist; at the end they are gone, so that the next run can make them."""
    cluster.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names))
    try:
        yield
    finally:
        cluster.kubectl("delete", "namespace", "--ignore-not-found", *names)


@dataclass(frozen=True)
class Server:
    """A few requests of our own, over one connection: hundreds of objects go between two measurements."""

    cluster: Cluster
    namespaces: Sequence[str]

    def wipe(self) -> None:
        """No Istio object is left, and no record of a tool. Objects elsewhere would be listed too: an error."""
        with closing(self._connection()) as connection:
            for namespace in self.namespaces:
                self._ask(connection, "DELETE", f"/api/v1/namespaces/{namespace}/configmaps")
                for sort in SORTS:
                    self._ask(connection, "DELETE", f"/apis/{sort.api_version}/namespaces/{namespace}/{sort.plural}")
            left = [
                sort.kind
                for sort in SORTS
                if self._ask(connection, "GET", f"/apis/{sort.api_version}/{sort.plural}?limit=1")["items"]
            ]
        if left:
            raise StateError(
                f"the API server has objects of the kinds {', '.join(left)} that are not of this benchmark; "
                f"take it down first: tests/testbed/bed down --lane {LANE}"
            )

    def _connection(self) -> http.client.HTTPSConnection:
        address = urlsplit(self.cluster.server)
        trusted = ssl.create_default_context(cafile=self.cluster.ca_file)
        return http.client.HTTPSConnection(address.netloc, timeout=60, context=trusted)

    def _ask(self, connection: http.client.HTTPSConnection, verb: str, path: str) -> dict[str, Any]:
        connection.request(verb, path, headers={"Authorization": f"Bearer {self.cluster.token}"})
        response = connection.getresponse()
        body: dict[str, Any] = json.loads(response.read())
        if response.status != http.client.OK:
            raise StateError(f"{verb} {path} was answered with {response.status}: {body.get('message')}")
        return body


@dataclass(frozen=True)
class Mesh:
    """A cluster between two control planes: nothing is left of the last one."""

    cluster: Cluster

    def wipe(self) -> None:
        """Webhooks first, which would judge what is deleted after them; the namespace last."""
        for kinds, labels in (
            ("mutatingwebhookconfigurations,validatingwebhookconfigurations", _PART_OF_ISTIO),
            ("clusterroles,clusterrolebindings", _PART_OF_ISTIO),
            ("customresourcedefinitions", "chart=istio"),
        ):
            self.cluster.kubectl("delete", kinds, "--selector", labels)
        self.cluster.kubectl("delete", "namespace", MESH, "--ignore-not-found")
