# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong, as values that a person and a playbook can both read.

Every layer raises a Failure; only the task layer turns one into a failed task.
A Failure says what happened, to which object, why, and what to do next.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

_HIDDEN = "(hidden)"
SHORTEST_SECRET = 3  # a shorter text stands everywhere, and hiding it would hide the message


class Failure(Exception):
    """Base of everything that this collection raises on purpose."""

    code: ClassVar[str] = "failure"
    default_hint: ClassVar[str] = ""
    place = ""  # of the input, where it is known
    changed = False  # whether something had been written when it happened
    extra: Mapping[str, Any] = {}  # what else the result of the failed task tells

    def __init__(self, what: str, *, subject: str = "", reason: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.subject = subject
        self.reason = reason
        self.hint = hint or self.default_hint

    def __str__(self) -> str:
        parts = [": ".join(part.rstrip(".") for part in (self.what, self.reason) if part)]
        if self.hint:
            parts.append(self.hint.rstrip("."))
        return ". ".join(parts) + "."

    def stands_in(self, place: str) -> None:
        """Name the place of the input that it is about; once, whoever hands it on."""
        if place and place != self.place:
            self.place = place
            self.what = f"{self.what} ({place})"

    @property
    def line(self) -> str:
        """It as one among several."""
        return f"{self.subject}{f' ({self.place})' if self.place else ''}: {self.reason or self.what}"

    def hide(self, secrets: Iterable[str]) -> None:
        """Take secrets out of every text: servers and libraries quote what they were given."""
        known = [text for text in secrets if len(text) >= SHORTEST_SECRET]
        self.what, self.reason, self.hint = (hidden(text, known) for text in (self.what, self.reason, self.hint))

    def as_dict(self) -> dict[str, str]:
        """The `failure` of a task's result."""
        return {"code": self.code, "object": self.subject, "reason": self.reason or self.what, "hint": self.hint}


def hidden(text: str, secrets: Iterable[str]) -> str:
    """A text without secrets, the longest first: one may hold another."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return text


class Bug(Failure):
    """An error that nobody foresaw. Its text may quote anything, so only its place is told."""

    code = "bug"
    default_hint = "Please report it, with the place named here and what the task was given"

    @classmethod
    def of(cls, error: BaseException) -> Bug:
        frames = traceback.extract_tb(error.__traceback__)
        place = (
            f"{'/'.join(Path(frames[-1].filename).parts[-2:])}:{frames[-1].lineno}" if frames else "an unknown place"
        )
        return cls("The collection failed in a way that nobody foresaw", reason=f"{type(error).__name__} in {place}")


class ConnectionOptionsError(Failure):
    """The options do not name a cluster, or name one in a way that is not allowed."""

    code = "connection_options"


def missing_library(name: str, why: str = "") -> ConnectionOptionsError:
    """The error of whoever needs a library that is not there."""
    return ConnectionOptionsError(
        f"The Python library '{name}' is missing",
        reason=why,
        hint="Install the collection's requirements.txt for the Python that runs Ansible "
        "(with a local connection that is the controller's, not ansible_python_interpreter)",
    )


class ApiError(Failure):
    """The API server, or the way to it, answered with an error."""

    code = "api_error"

    def __init__(
        self,
        what: str,
        *,
        subject: str = "",
        reason: str = "",
        hint: str = "",
        status: int = 0,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(what, subject=subject, reason=reason, hint=hint)
        self.status = status
        self.details: Mapping[str, Any] = details or {}
        self.was_repeated = False  # after an answer that was lost: this one is not the whole truth


class Unreachable(ApiError):
    code = "unreachable"
    default_hint = "Check the address, the network and the proxy, and that the API server is running"


class NoTls(Unreachable):
    """What answers does not speak the TLS that an API server speaks with us, however often it is asked."""

    code = "no_tls"


class CertificateRejected(ApiError):
    code = "certificate"
    default_hint = (
        "Give the cluster's CA by 'ca_cert' or in the kubeconfig; "
        "an expired certificate has to be renewed on the server"
    )


class ClientCertificateRejected(CertificateRejected):
    """It is ours that the server does not accept."""

    code = "client_certificate"
    default_hint = (
        "Give a certificate that is valid and signed by an authority that the server trusts, "
        "by 'client_cert' and 'client_key' or in the kubeconfig"
    )


class TimedOut(ApiError):
    code = "timeout"
    default_hint = "Raise 'request_timeout' or look at the load of the API server"


class Unauthorized(ApiError):
    code = "unauthorized"
    default_hint = "The token or certificate is wrong or has expired: renew the credentials of this cluster"


class Forbidden(ApiError):
    code = "forbidden"
    default_hint = "Grant the verb on the resource to this user (see examples/rbac), or use other credentials"


class NamespaceTerminating(ApiError):
    """Nothing new may be made in a namespace that is being deleted."""

    code = "namespace_terminating"
    default_hint = (
        "Run the task again when the namespace is gone (its status.conditions say what it waits for), "
        "or leave its objects out"
    )


class NotFound(ApiError):
    code = "not_found"


class UnknownKind(ApiError):
    """The API server does not serve this kind: its CRD is not installed."""

    code = "unknown_kind"
    default_hint = (
        "Check apiVersion and kind; for a kind of Istio, install the control plane first "
        "(its base chart brings the CRDs)"
    )


class Gone(ApiError):
    """What was asked for is not kept any more: the continuation of a list has expired."""

    code = "gone"
    default_hint = "Run the task again"
    continuation = ""


class Conflict(ApiError):
    code = "conflict"
    default_hint = "Somebody else changed it at the same moment: run the task again"


class Invalid(ApiError):
    code = "invalid"
    default_hint = "Correct the named field"


class DeniedByWebhook(ApiError):
    code = "denied_by_webhook"
    default_hint = "Correct the object as the webhook says"


class WebhookUnavailable(ApiError):
    code = "webhook_unavailable"
    default_hint = "Check that the Service behind the webhook exists and its Pods are ready"


class ServerError(ApiError):
    code = "server_error"
    default_hint = "Run the task again; if it stays, look into the log of the API server"


class Interrupted(Failure):
    """The playbook that this worker belongs to has gone: nothing more may be written."""

    code = "interrupted"
    default_hint = "Run the playbook again: it goes on from what the cluster has"


class TooBusy(ApiError):
    code = "too_busy"
    default_hint = (
        "The API server had too much to do, again and again: run the task later, or look for who keeps it busy"
    )


BY_STATUS: Mapping[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    429: TooBusy,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    408: TimedOut,
    504: TimedOut,
}

# After one of these nobody knows what a write has done, or who was faster: only the object itself tells.
# A server that is too busy says so of the last attempt, after one whose answer may have been lost.
IN_DOUBT = (Conflict, ServerError, TimedOut, TooBusy, Unreachable)

# The API server's own answer where it serves no such group or kind.
_NO_SUCH_PATH = "404 page not found"
_DENIED = "denied the request"
# Server-side apply says so, with status 500, of fields and types that the schema does not have.
_NOT_IN_SCHEMA = ("failed to create typed patch object", "failed to convert new object")
_WEBHOOK_DOWN = "failed calling webhook"
# So a server answers who speaks HTTP without TLS with it (net/http of Go).
_PLAIN = "Client sent an HTTP request to an HTTPS server"
# The cause that the API server names with a 403.
_TERMINATING = "NamespaceTerminating"
# It does not name the verb that would allow it (Kubernetes: "RBAC Good Practices", escalate and bind).
_RBAC = "rbac.authorization.k8s.io"
_ESCALATION = re.compile(r'user "(?P<user>[^"]+)".* is attempting to grant RBAC permissions not currently held')

# What to do next where the kind of an error alone does not tell: the first whose pattern is in the message.
_HINTS: tuple[tuple[type[ApiError], re.Pattern[str], str], ...] = (
    (
        Forbidden,
        re.compile('"system:anonymous"'),
        "No credentials were sent: give some, or look at the user of the context in the kubeconfig",
    ),
    (
        Forbidden,
        re.compile("exceeded quota"),
        "Raise the ResourceQuota of the namespace, or remove what counts against it",
    ),
    (Forbidden, re.compile("^(?!.* cannot )", re.DOTALL), "Nobody may do that, whatever their rights: do as it says"),
    (NoTls, re.compile(_PLAIN), "Write https:// in the address of the cluster"),
    # No path of a field is in the text.
    (Invalid, re.compile(r"^(?!.*\w[\])]?\.[a-zA-Z])", re.DOTALL), "Correct the object as it says"),
)


def lacks_schema(error: Failure) -> bool:
    """Whether the server knows no such field, or another type of it."""
    return any(text in error.reason for text in _NOT_IN_SCHEMA)


def error_from_status(
    verb: str,
    subject: str,
    cluster: str,
    code: int,
    status: Mapping[str, Any],
    body: Mapping[str, Any] | None = None,
) -> ApiError:
    """The typed error of an API server's Status object (or of what a proxy in between answered)."""
    message = str(status.get("message") or "").strip() or f"HTTP {code}"
    missing = _escalation(message, body or {}) or _unbindable(code, status, body or {})
    kind = Forbidden if missing else _error_type(code, message, status)
    error = kind(
        f"Could not {verb} {subject} on {cluster}",
        subject=subject,
        reason=missing or message,
        hint="" if missing else _hint(kind, message),
        status=code,
        details=status.get("details") or {},
    )
    if isinstance(error, Gone):
        error.continuation = str((status.get("metadata") or {}).get("continue") or "")
    return error


def _hint(kind: type[ApiError], message: str) -> str:
    """What to do about this message; nothing where its kind says enough."""
    return next((hint for of, said, hint in _HINTS if issubclass(kind, of) and said.search(message)), "")


def may_pass(code: int, status: Mapping[str, Any]) -> bool:
    """Whether an error of an idempotent write says nothing about the object, so that asking again may help.

    A 500 is a verdict when it comes from a schema or a webhook; a 409 without causes is a race that the server lost.
    """
    message = str(status.get("message") or "")
    if code == 500:
        return not (message.startswith(_NOT_IN_SCHEMA) or _WEBHOOK_DOWN in message or _DENIED in message)
    return code == 409 and not (status.get("details") or {}).get("causes")


def _escalation(message: str, body: Mapping[str, Any]) -> str:
    """The verb that is missing where a role, or a binding to one, would give more than its writer has."""
    found = _ESCALATION.search(message)
    if not found:
        return ""
    role = (body.get("roleRef") or {}).get("kind")
    verb, what = ("bind", "binding it gives") if role else ("escalate", "it has")
    cannot = _cannot(f'User "{found["user"]}"', verb, str(role or body.get("kind") or "Role"))
    return f"{cannot}, and {what} permissions that this user does not have"


def _unbindable(code: int, status: Mapping[str, Any], body: Mapping[str, Any]) -> str:
    """Who may not bind has the role compared with what they have; of one that is only planned nothing is known.

    The API server then says that the binding, which it was to create, is not found.
    """
    details = status.get("details") or {}
    if code != 404 or details.get("group") != _RBAC or not body.get("roleRef"):
        return ""
    cannot = _cannot("this user", "bind", str(body["roleRef"].get("kind")))
    return f"{cannot}, and the role that it names does not exist yet, so that its permissions cannot be compared"


def _cannot(who: str, verb: str, kind: str) -> str:
    return f'{who} cannot {verb} resource "{kind.lower()}s" in API group "{_RBAC}"'


def _error_type(code: int, message: str, status: Mapping[str, Any]) -> type[ApiError]:
    if _WEBHOOK_DOWN in message:
        return WebhookUnavailable
    if _PLAIN in message:
        return NoTls
    if message.startswith("admission webhook") and _DENIED in message:
        return DeniedByWebhook
    if message.startswith(_NOT_IN_SCHEMA):
        return Invalid
    causes = (status.get("details") or {}).get("causes") or []
    if code == 403 and any(cause.get("reason") == _TERMINATING for cause in causes):
        return NamespaceTerminating
    if code == 404 and status.get("kind") != "Status":
        # An ingress or a proxy has 404s of its own, and these say nothing about kinds and objects.
        return UnknownKind if message == _NO_SUCH_PATH else Unreachable
    return BY_STATUS.get(code, ServerError)
