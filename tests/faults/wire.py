"""HTTP/1.1 on a socket: as much of it as a proxy needs to know where a message ends, byte for byte."""

from __future__ import annotations

import select
import socket
import ssl
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_PIECE = 65536


class Closed(OSError):
    """The other side has gone."""


@dataclass(frozen=True)
class Head:
    """A start line and headers, as they came."""

    raw: bytes

    @property
    def first(self) -> list[str]:
        return self.raw.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)

    @property
    def status(self) -> int:
        return int(self.first[1])

    def value(self, name: str) -> str:
        """A header's value, or an empty text."""
        wanted = name.lower().encode()
        for line in self.raw.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == wanted:
                return value.strip().decode("latin-1")
        return ""

    @property
    def chunked(self) -> bool:
        return self.value("Transfer-Encoding").lower() == "chunked"

    @property
    def length(self) -> int:
        return int(self.value("Content-Length") or 0)

    @property
    def last(self) -> bool:
        """Whether the connection ends after this message."""
        return self.value("Connection").lower() == "close"

    def with_length(self, length: int) -> bytes:
        """The head of the same message with another body."""
        old = (b"content-length:", b"transfer-encoding:")
        lines = [line for line in self.raw.split(b"\r\n") if line and not line.lower().startswith(old)]
        return b"\r\n".join([*lines, b"Content-Length: %d" % length, b"", b""])


class Stream:
    """One side of the proxy."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._read = b""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, *pieces: bytes) -> None:
        self.socket.sendall(b"".join(pieces))

    def head(self) -> Head:
        """The next message's head. Raises Closed when there is none."""
        return Head(self._until(b"\r\n\r\n"))

    def body(self, head: Head) -> bytes:
        """A message's whole content, without its chunks."""
        if not head.chunked:
            return self._take(head.length)
        return b"".join(_content(chunk) for chunk in self.chunks())

    def chunks(self, watched: Sequence[Stream] = ()) -> Iterator[bytes]:
        """A chunked body as it came, chunk by chunk. Raises Closed when a watched side speaks or goes meanwhile."""
        while True:
            self._await(watched)
            size = self._until(b"\r\n")
            yield size + self._take(int(size.split(b";")[0], 16) + 2)
            if int(size.split(b";")[0], 16) == 0:
                return

    def waiting(self) -> bool:
        """Whether something has come that nobody has read: of an idle connection, its end."""
        return bool(self._read) or bool(select.select([self.socket], [], [], 0)[0])

    def reset(self) -> None:
        """End the connection as a crash does: what is under way is lost."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _await(self, watched: Sequence[Stream]) -> None:
        pending = self.socket.pending() if isinstance(self.socket, ssl.SSLSocket) else 0
        if self._read or pending or not watched:
            return
        others = [stream.socket for stream in watched]
        if set(select.select([self.socket, *others], [], [])[0]) & set(others):
            raise Closed("the client does not want the rest")

    def _until(self, mark: bytes) -> bytes:
        while (end := self._read.find(mark)) < 0:
            self._more()
        end += len(mark)
        found, self._read = self._read[:end], self._read[end:]
        return found

    def _take(self, length: int) -> bytes:
        if len(self._read) < length:
            pieces, missing = [self._read], length - len(self._read)
            self._read = b""
            while missing > 0:
                self._more()
                pieces.append(self._read[:missing])
                self._read, missing = self._read[missing:], missing - len(pieces[-1])
            return b"".join(pieces)
        found, self._read = self._read[:length], self._read[length:]
        return found

    def _more(self) -> None:
        piece = self.socket.recv(_PIECE)
        if not piece:
            raise Closed("the other side has closed the connection")
        self._read += piece


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def _content(framed: bytes) -> bytes:
    return framed.partition(b"\r\n")[2][:-2]
