"""A plain way to an API server, for what judges the collection: nothing of the collection's own client is in it."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

from .bed import Cluster

Made = dict[str, Any]
MERGE, JSON_PATCH = "application/merge-patch+json", "application/json-patch+json"
_JSON = "application/json"


class Api:
    """One connection to a server as its administrator: not for two threads at once."""

    def __init__(self, cluster: Cluster) -> None:
        context = ssl.create_default_context(cafile=cluster.ca_file)
        context.load_cert_chain(cluster.client_certificate_file, cluster.client_key_file)
        at = urlsplit(cluster.server)
        self._connection = http.client.HTTPSConnection(str(at.hostname), at.port, context=context)

    def ask(self, method: str, path: str, body: Any = None, content: str = _JSON) -> Made:
        """The answer's body, also that of a refusal."""
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, {"Content-Type": content, "User-Agent": "tests"})
        answer: Made = json.loads(self._connection.getresponse().read())
        return answer

    def list(self, path: str) -> tuple[list[Made], int]:
        """The objects of a collection, and the version of the whole server at which it was so."""
        answer = self.ask("GET", path)
        return answer["items"], int(answer["metadata"]["resourceVersion"])

    def watch(self, path: str, since: int) -> Iterator[Made]:
        """Events until the stream ends, by the server or by `hang_up`."""
        query = urlencode({"watch": "true", "resourceVersion": since})
        with suppress(OSError, ValueError, http.client.HTTPException):
            self._connection.request("GET", f"{path}?{query}")
            for line in self._connection.getresponse():
                yield json.loads(line)

    def hang_up(self) -> None:
        """End a watch of another thread."""
        with suppress(OSError):
            self._connection.sock.shutdown(socket.SHUT_RDWR)
