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
    """A round of requests of a client Pod, each URL at least once. One that is restarted meanwhile asks nothing."""
    client = ("exec", "-n", namespace, "deployment/client", "-c", "client", "--")
    argv = [str(cluster.bin / "kubectl"), "--kubeconfig", cluster.kubeconfig, *client]
    count = max(ROUND, len(request))
    asked = [*argv, "httpapp", "get", "-json", "-n", str(count), "-p", PAUSE, *request]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    found: dict[str, Any] = json.loads(done.stdout) if done.stdout.startswith("{") else {"statuses": {}, "errors": {}}
    return found


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

    threads = [threading.Thread(target=ask_on, args=(space,)) for space in clients]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join()
