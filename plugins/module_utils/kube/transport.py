# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One HTTP exchange with an API server: credentials, timeouts, safe repetition, typed failure.

What is safe to repeat (reads, server-side apply, deletes: all idempotent) is
repeated after 429 and 503 as the server asks, and after gateway errors, resets
and TLS connections that were lost; nothing else is.
"""

from __future__ import annotations

import functools
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

from .connection import Connection
from .errors import ApiError, TimedOut, Unreachable, may_pass
from .tls import is_verdict, tls_failure

try:
    import urllib3

    class _Patience(urllib3.Retry):
        """As long as the server asks, but never longer than a person would wait."""

        def get_retry_after(self, response: urllib3.BaseHTTPResponse) -> float | None:
            seconds = super().get_retry_after(response)
            return None if seconds is None else min(seconds, _LONGEST_PAUSE)

        def _is_read_error(self, err: Exception) -> bool:
            """A TLS connection that was lost is as a reset: it may have been lost with the request in it."""
            lost = _find_cause(err, ssl.SSLError)
            return super()._is_read_error(err) if lost is None else not is_verdict(lost)

except ImportError:  # connect() says which library is missing
    pass

JSON = "application/json"
# By method. What is not idempotent is repeated only after an answer that says nothing was done;
# a 500 to an apply is as a rule the verdict on the object, not a moment of weakness.
_RETRIED_STATUS = {"GET": (429, 500, 502, 503, 504), "POST": (429, 503)}
_RETRIED_STATUS_OF_WRITES = (429, 502, 503, 504)
_CONNECT_SECONDS = 10.0
_LONGEST_PAUSE = 10.0
# Server-side apply; deletes with the uid, and replacements with the resourceVersion, of what was seen.
_IDEMPOTENT_WRITES = ("PATCH", "DELETE", "PUT")
_PAUSES = (0.05, 0.2, 0.8)
_Cause = TypeVar("_Cause", bound=BaseException)


def exchange(
    connection: Connection,
    method: str,
    path: str,
    subject: str,
    *,
    query: Mapping[str, str],
    body: Mapping[str, Any] | None = None,
    content: str = "",
    accept: str = JSON,
    timeout: float,
    stream: bool = False,
) -> urllib3.BaseHTTPResponse:
    """The server's answer, whatever its status. Raises Unreachable, CertificateRejected or TimedOut."""
    asked = urlencode({key: value for key, value in query.items() if value})
    url = f"{connection.base}{path}" + (f"?{asked}" if asked else "")
    arguments: dict[str, Any] = {
        "headers": _headers(connection, content if body is not None else "", accept),
        "body": None if body is None else json.dumps(body).encode(),
        "timeout": urllib3.Timeout(connect=min(timeout, _CONNECT_SECONDS), read=timeout),
        "preload_content": not stream,
    }
    try:
        for pause in _PAUSES if method in _IDEMPOTENT_WRITES else ():
            answer = connection.pool.request(method, url, retries=_retries(method), **arguments)
            if not _passing(answer) or (answer.status == 409 and _has_version(body)):
                return answer
            time.sleep(pause)
        return connection.pool.request(method, url, retries=_retries(method), **arguments)
    except urllib3.exceptions.HTTPError as error:
        raise _unreachable(connection, error, subject, timeout) from error


def _passing(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether a write failed for a reason of the moment, which only its text tells."""
    return answer.status in (409, 500) and may_pass(answer.status, read_status(answer.data))


def _has_version(body: Mapping[str, Any] | None) -> bool:
    """Whether a write is meant for one version alone: when that has passed, to ask again changes nothing."""
    seen = [(body or {}).get(part) or {} for part in ("metadata", "preconditions")]
    return any(part.get("resourceVersion") for part in seen)


def was_repeated(answer: urllib3.BaseHTTPResponse) -> bool:
    """Whether it was sent before with an outcome that nobody knows, so that the answer is not that of all of it."""
    history = answer.retries.history if answer.retries else ()
    return any(sent.error or (sent.status or 0) >= 500 for sent in history)


def _headers(connection: Connection, content: str, accept: str) -> urllib3.HTTPHeaderDict:
    headers = urllib3.HTTPHeaderDict({"Accept": accept, **connection.headers()})
    if content:
        headers["Content-Type"] = content
    for name, value in connection.repeated_headers():
        headers.add(name, value)
    return headers


@functools.cache
def _retries(method: str) -> urllib3.Retry:
    # A POST is never repeated after a reset: nobody knows whether it took effect.
    return _Patience(
        total=4,
        connect=2,
        read=0 if method == "POST" else 2,
        other=0,
        redirect=0,
        status_forcelist=_RETRIED_STATUS.get(method, _RETRIED_STATUS_OF_WRITES),
        allowed_methods=None,
        backoff_factor=0.1,
        backoff_max=2.0,
        respect_retry_after_header=True,
        raise_on_status=False,
    )


def _unreachable(connection: Connection, error: Exception, subject: str, timeout: float) -> ApiError:
    cause = getattr(error, "reason", None) or error
    name, url = connection.name, connection.url
    what = f"Could not reach {name if name == url else f'{name} ({url})'} for {subject}"
    of_tls = _find_cause(cause, ssl.SSLError)
    if of_tls is not None:
        return tls_failure(what, of_tls, subject)
    if isinstance(cause, urllib3.exceptions.ReadTimeoutError):
        return TimedOut(what, subject=subject, reason=f"no answer within {timeout:g} s")
    return Unreachable(what, subject=subject, reason=_short(cause))


def _find_cause(error: object, kind: type[_Cause]) -> _Cause | None:
    seen = 0
    while isinstance(error, BaseException) and seen < 8:
        if isinstance(error, kind):
            return error
        error = (
            error.args[0]
            if error.args and isinstance(error.args[0], BaseException)
            else error.__cause__ or error.__context__
        )
        seen += 1
    return None


def _short(cause: object) -> str:
    text = str(cause)
    return text.rpartition(": ")[2] if "HTTPConnection" in text or "HTTPSConnection" in text else text


def read_status(text: bytes) -> Mapping[str, Any]:
    """The Status object of an error, or what somebody in between has said."""
    try:
        status = json.loads(text)
    except ValueError:
        return {"message": excerpt(text)}
    return status if isinstance(status, dict) else {"message": excerpt(text)}


def excerpt(text: bytes) -> str:
    """The beginning of an answer that is not what it should be."""
    return " ".join(text[:200].decode(errors="replace").split())
