"""A small HTTPS server that counts and echoes, and the proxy before it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3
from faults import Proxy
from testbed import pki

EVENTS = [json.dumps({"type": "ADDED", "object": {"number": number}}).encode() + b"\n" for number in range(3)]


class Echo(BaseHTTPRequestHandler):
    """Answers what it was asked; streams on `watch`, each event when the test lets it; chunks on `large`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.seen.append(f"{self.command} {self.path}")
        if "watch=" in self.path:
            self._watch()
        elif "large" in self.path:
            self._stream()
            self._chunks(*[b"x" * 50_000] * 20, b"")
        else:
            headers = {name: value for name, value in self.headers.items() if name.startswith("X-")}
            self._answer(json.dumps({"path": self.path, "body": body, "headers": headers}).encode())

    def do_PATCH(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Warning", '299 - "told by the server"')
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = self.server.closes

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _watch(self) -> None:
        self._stream()
        try:
            for event in EVENTS:
                assert self.server.next_event.acquire(timeout=10)
                self._chunks(event)
            self._chunks(b"")
        except OSError:
            self.server.left.set()

    def _chunks(self, *contents: bytes) -> None:
        for content in contents:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(content), content))

    def log_message(self, format: str, *_arguments: object) -> None:
        """The tests look at `seen`."""


class Server(ThreadingHTTPServer):
    """What has come, and what the tests hold back."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, context: ssl.SSLContext) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.seen: list[str] = []
        self.connections = 0
        self.closes = False
        self.next_event = threading.Semaphore(0)
        self.left = threading.Event()


@dataclass(frozen=True)
class Target:
    """The server as the proxy knows a cluster."""

    echo: Server
    server: str
    ca_file: str
    ca_key_file: str
    token: str = "a-token"
    _pools: list[urllib3.PoolManager] = field(default_factory=list)

    def pool(self) -> urllib3.PoolManager:
        """A client that trusts the CA and repeats nothing by itself."""
        context = ssl.create_default_context(cafile=self.ca_file)
        self._pools.append(urllib3.PoolManager(ssl_context=context, retries=False, maxsize=40))
        return self._pools[-1]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, and a certificate of the server that it has signed."""
    folder = tmp_path_factory.mktemp("pki") / "pki"
    pki.make(folder, ["127.0.0.1"], [])
    return folder


@pytest.fixture
def target(authority: Path) -> Iterator[Target]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "apiserver.crt", authority / "apiserver.key")
    with Server(context) as echo:
        thread = threading.Thread(target=echo.serve_forever, args=(0.01,))
        thread.start()
        url = f"https://127.0.0.1:{echo.server_address[1]}"
        yield Target(echo, url, str(authority / "ca.crt"), str(authority / "ca.key"))
        echo.shutdown()
        thread.join()


@pytest.fixture
def proxy(target: Target) -> Iterator[Proxy]:
    with Proxy(target) as proxy:
        yield proxy
