# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making certificates: a root, and the intermediate by which one cluster's istiod signs.

Source of what they say of themselves: istio.io, "Plug in CA Certificates", and the extensions that RFC 5280, 4.2.1 asks
of authorities.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..kube.errors import Failure
from .certificates import Certificate, NotACertificate, certificates, require_library

try:
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
    )

    Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
except ImportError:  # require_library() says which library is missing
    pass

_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
# The clocks of those who will look at a certificate may be a little behind.
EARLIER = timedelta(minutes=5)


class BadAuthority(Failure):
    """Certificates or keys that were given cannot be right."""

    code = "bad_authority"


@dataclass(frozen=True)
class Root:
    """The roots that a mesh trusts. With a key it can sign, as the root that the key belongs to."""

    certificates: tuple[Certificate, ...]
    key: Key | None = None

    @property
    def signer(self) -> Certificate | None:
        return next((one for one in self.certificates if self.key and _belongs(self.key, one)), None)

    @property
    def pem(self) -> str:
        return "".join(one.pem for one in self.certificates)


def read_certificates(pem: str, what: str) -> tuple[Certificate, ...]:
    """The certificates of a text. Raises BadAuthority, which names the text and does not show it."""
    try:
        return tuple(certificates(pem))
    except NotACertificate as error:
        raise BadAuthority(f"{what} holds no certificate that can be read", subject=what, hint=_PEM_HINT) from error


_PEM_HINT = "Give the text of a PEM file, for example by lookup('ansible.builtin.file', 'root.pem')"


def read_key(pem: str, what: str) -> Key:
    """The private key of a text. Raises BadAuthority, which names the text and does not show it."""
    require_library()
    found = _PRIVATE.search(pem)
    try:
        key = load_pem_private_key(found.group().encode(), None) if found else None
    except (TypeError, ValueError, UnsupportedAlgorithm):  # their texts may quote what they were given
        key = None
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        raise BadAuthority(
            f"{what} holds no private key that can be used",
            subject=what,
            reason="istiod needs a key of RSA or ECDSA in PEM, without a pass phrase",
            hint="Encrypt it by Ansible Vault, not by a pass phrase",
        )
    return key


def key_block(pem: str) -> str:
    """The private key of a text alone: istiod reads the first block of a file, and some have others before the key.

    Source: security/pkg/pki/util/crypto.go, ParsePemEncodedKey.
    """
    found = _PRIVATE.search(pem)
    return f"{found.group()}\n" if found else pem


def require_pair(key: Key, possible: Sequence[Certificate], what: str) -> None:
    """Raises BadAuthority when a key belongs to none of the certificates."""
    if not any(_belongs(key, one) for one in possible):
        raise BadAuthority(
            f"{what} does not belong to its certificate",
            subject=what,
            reason=f"the certificate is {' or '.join(map(str, possible))}",
            hint="Give the key with which this certificate was made",
        )


def made_root(mesh: str, days: int, now: datetime) -> Root:
    """A new root of a mesh."""
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("Root CA", mesh)
    made = _signed(_builder(name, name, key, now, now + timedelta(days=days)), key, key, path_length=None)
    return Root((made,), key)


def made_signer(root: Root, names: tuple[str, str], host: str, end: datetime, now: datetime) -> tuple[Certificate, str]:
    """A new intermediate of a cluster with its key as PEM. `names` are those of the mesh and the cluster."""
    above, key = root.signer, ec.generate_private_key(ec.SECP256R1())
    if above is None or root.key is None:
        raise BadAuthority("The root cannot sign", reason="its key was not given", hint="Give 'root_key'")
    if above.ends <= now:
        raise BadAuthority(
            f"The root {above} cannot sign",
            reason=f"it has ended on {above.ends:%Y-%m-%d %H:%M} UTC",
            hint="Name another root: docs/multicluster.md, 'When a root has ended'",
        )
    builder = _builder(_name("Intermediate CA", *names), above.parsed.subject, key, now, end)
    named = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return _signed(named, key, root.key, path_length=0, above=above), private_pem(key)


def private_pem(key: Key) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _name(common: str, mesh: str, cluster: str = "") -> x509.Name:
    texts = [(x509.NameOID.ORGANIZATION_NAME, mesh), (x509.NameOID.LOCALITY_NAME, cluster)]
    parts = [x509.NameAttribute(oid, text[:64]) for oid, text in texts if text]
    return x509.Name([*parts, x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, now: datetime, end: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(end)
    )


def _signed(
    builder: x509.CertificateBuilder, key: Key, signer: Key, path_length: int | None, above: Certificate | None = None
) -> Certificate:
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    extended = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_pointer(signer, above), critical=False)
    )
    digest = None if isinstance(signer, ed25519.Ed25519PrivateKey) else SHA256()
    return Certificate(extended.sign(signer, digest))


def _pointer(signer: Key, above: Certificate | None) -> x509.AuthorityKeyIdentifier:
    """What points at the issuer: its own word where it has one, as others make that of a key in other ways."""
    if above and above.key_identifier:
        return x509.AuthorityKeyIdentifier(above.key_identifier, None, None)
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


def _belongs(key: Key, certificate: Certificate) -> bool:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return key.public_key().public_bytes(*form) == certificate.parsed.public_key().public_bytes(*form)
