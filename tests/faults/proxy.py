"""The proxy itself: a thread for each client's connection, which has a connection of its own to the server.

It is trusted because the cluster's CA signs its certificate, and it presents no credentials: those of the client, a
token, travel through it. Everything but what the rules say is passed on as it came.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from testbed import pki

from .exchange import Exchange
from .rules import Asked, Entry, Rule, Script
from .wire import Head, Stream

_HOST = "127.0.0.1"


class Target(Protocol):
    """What the proxy has to know of a cluster; the tests' Cluster is one."""

    @property
    def server(self) -> str: ...
    @property
    def ca_file(self) -> str: ...
    @property
    def ca_key_file(self) -> str: ...
    @property
    def token(self) -> str: ...


class Proxy:
    """Leads to a cluster while its context is entered. `rules` may be replaced at any time by `play`."""

    def __init__(self, target: Target, rules: Sequence[Rule] = (), seed: int = 0) -> None:
        self.log: list[Entry] = []
        self._target = target
        self._stack = contextlib.ExitStack()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._server_context = ssl.create_default_context(cafile=target.ca_file)
        self.play(rules, seed)

    def play(self, rules: Sequence[Rule], seed: int = 0) -> None:
        """From now on these rules, and a new log."""
        self._script, self.log = Script(rules, seed), []

    @property
    def injected(self) -> list[Entry]:
        """The requests that met a fault."""
        return [entry for entry in self.log if entry.fault]

    def __enter__(self) -> Proxy:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self._client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._client_context.load_cert_chain(*_certificate(self._target, self._folder))
        self._listener = self._stack.enter_context(socket.create_server((_HOST, 0), backlog=128))
        self.url = f"https://{_HOST}:{self._listener.getsockname()[1]}"
        self.kubeconfig = self._written_kubeconfig()
        self._start(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        for connection in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._stack.close()

    def _written_kubeconfig(self) -> str:
        cluster = {"server": self.url, "certificate-authority": self._target.ca_file}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "proxy", "cluster": cluster}],
            "users": [{"name": "proxy", "user": {"token": self._target.token}}],
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "current-context": "proxy",
        }
        file = self._folder / "kubeconfig"
        pki.secret(file, yaml.safe_dump(document).encode())
        return str(file)

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads = [known for known in self._threads if known.is_alive()] + [thread]
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._start(self._converse, self._listener.accept()[0])

    def _converse(self, plain: socket.socket) -> None:
        """All requests of one client's connection."""
        with contextlib.suppress(OSError), contextlib.ExitStack() as ends:
            shaken = self._client_context.wrap_socket(self._kept(ends, plain), server_side=True)
            client = Stream(self._kept(ends, shaken))
            server: Stream | None = None
            while True:
                head = client.head()
                body = client.body(head)
                entry = self._judged(head, body)
                if server is None or server.waiting():  # the server closes what is idle for long
                    server = self._connected(ends)
                Exchange(client, server, entry).run(head, body)
                if head.last:
                    return

    def _kept(self, ends: contextlib.ExitStack, connection: socket.socket) -> socket.socket:
        """A connection that ends with the conversation, and with the proxy."""
        self._open.add(connection)
        ends.callback(connection.close)
        ends.callback(self._open.discard, connection)
        return connection

    def _judged(self, head: Head, body: bytes) -> Entry:
        method, target, _version = head.first
        asked = Asked.of(method, target, head.value("Content-Type"), body)
        entry = Entry(asked, self._script.fault(asked))
        self.log.append(entry)
        return entry

    def _connected(self, ends: contextlib.ExitStack) -> Stream:
        host, _, port = self._target.server.rpartition("/")[2].rpartition(":")
        plain = self._kept(ends, socket.create_connection((host, int(port))))
        return Stream(self._kept(ends, self._server_context.wrap_socket(plain, server_hostname=host)))


def _certificate(target: Target, folder: Path) -> tuple[Path, Path]:
    """A serving certificate for the proxy's address, and its key."""
    key = load_pem_private_key(Path(target.ca_key_file).read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "the bed's CA has an elliptic key"
    authority = pki.Authority(x509.load_pem_x509_certificate(Path(target.ca_file).read_bytes()), key)
    address = x509.IPAddress(ipaddress.ip_address(_HOST))
    pki.issue(folder, authority, pki.Identity("proxy", "proxy"), [address])
    return folder / "proxy.crt", folder / "proxy.key"
