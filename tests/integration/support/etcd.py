"""The store behind the bed's API server: all objects as they are at a moment, and put back as they were.

A server that is put back is in a hundredth of the time where reinstalling would bring it, down to every uid. Its
watchers see the changes like any others. CRDs stay as they are, because a server needs long to take in others; and so
do the Leases, by which its own controllers work.
"""

from __future__ import annotations

import base64
import http.client
import json
import socket
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from .bed import Cluster

State = Mapping[str, str]
_SOCKET = "etcd.sock:0"
_FROM, _TO = b"/registry/", b"/registry0"
_LEFT = ("/registry/events/", "/registry/leases/", "/registry/apiextensions.k8s.io/")
_AT_ONCE = 100  # operations that etcd takes in one transaction, by default


class _OverSocket(http.client.HTTPConnection):
    """etcd speaks JSON beside its own protocol, and here it listens on a socket in its folder."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


class Store:
    """The etcd of a cluster of the bed."""

    def __init__(self, cluster: Cluster) -> None:
        self._connection = _OverSocket(Path(cluster.kubeconfig).parent / _SOCKET)

    def state(self) -> State:
        """Every object by its key, as etcd writes both in JSON."""
        answer = self._ask("range", {"key": _text(_FROM), "range_end": _text(_TO)})
        found = {item["key"]: item["value"] for item in answer["kvs"]}
        return {key: value for key, value in found.items() if not base64.b64decode(key).decode().startswith(_LEFT)}

    def put_back(self, state: State) -> None:
        """What has been made since goes, what has changed or gone is as it was."""
        now = self.state()
        gone = [{"requestDeleteRange": {"key": key}} for key in now if key not in state]
        put = [{"requestPut": {"key": key, "value": value}} for key, value in state.items() if now.get(key) != value]
        for some in _batches([*gone, *put]):
            self._ask("txn", {"success": some})

    def _ask(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._connection.request("POST", f"/v3/kv/{what}", json.dumps(body))
        answer = self._connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 200, content
        return content


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def _batches(operations: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(operations)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
