"""The faults there are: what becomes of a request, and what its client sees of it.

The two are independent, and that is where the trouble lies: a request that was never answered may have been
carried out. The texts are those that an API server and the usual proxies before it send.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """This instead of the server's answer."""

    status: int
    body: bytes
    content: str = "application/json"
    retry_after: int = 0


@dataclass(frozen=True)
class Reset:
    """The connection ends without a word."""


@dataclass(frozen=True)
class Truncated:
    """Half of the server's answer: said to be all of it, or broken off where more was announced."""

    honest: bool


@dataclass(frozen=True)
class Late:
    """The server's answer, after a while."""

    seconds: float


@dataclass(frozen=True)
class Cut:
    """The server's stream, until it ends in the middle of its first event."""


@dataclass(frozen=True)
class Ended:
    """A stream that starts well and whose first event is the server's error."""

    event: bytes


Reply = Answer | Reset | Truncated | Late | Cut | Ended


READS = ("get", "list")
WRITES = ("create", "update", "apply", "patch", "delete")
WATCH = ("watch",)
PLAIN = READS + WRITES
EVERY = PLAIN + WATCH


@dataclass(frozen=True)
class Fault:
    """What is done to a request: whether the server gets it, what the client gets, and to which verbs it happens."""

    name: str
    reply: Reply
    verbs: tuple[str, ...] = EVERY
    reaches_server: bool = False


def _status(code: int, reason: str, message: str) -> bytes:
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return json.dumps({**status, "message": message, "reason": reason, "code": code}).encode()


_MODIFIED = _status(
    409,
    "Conflict",
    "Operation cannot be fulfilled on the object: the object has been modified; "
    "please apply your changes to the latest version and try again",
)
_EXPIRED = _status(410, "Expired", "The provided continue parameter is too old to display a consistent list result.")
_TOO_OLD = _status(410, "Expired", "too old resource version: 1 (2)")
_BUSY = _status(429, "TooManyRequests", "too many requests, please try again later")
_INTERNAL = _status(500, "InternalError", "Internal error occurred: etcdserver: leader changed")
_UNAVAILABLE = _status(503, "ServiceUnavailable", "the server is currently unable to handle the request")
_TIMEOUT = _status(504, "Timeout", "Timeout: request did not complete within the allotted timeout")
_PAGE = b"<html>\n<head><title>%s</title></head>\n<body><h1>%s</h1></body>\n</html>\n"
_BAD_GATEWAY = _PAGE % (b"502 Bad Gateway", b"502 Bad Gateway")
_PORTAL = _PAGE % (b"Sign in", b"Sign in to the network")
_NO_BACKEND = _PAGE % (b"404 Not Found", b"default backend - 404")
_GONE_EVENT = b'{"type":"ERROR","object":%s}\n' % _TOO_OLD

_ALL = (
    Fault("429", Answer(429, _BUSY)),
    Fault("429_retry_after", Answer(429, _BUSY, retry_after=1)),
    Fault("500", Answer(500, _INTERNAL)),
    Fault("502_html", Answer(502, _BAD_GATEWAY, "text/html")),
    Fault("503", Answer(503, _UNAVAILABLE)),
    Fault("503_retry_after", Answer(503, _UNAVAILABLE, retry_after=1)),
    Fault("504", Answer(504, _TIMEOUT)),
    Fault("409", Answer(409, _MODIFIED), WRITES),
    Fault("410", Answer(410, _EXPIRED), ("list", "watch")),
    Fault("200_html", Answer(200, _PORTAL, "text/html")),
    Fault("404_html", Answer(404, _NO_BACKEND, "text/html")),
    Fault("reset_before", Reset()),
    # From here on the server has done what was asked, whatever the client sees.
    Fault("reset_after", Reset(), PLAIN, reaches_server=True),
    Fault("500_after", Answer(500, _INTERNAL), PLAIN, reaches_server=True),
    Fault("502_html_after", Answer(502, _BAD_GATEWAY, "text/html"), PLAIN, reaches_server=True),
    Fault("504_after", Answer(504, _TIMEOUT), PLAIN, reaches_server=True),
    Fault("truncated", Truncated(honest=True), PLAIN, reaches_server=True),
    Fault("broken_off", Truncated(honest=False), PLAIN, reaches_server=True),
    Fault("late", Late(0.1), EVERY, reaches_server=True),
    Fault("watch_cut", Cut(), WATCH, reaches_server=True),
    Fault("watch_expired", Ended(_GONE_EVENT), WATCH),
)
FAULTS: Mapping[str, Fault] = {fault.name: fault for fault in _ALL}
# Faults that are over when a client asks again, which it safely can; after any other a client may rightly give up.
PASSING = tuple(fault for fault in _ALL if fault.name not in ("409", "200_html", "404_html", "truncated"))
