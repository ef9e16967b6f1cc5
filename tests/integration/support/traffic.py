"""Constant traffic while something is done to a mesh: what fails is kept.

A client asks at most fifty times in a second. As fast as it can would take both cores from a mesh that is restarting,
and what fails then is the machine.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .bed import Cluster

ROUND, PAUSE = 50, "20ms"


@dataclass
class Seen:
    """Answers by status, and every error; a line with time and last answer for each round in which some failed."""

    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    lines: list[str] = field(default_factory=list)

    @property
    def failed(self) -> dict[str, int]:
        return {**self.errors, **{status: count for status, count in self.statuses.items() if status != "200"}}


def _answers(cluster: Cluster, namespace: str, request: Sequence[str]) -> dict[str, Any]:
    """A round of requests of a client Pod, each URL at least once.

    One that is restarted meanwhile asks nothing. One that stays and does not ask has failed: else a block in which
    nobody could ask would look like one in which no request has failed.
    """
    client = ("exec", "-n", namespace, "deployment/client", "-c", "client", "--")
    argv = [str(cluster.bin / "kubectl"), "--kubeconfig", cluster.kubeconfig, *client]
    count = max(ROUND, len(request))
    asked = [*argv, "httpapp", "get", "-json", "-n", str(count), "-p", PAUSE, *request]
    before = _pods(cluster, namespace)
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.stdout.startswith("{"):
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    stays = all(before.values()) and _pods(cluster, namespace) == before
    error = f"the client did not ask, kubectl exec ended with {done.returncode}: {done.stderr[-200:].strip()}"
    return {"statuses": {}, "errors": {error: 1} if stays else {}}


def _pods(cluster: Cluster, namespace: str) -> dict[str, bool]:
    """The client's Pods, and whether each of them runs and shall stay."""
    return {
        pod["metadata"]["uid"]: pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        for pod in cluster.objects("pods", namespace, "app=client")
    }


def await_answers(cluster: Cluster, clients: Mapping[str, Sequence[str]], within: float = 60.0) -> None:
    """Until a mesh that has just been made answers each client a whole round long."""
    until = time.monotonic() + within
    for namespace, request in clients.items():
        while (answer := _answers(cluster, namespace, request))["statuses"].keys() != {"200"} or answer["errors"]:
            assert time.monotonic() < until, f"{namespace} is not answered: {answer}"


@contextmanager
def under_traffic(cluster: Cluster, clients: Mapping[str, Sequence[str]]) -> Iterator[Seen]:
    """Clients by namespace, each with its request, until the block is over."""
    seen, over = Seen(), threading.Event()

    def ask(namespace: str) -> None:
        answer = _answers(cluster, namespace, clients[namespace])
        seen.statuses.update(answer["statuses"])
        seen.errors.update({f"{namespace}: {error}": count for error, count in answer["errors"].items()})
        if answer["errors"] or answer["statuses"].keys() - {"200"}:
            told = f"{answer['statuses']} {answer['errors'] or answer['refusal'][:200]}"
            seen.lines.append(f"{datetime.now():%H:%M:%S} {namespace}: {told}")

    def ask_on(namespace: str) -> None:
        while not over.is_set():
            ask(namespace)

    with ThreadPoolExecutor(len(clients)) as threads:
        asking = [threads.submit(ask_on, namespace) for namespace in clients]
        try:
            yield seen
        finally:
            over.set()
    for one in asking:
        one.result()  # what has ended a client would otherwise end it unseen
