# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a command in a container, over a WebSocket.

Only what it prints comes back; nothing is typed into it. Source: Kubernetes, the protocol v4.channel.k8s.io of
k8s.io/apimachinery (util/remotecommand): the first byte of a frame says which channel it is of.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from .connection import Connection
from .errors import ApiError, Failure, Unreachable, error_from_status, missing_library
from .resources import POD
from .transport import read_status

MISSING_LIBRARY: str | None = None
try:
    import websocket  # comes with `kubernetes`
except ImportError as error:  # said when it is needed
    MISSING_LIBRARY = error.name or str(error)

_PROTOCOL = "v4.channel.k8s.io"
_OUT, _ERR, _STATUS = 1, 2, 3


class CommandFailed(Failure):
    """The command ran and failed, or could not be run."""

    code = "command_failed"


def run_in_container(
    connection: Connection, namespace: str, pod: str, container: str, command: Sequence[str], seconds: float
) -> str:
    """What the command prints. Raises CommandFailed, or an ApiError where the API server does not let it run."""
    if MISSING_LIBRARY:
        raise missing_library(MISSING_LIBRARY, "commands in containers go over it")
    subject = f"exec in Pod {namespace}/{pod}"
    query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", word) for word in command)]
    url = f"{connection.url}{POD.path(namespace, pod)}/exec?{urlencode(query)}"
    try:
        stream = websocket.create_connection(f"ws{url.removeprefix('http')}", **_options(connection, seconds))
    except websocket.WebSocketBadStatusException as error:
        raise _refused(connection, subject, error) from error
    except (websocket.WebSocketException, OSError) as error:
        raise Unreachable(
            f"Could not reach {connection.name} for {subject}", subject=subject, reason=str(error)
        ) from error
    try:
        return _printed(stream, subject)
    except (websocket.WebSocketException, OSError) as error:
        raise CommandFailed(f"{subject} on {connection.name} broke off", subject=subject, reason=str(error)) from error
    finally:
        stream.close(timeout=1)


def _options(connection: Connection, seconds: float) -> dict[str, Any]:
    headers = [*connection.headers().items(), *connection.repeated_headers()]
    options: dict[str, Any] = {
        "timeout": seconds,
        "subprotocols": [_PROTOCOL],
        "header": [f"{name}: {value}" for name, value in headers],
        "suppress_origin": True,
    }
    if connection.tls:
        name = connection.access.server_name
        checks = connection.tls.verify_mode == ssl.CERT_REQUIRED
        options["sslopt"] = {"context": connection.tls, "check_hostname": checks}
        options["sslopt"] |= {"server_hostname": name} if name else {}
    return {**options, **_proxy(connection.proxy)}


def _proxy(url: str) -> dict[str, Any]:
    if not url:
        return {"http_no_proxy": ["*"]}
    parts = urlsplit(url)
    login = {"http_proxy_auth": (parts.username, parts.password or "")} if parts.username else {}
    return {"http_proxy_host": parts.hostname, "http_proxy_port": parts.port or 3128, "proxy_type": "http", **login}


def _refused(connection: Connection, subject: str, error: websocket.WebSocketBadStatusException) -> ApiError:
    status = read_status(getattr(error, "resp_body", None) or b"")
    return error_from_status("create", subject, connection.name, error.status_code, status)


def _printed(stream: websocket.WebSocket, subject: str) -> str:
    """Everything until the stream ends; its status comes last."""
    printed: dict[int, bytes] = {_OUT: b"", _ERR: b"", _STATUS: b""}
    while True:
        kind, frame = stream.recv_data()
        if kind == websocket.ABNF.OPCODE_CLOSE:
            break
        if frame and frame[0] in printed:
            printed[frame[0]] += frame[1:]
    _require_success(json.loads(printed[_STATUS] or b"{}"), printed[_ERR], subject)
    return printed[_OUT].decode(errors="replace")


def _require_success(status: Mapping[str, Any], said: bytes, subject: str) -> None:
    if status.get("status") != "Success":
        words = " ".join(said.decode(errors="replace").split())
        raise CommandFailed(
            f"{subject} failed",
            subject=subject,
            reason=words or str(status.get("message") or "it ended without a status"),
            hint="Look at the container's log",
        )
