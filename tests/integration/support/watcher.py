"""Asks a cluster all the time whether a webhook calls a Service that does not exist."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client, config

from .bed import Cluster

Called = tuple[str, str, str]


@dataclass
class Watcher:
    """What was found, and how often it was asked."""

    dangling: set[Called] = field(default_factory=set)
    asked: int = 0

    def look(self, api: client.ApiClient) -> None:
        """A webhook counts when it was there before and after its Service was not: two lists are no moment."""
        before = _called(api)
        listed: list[Any] = client.CoreV1Api(api).list_service_for_all_namespaces().items
        services = {(found.metadata.namespace, found.metadata.name) for found in listed}
        self.dangling |= {called for called in before & _called(api) if called[1:] not in services}
        self.asked += 1


def _called(api: client.ApiClient) -> set[Called]:
    """Every webhook with the Service that it calls."""
    registrations = client.AdmissionregistrationV1Api(api)
    found: list[Any] = [
        *registrations.list_mutating_webhook_configuration().items,
        *registrations.list_validating_webhook_configuration().items,
    ]
    return {
        (f"{item.metadata.name}/{hook.name}", hook.client_config.service.namespace, hook.client_config.service.name)
        for item in found
        for hook in item.webhooks or []
        if hook.client_config.service
    }


@contextmanager
def watched(cluster: Cluster) -> Iterator[Watcher]:
    """Watch until the end, in a thread of its own."""
    watcher, over = Watcher(), threading.Event()
    with config.new_client_from_config(cluster.kubeconfig) as api:  # type: ignore[no-untyped-call]

        def ask() -> None:
            while not over.is_set():
                watcher.look(api)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield watcher
        finally:
            over.set()
            thread.join()
