"""One certificate authority per cluster, and an identity for each component and for the admin.

Each component is known to the API server by its own name, as in a real cluster, so that the audit log tells who did
what. The CA's key stays in the folder (0600): tests make expired and unknown certificates with it. Elliptic curves,
because RSA keys take seconds.
"""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFE = datetime.timedelta(days=365)
SKEW = datetime.timedelta(minutes=5)
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


@dataclass(frozen=True)
class Identity:
    """Whom a client certificate names."""

    file: str
    user: str
    group: str = ""


ADMIN = Identity("admin", "admin", "system:masters")
CONTROLLERS = Identity("kube-controller-manager", "system:kube-controller-manager")
SCHEDULER = Identity("kube-scheduler", "system:kube-scheduler")
PROXY = Identity("kube-proxy", "system:kube-proxy")


def kubelet(node: str) -> Identity:
    return Identity("kubelet", f"system:node:{node}", "system:nodes")


@dataclass(frozen=True)
class Authority:
    """A certificate and the key to sign others with it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make(folder: Path, addresses: Sequence[str], identities: Sequence[Identity]) -> None:
    """Everything that a cluster needs, into an empty folder."""
    folder.mkdir(parents=True)
    authority = new_authority()
    write(folder, "ca", authority.certificate, authority.key)
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in SERVER_NAMES]
    names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    issue(folder, authority, Identity("apiserver", "kube-apiserver"), names)
    for identity in identities:
        issue(folder, authority, identity)
    secret(folder / "sa.key", pem(ec.generate_private_key(ec.SECP256R1())))
    token = secrets.token_urlsafe(24)
    secret(folder / "admin.token", token.encode())
    secret(folder / "tokens.csv", f'{token},{ADMIN.user},{ADMIN.user},"{ADMIN.group}"\n'.encode())


def new_authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = subject("testbed-ca")
    builder = template(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    builder = builder.add_extension(usage(sign_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def issue(folder: Path, authority: Authority, identity: Identity, names: Sequence[x509.GeneralName] = ()) -> None:
    """A serving certificate when there are names to serve, else a client's."""
    key = ec.generate_private_key(ec.SECP256R1())
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = template(subject(identity.user, identity.group), authority.certificate.subject, key)
    builder = builder.add_extension(usage(sign_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(issuer, critical=False)  # Python 3.13 refuses certificates without it
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    write(folder, identity.file, builder.sign(authority.key, hashes.SHA256()), key)


def subject(user: str, group: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def template(name: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(issuer, name, key.public_key(), x509.random_serial_number())
    return builder.not_valid_before(now - SKEW).not_valid_after(now + LIFE)


def usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def write(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    (folder / f"{name}.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret(folder / f"{name}.key", pem(key))


def secret(path: Path, content: bytes) -> None:
    """A file that only its owner ever could read."""
    path.touch(mode=0o600)
    path.write_bytes(content)
