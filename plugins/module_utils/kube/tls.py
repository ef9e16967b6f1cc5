# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an error of TLS means: a verdict on a certificate, two sides that do not fit, or a connection that was lost.

OpenSSL's names of reasons are those of `openssl/sslerr.h`; an alert is what the other side has said.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from .errors import ApiError, CertificateRejected, ClientCertificateRejected, NoTls, Unreachable


@dataclass(frozen=True)
class _Verdict:
    """What stays as it is however often one asks."""

    kind: type[ApiError]
    says: str
    hint: str = ""


_OURS = _Verdict(ClientCertificateRejected, "it does not accept our client certificate")
_NO_TLS = _Verdict(
    NoTls,
    "what answers there speaks no TLS",
    "Check scheme and port of the address: something else than an API server answers, or plain HTTP",
)
_NOTHING_SHARED = _Verdict(
    NoTls,
    "it shares no version of TLS, or no cipher, with this machine",
    "Allow on one side what the other has: the minimal TLS version and the ciphers of the server, or of the OpenSSL of "
    "the machine that runs Ansible",
)
_NO_SUCH_NAME = _Verdict(
    NoTls, "it serves nothing by the name that it was asked for", "Check the address and 'tls-server-name'"
)
_VERDICTS = {
    "SSLV3_ALERT_BAD_CERTIFICATE": _OURS,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _OURS,
    "SSLV3_ALERT_CERTIFICATE_REVOKED": _OURS,
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": _OURS,
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": _OURS,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _OURS,
    "TLSV1_ALERT_ACCESS_DENIED": _OURS,
    "TLSV1_ALERT_UNKNOWN_CA": _OURS,
    "HTTP_REQUEST": _NO_TLS,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "NO_PROTOCOLS_AVAILABLE": _NOTHING_SHARED,
    "NO_SHARED_CIPHER": _NOTHING_SHARED,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _NOTHING_SHARED,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": _NOTHING_SHARED,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NOTHING_SHARED,
    "UNSUPPORTED_PROTOCOL": _NOTHING_SHARED,
    "TLSV1_UNRECOGNIZED_NAME": _NO_SUCH_NAME,
}
_LOST = _Verdict(Unreachable, "the TLS connection was lost")


def is_verdict(error: ssl.SSLError) -> bool:
    """Whether asking again would be answered in the same way."""
    return isinstance(error, ssl.SSLCertVerificationError) or error.reason in _VERDICTS


def tls_failure(what: str, error: ssl.SSLError, subject: str) -> ApiError:
    """The typed failure of a request that TLS has ended."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = f"its certificate is not accepted: {error.verify_message or error}"
        return CertificateRejected(what, subject=subject, reason=reason)
    verdict = _VERDICTS.get(error.reason or "", _LOST)
    detail = (error.reason or str(error)).replace("_", " ").lower()
    return verdict.kind(what, subject=subject, reason=f"{verdict.says} ({detail})", hint=verdict.hint)
