"""Real sockets that stand where an API server is expected: one with a bad certificate, one that is slow to pass on.

And a server of files, which is all that a Helm repository is.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from .bed import Cluster


def expired_certificate(cluster: Cluster, folder: Path) -> Path:
    """A certificate for this machine, signed by the cluster's CA, whose last day was yesterday. With its key."""
    return _certificate(cluster, folder / "expired.pem", -1)


def serving_certificate(cluster: Cluster, folder: Path) -> Path:
    """The same, good for a day."""
    return _certificate(cluster, folder / "serving.pem", 1)


def _certificate(cluster: Cluster, file: Path, days: int) -> Path:
    authority = x509.load_pem_x509_certificate(Path(cluster.ca_file).read_bytes())
    signer = load_pem_private_key(Path(cluster.ca_key_file).read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key, today = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.timezone.utc)
    address = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=2))
        .not_valid_after(today + datetime.timedelta(days=days))
        .add_extension(address, critical=False)
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
    return file


@contextlib.contextmanager
def tls_server(certificate: Path) -> Iterator[int]:
    """The port of a server that shakes hands with a certificate and says nothing more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
            pass

    with _listening(answer) as port:
        yield port


@contextlib.contextmanager
def mutual_tls_server(certificate: Path, authority: str, version: ssl.TLSVersion) -> Iterator[int]:
    """The port of a server that wants to see a certificate which an authority has signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version, context.verify_mode = version, ssl.CERT_REQUIRED
    context.load_cert_chain(certificate)
    context.load_verify_locations(authority)

    def answer(connection: socket.socket) -> None:
        shaken = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        with contextlib.suppress(OSError), shaken:
            try:
                shaken.do_handshake()
            except ssl.SSLError:
                while socket.socket.recv(shaken, 65536):
                    """Whoever closes with something unread resets the connection, and the alert is lost."""
                raise

    with _listening(answer) as port:
        yield port


@contextlib.contextmanager
def torn_handshakes(target: str, torn: int, last_words: bytes) -> Iterator[Torn]:
    """A way to a server, `https://host:port`, on which the first handshakes end with some bytes, or without a word."""
    met = Torn()

    def forward(connection: socket.socket) -> None:
        met.connections += 1
        if met.connections <= torn:
            connection.recv(65536)
            connection.sendall(last_words)
            return
        _forward(connection, target, 0.0)

    with _listening(forward) as met.port:
        yield met


@dataclass
class Torn:
    """Where such a way begins, and how often it was taken."""

    port: int = 0
    connections: int = 0


@contextlib.contextmanager
def slow_proxy(target: str, seconds: float) -> Iterator[int]:
    """The port of a way to a server, `https://host:port`, on which everything that is sent takes some time."""

    def forward(connection: socket.socket) -> None:
        _forward(connection, target, seconds)

    with _listening(forward) as own:
        yield own


@contextlib.contextmanager
def file_server(folder: Path) -> Iterator[str]:
    """The URL of a server of static files, which is what a Helm repository is."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def free_port() -> int:
    """For a server that has to be told its port before it starts."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads along."""


def _forward(connection: socket.socket, target: str, seconds: float) -> None:
    host, _, port = target.rpartition("/")[2].rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port))) as server:
        back = threading.Thread(target=_pass_on, args=(server, connection, 0.0), daemon=True)
        back.start()
        _pass_on(connection, server, seconds)
        back.join()


def _pass_on(source: socket.socket, target: socket.socket, seconds: float) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            time.sleep(seconds)
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def _listening(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=_handled, args=(handle, connection), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _handled(handle: Callable[[socket.socket], None], connection: socket.socket) -> None:
    with connection:
        handle(connection)
