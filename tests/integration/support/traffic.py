"""Constant traffic while something is done to a mesh, and a watch over webhooks: what fails is kept."""

from __future__ import annotations

import json
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .bed import Cluster

_WEBHOOKS = "mutatingwebhookconfigurations,validatingwebhookconfigurations"


@dataclass
class Seen:
    """Answers by status, and every error."""

    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    dangling: list[str] = field(default_factory=list)
    looks: int = 0

    @property
    def failed(self) -> dict[str, int]:
        return {**self.errors, **{status: count for status, count in self.statuses.items() if status != "200"}}


def _answers(cluster: Cluster, namespace: str, request: Sequence[str]) -> dict[str, Any]:
    """Twenty requests of a client Pod. One that is restarted meanwhile asks nothing."""
    client = ("exec", "-n", namespace, "deployment/client", "-c", "client", "--")
    argv = [str(cluster.bin / "kubectl"), "--kubeconfig", cluster.kubeconfig, *client]
    asked = [*argv, "httpapp", "get", "-json", "-n", "20", *request]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {"statuses": {}, "errors": {}}
    return found


def _dangling(cluster: Cluster) -> list[str]:
    """Webhooks first and Services after them: a Service that was there for the webhook is there, too."""
    found = json.loads(cluster.kubectl("get", _WEBHOOKS, "-o", "json"))["items"]
    listed = json.loads(cluster.kubectl("get", "services", "-A", "-o", "json"))["items"]
    there = {(one["metadata"]["namespace"], one["metadata"]["name"]) for one in listed}
    targets = [(one["metadata"]["name"], hook["clientConfig"]["service"]) for one in found for hook in one["webhooks"]]
    return [name for name, service in targets if (service["namespace"], service["name"]) not in there]


@contextmanager
def under_traffic(cluster: Cluster, clients: Mapping[str, Sequence[str]]) -> Iterator[Seen]:
    """Clients by namespace, each with its request, until the block is over."""
    seen, over = Seen(), threading.Event()

    def ask(namespace: str) -> None:
        answer = _answers(cluster, namespace, clients[namespace])
        seen.statuses.update(answer["statuses"])
        seen.errors.update({f"{namespace}: {error}": count for error, count in answer["errors"].items()})

    def look() -> None:
        missing = _dangling(cluster)
        # Two lists are no one moment: what was deleted between them is looked at once more.
        seen.dangling += [name for name in missing if name in _dangling(cluster)]
        seen.looks += 1

    def again(what: Callable[[], None]) -> None:
        while not over.is_set():
            what()

    threads = [threading.Thread(target=again, args=(lambda space=space: ask(space),)) for space in clients]
    threads.append(threading.Thread(target=again, args=(look,)))
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()
