# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates as values: whose they are, until when they are valid, and who has issued whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from ..kube.errors import Failure

MISSING_LIBRARY: str | None = None
try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
except ImportError as error:  # said when a task runs, not when the plugin is only looked at
    MISSING_LIBRARY = error.name or str(error)

_Kind = TypeVar("_Kind", bound="x509.ExtensionType")
_SHOWN_DIGITS = 16


class NotACertificate(ValueError):
    """The text holds no certificate that can be read."""


class MissingLibrary(Failure):
    """What reads and makes certificates is not installed."""

    code = "missing_library"


@dataclass(frozen=True)
class Certificate:
    """One certificate that has been read."""

    parsed: x509.Certificate

    @property
    def subject(self) -> str:
        return self.parsed.subject.rfc4514_string()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` tells it, without its colons."""
        return self.parsed.fingerprint(SHA256()).hex()

    @property
    def begins(self) -> datetime:
        return self.parsed.not_valid_before_utc

    @property
    def ends(self) -> datetime:
        return self.parsed.not_valid_after_utc

    @property
    def pem(self) -> str:
        return self.parsed.public_bytes(Encoding.PEM).decode()

    @property
    def is_authority(self) -> bool:
        """Whether it may sign other certificates."""
        constraints, usage = _extension(self.parsed, x509.BasicConstraints), _extension(self.parsed, x509.KeyUsage)
        return constraints is not None and bool(constraints.ca) and (usage is None or bool(usage.key_cert_sign))

    @property
    def is_of_old(self) -> bool:
        """Whether it is of the first version of X.509, which has no extensions; such roots are taken as they are."""
        return self.parsed.version is x509.Version.v1

    @property
    def path_length(self) -> int | None:
        """How many authorities there may be below this one, before whoever is no authority; None for any number."""
        constraints = _extension(self.parsed, x509.BasicConstraints)
        return constraints.path_length if constraints else None

    @property
    def key_identifier(self) -> bytes:
        """By what those that it has signed point at its key; empty when it does not say."""
        identifier = _extension(self.parsed, x509.SubjectKeyIdentifier)
        return identifier.digest if identifier else b""

    def is_issued_by(self, other: Certificate) -> bool:
        try:
            self.parsed.verify_directly_issued_by(other.parsed)
        except (InvalidSignature, TypeError, ValueError):
            return False
        return self._points_at(other)

    def _points_at(self, other: Certificate) -> bool:
        """Whether its issuer, as far as it names it, is that one.

        Of several certificates of one key proxies take no other one (BoringSSL, X509_check_akid).
        """
        pointer = _extension(self.parsed, x509.AuthorityKeyIdentifier)
        if pointer is None:
            return True
        is_key = not (pointer.key_identifier and other.key_identifier) or pointer.key_identifier == other.key_identifier
        return is_key and pointer.authority_cert_serial_number in (None, other.parsed.serial_number)

    def told(self) -> dict[str, Any]:
        """What people and playbooks are told of it."""
        return {
            "subject": self.subject,
            "fingerprint": self.fingerprint,
            "begins": self.begins.isoformat(),
            "ends": self.ends.isoformat(),
        }

    def __str__(self) -> str:
        return f"'{self.subject}' ({short(self.fingerprint)})"


def _extension(parsed: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    """What a certificate says of itself in one of its extensions; one that cannot be read says nothing."""
    try:
        return parsed.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def short(fingerprint: str) -> str:
    """As much of a fingerprint as people compare."""
    return f"sha256:{fingerprint[:_SHOWN_DIGITS]}"


def certificates(pem: str) -> list[Certificate]:
    """All certificates of a text. Raises NotACertificate when there is none, or one is broken."""
    require_library()
    try:
        return [Certificate(parsed) for parsed in x509.load_pem_x509_certificates(pem.encode())]
    except ValueError as error:
        raise NotACertificate from error


def require_library() -> None:
    """Raises MissingLibrary."""
    if MISSING_LIBRARY:
        raise MissingLibrary(
            f"The Python library '{MISSING_LIBRARY}' is missing",
            reason="certificates are read and made with it",
            hint="Install the collection's requirements.txt for the Python that runs the module "
            "(with a local connection that is the controller's)",
        )


def path_of(signer: Certificate, chain: Iterable[Certificate], roots: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """From a certificate by a chain to the root that it leads to, with both of them; empty if it leads to none."""
    between, path = list(chain), [signer]
    while True:
        current = path[-1]
        found = next((root for root in roots if current == root or current.is_issued_by(root)), None)
        if found:
            return (*path, *([] if found == current else [found]))
        issuer = next((other for other in between if other != current and current.is_issued_by(other)), None)
        if issuer is None:
            return ()
        between.remove(issuer)  # a circle of certificates must end
        path.append(issuer)


def root_of(signer: Certificate, chain: Iterable[Certificate], roots: Sequence[Certificate]) -> Certificate | None:
    """The root that a certificate leads to by a chain, if it does."""
    return next(iter(path_of(signer, chain, roots)[-1:]), None)


def too_short(path: Sequence[Certificate]) -> Iterator[Certificate]:
    """Those of a path, from the signer up, that allow fewer authorities below them than there are.

    Source: RFC 5280, 4.2.1.9; a certificate that is issued by its own name does not count.
    """
    below = 0
    for one in path:
        if one.path_length is not None and one.path_length < below:
            yield one
        below += one.parsed.subject != one.parsed.issuer
