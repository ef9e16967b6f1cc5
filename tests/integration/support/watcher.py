"""Asks a cluster all the time whether a webhook calls a Service that does not exist."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import urllib3

from .bed import Cluster

Called = tuple[str, str, str]
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"


@dataclass
class Watcher:
    """What was found, and how often it was asked. The collection's own way to a server is judged, and so not used."""

    server: str
    pool: urllib3.PoolManager
    dangling: set[Called] = field(default_factory=set)
    asked: int = 0

    def look(self) -> None:
        """A webhook counts when it was there before and after its Service was not: two lists are no moment."""
        before = self._called()
        services = {
            (item["metadata"]["namespace"], item["metadata"]["name"]) for item in self._list("/api/v1/services")
        }
        self.dangling |= {called for called in before & self._called() if called[1:] not in services}
        self.asked += 1

    def _list(self, path: str) -> list[dict[str, Any]]:
        answer: dict[str, Any] = self.pool.request("GET", self.server + path).json()
        items: list[dict[str, Any]] = answer["items"]
        return items

    def _called(self) -> set[Called]:
        """Every webhook with the Service that it calls."""
        kinds = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
        found = [item for kind in kinds for item in self._list(f"{_ADMISSION}/{kind}")]
        return {
            (f"{item['metadata']['name']}/{hook['name']}", service["namespace"], service["name"])
            for item in found
            for hook in item.get("webhooks") or []
            if (service := hook["clientConfig"].get("service"))
        }


@contextmanager
def watched(cluster: Cluster) -> Iterator[Watcher]:
    """Watch until the end, in a thread of its own."""
    certificate, key = cluster.client_certificate_file, cluster.client_key_file
    pool = urllib3.PoolManager(ca_certs=cluster.ca_file, cert_file=certificate, key_file=key)
    watcher, over = Watcher(cluster.server, pool), threading.Event()

    def ask() -> None:
        while not over.is_set():
            watcher.look()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield watcher
    finally:
        over.set()
        thread.join()
