"""One request and what becomes of it: passed on faithfully, or as its fault wants it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .catalogue import Answer, Cut, Ended, Late, Reset, Truncated
from .rules import Entry
from .wire import Closed, Head, Stream, chunk

_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@dataclass(frozen=True)
class Exchange:
    """A client's request, already read, between its two sides. Raises OSError when the conversation is over."""

    client: Stream
    server: Stream
    entry: Entry

    def run(self, head: Head, body: bytes) -> None:
        fault = self.entry.fault
        if fault is None or fault.reaches_server:
            self.server.send(head.with_length(len(body)) if head.chunked else head.raw, body)
            answer = self.server.head()
            self.entry.status = answer.status
            self._disturbed(answer) if fault else self._pass_on(answer)
        else:
            self._reply()

    def _pass_on(self, answer: Head) -> None:
        if not answer.chunked:
            self.client.send(answer.raw, self.server.body(answer))
            return
        self.client.send(answer.raw)
        for piece in self.server.chunks(watched=[self.client]):
            self.client.send(piece)

    def _disturbed(self, answer: Head) -> None:
        """What the client sees of an answer that the server has given."""
        reply = self.entry.fault.reply if self.entry.fault else None
        if isinstance(reply, Late):
            time.sleep(reply.seconds)
            self._pass_on(answer)
        elif isinstance(reply, Cut):
            self.client.send(answer.raw)
            event = next(self.server.chunks(watched=[self.client]))
            self.client.send(event[: len(event) // 2])
            self._reset()
        elif isinstance(reply, Truncated):
            self._truncate(answer, self.server.body(answer), reply)
        else:
            self.server.body(answer)
            self._reply()

    def _truncate(self, answer: Head, body: bytes, reply: Truncated) -> None:
        half = body[: len(body) // 2]
        self.client.send(answer.with_length(len(half if reply.honest else body)), half)
        if not reply.honest:
            raise Closed("the rest is withheld")

    def _reply(self) -> None:
        """What the client sees where the server has no say."""
        reply = self.entry.fault.reply if self.entry.fault else None
        if isinstance(reply, Reset):
            self._reset()
        elif isinstance(reply, Ended):
            self.client.send(_STREAM, chunk(reply.event), chunk(b""))
        elif isinstance(reply, Answer):
            self.client.send(_head(reply), reply.body)

    def _reset(self) -> None:
        self.client.reset()
        raise Closed("the connection was reset on purpose")


def _head(answer: Answer) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} Fault", f"Content-Type: {answer.content}"]
    if answer.retry_after:
        lines.append(f"Retry-After: {answer.retry_after}")
    return "\r\n".join([*lines, f"Content-Length: {len(answer.body)}", "", ""]).encode()
