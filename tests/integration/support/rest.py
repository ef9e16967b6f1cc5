"""Requests of tests to an API server without kubectl's process for each: where there are many."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import urllib3

from .bed import Cluster

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class Rest:
    """The server of a cluster, asked as its administrator."""

    server: str
    pool: urllib3.PoolManager

    @classmethod
    def of(cls, cluster: Cluster) -> Rest:
        certificate, key = cluster.client_certificate_file, cluster.client_key_file
        pool = urllib3.PoolManager(maxsize=8, ca_certs=cluster.ca_file, cert_file=certificate, key_file=key)
        return cls(cluster.server, pool)

    def get(self, path: str) -> dict[str, Any]:
        return self.send("GET", path)

    def items(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(path)["items"]
        return found

    def create(self, path: str, content: dict[str, Any], quietly: bool = False) -> dict[str, Any]:
        return self.send("POST", path, content, quietly=quietly)

    def patch(self, path: str, change: dict[str, Any], kind: str = MERGE) -> dict[str, Any]:
        return self.send("PATCH", path, change, kind)

    def send(
        self, method: str, path: str, content: Any = None, kind: str = "application/json", quietly: bool = False
    ) -> dict[str, Any]:
        """The answer; an error fails the test with what the server says."""
        body = None if content is None else json.dumps(content)
        answer = self.pool.request(method, self.server + path, body=body, headers={"Content-Type": kind})
        text = answer.data.decode()
        assert quietly or answer.status < 300, f"{method} {path}: {text}"
        found: dict[str, Any] = json.loads(text)
        return found
