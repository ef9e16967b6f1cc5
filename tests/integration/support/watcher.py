"""Watches a cluster: whether a webhook has called a Service that did not exist, at whatever moment.

Each kind is watched by a stream of its own, and streams come in no common order. But every change has a number on one
server, so at the end the changes are laid out in that order, and what was there after each of them is judged.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .api import Api, Made
from .bed import Cluster

Called = tuple[str, str, str]
_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
SERVICES = "/api/v1/services"
_PATHS = (f"{_ADMISSION}/mutatingwebhookconfigurations", f"{_ADMISSION}/validatingwebhookconfigurations", SERVICES)
_SECONDS = 30.0


@dataclass(frozen=True)
class Change:
    """An object as it was from a moment on, by the server's count; None once it is gone."""

    at: int
    path: str
    place: tuple[str, str]
    now: Made | None


@dataclass
class Stream:
    """One kind: what there was at first, and every change since."""

    api: Api
    path: str
    changes: list[Change] = field(default_factory=list)

    def __post_init__(self) -> None:
        found, self.since = self.api.list(self.path)
        self.changes += [Change(self.since, self.path, _place(item), item) for item in found]

    def follow(self) -> None:
        for event in self.api.watch(self.path, self.since):
            item, gone = event["object"], event["type"] == "DELETED"
            at = int(item["metadata"]["resourceVersion"])
            self.changes.append(Change(at, self.path, _place(item), None if gone else item))

    def seen(self) -> dict[tuple[str, str], str]:
        """The version of every object that is there now, as far as the stream has come."""
        there = {change.place: change.now for change in self.changes}
        return {place: item["metadata"]["resourceVersion"] for place, item in there.items() if item}


@dataclass
class Watcher:
    """What was found, and how many states of the cluster were looked at."""

    dangling: dict[Called, int] = field(default_factory=dict)
    judged: int = 0

    def judge(self, changes: list[Change]) -> None:
        """Every state between two changes: a webhook with its Service, or since which change without it."""
        there: dict[tuple[str, tuple[str, str]], Made] = {}
        moments = sorted({change.at for change in changes})
        for moment in moments:
            for change in (change for change in changes if change.at == moment):
                there.pop((change.path, change.place), None)
                if change.now:
                    there[change.path, change.place] = change.now
            for called in _dangling(there):
                self.dangling.setdefault(called, moment)
        self.judged += len(moments)


def _place(item: dict[str, Any]) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def _dangling(there: dict[tuple[str, tuple[str, str]], Made]) -> Iterator[Called]:
    services = {place for path, place in there if path == SERVICES}
    for (path, (_none, name)), item in there.items():
        for hook in (item.get("webhooks") or []) if path != SERVICES else []:
            service = hook["clientConfig"].get("service")
            if service and (service["namespace"], service["name"]) not in services:
                yield f"{name}/{hook['name']}", service["namespace"], service["name"]


@contextmanager
def watched(cluster: Cluster) -> Iterator[Watcher]:
    """Watch until the end; what was found is there afterwards. Fails when a stream has lost anything."""
    watcher = Watcher()
    # Services first: one that is there when it is listed is there for webhooks that are listed after it.
    with followed(cluster, *reversed(_PATHS)) as streams:
        yield watcher
    newest = max(stream.since for stream in streams)
    watcher.judge([_not_before(newest, change) for stream in streams for change in stream.changes])


@contextmanager
def followed(cluster: Cluster, *paths: str) -> Iterator[list[Stream]]:
    """Every change of some kinds until the end, one stream each. Fails when a stream has lost anything."""
    streams = [Stream(Api(cluster), path) for path in paths]
    threads = [threading.Thread(target=stream.follow, daemon=True) for stream in streams]
    for thread in threads:
        thread.start()
    try:
        yield streams
        for stream in streams:
            _await_all(Api(cluster), stream)
    finally:
        for stream in streams:
            stream.api.hang_up()
        for thread in threads:
            thread.join()


def _not_before(newest: int, change: Change) -> Change:
    """What was listed, or has changed while other kinds were listed, counts from when all had been listed."""
    return Change(max(newest, change.at), change.path, change.place, change.now)


def _await_all(api: Api, stream: Stream) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        found, _version = api.list(stream.path)
        if stream.seen() == {_place(item): item["metadata"]["resourceVersion"] for item in found}:
            return
        assert time.monotonic() < deadline, f"the watch of {stream.path} has lost something"
        time.sleep(0.02)
