"""Certificates made by the library that everybody uses, to be read by ours."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

Extension = x509.ExtensionType


@dataclass(frozen=True)
class Authority:
    """Who can issue certificates; as PEM, itself."""

    certificate: x509.Certificate
    private: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key(self) -> str:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def issues(
        self,
        name: str,
        end: datetime,
        begin: datetime | None = None,
        ca: bool = True,
        more: Sequence[Extension] = (),
        path_length: int | None = None,
    ) -> Authority:
        made = _builder(_name(name), self.certificate.subject, (begin, end), ca, more, path_length)
        return _signed(made, ec.generate_private_key(ec.SECP256R1()), self.private)

    def renewed(self, end: datetime, more: Sequence[Extension] = ()) -> Authority:
        """The same name and the same key, with another end."""
        name = self.certificate.subject
        life = (self.certificate.not_valid_before_utc, end)
        return _signed(_builder(name, name, life, True, more), self.private, self.private)

    def pointer(self) -> Extension:
        """By what a certificate says that this one, and no other of its key, has issued it."""
        issuer = [x509.DirectoryName(self.certificate.issuer)]
        return x509.AuthorityKeyIdentifier(None, issuer, self.certificate.serial_number)


def root(
    name: str,
    end: datetime,
    begin: datetime | None = None,
    path_length: int | None = None,
    more: Sequence[Extension] = (),
) -> Authority:
    """One that has issued itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _signed(_builder(_name(name), _name(name), (begin, end), True, more, path_length), key, key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    life: tuple[datetime | None, datetime],
    ca: bool,
    more: Sequence[Extension],
    path_length: int | None = None,
) -> x509.CertificateBuilder:
    begin, end = life
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin or end - timedelta(days=3650))
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length), critical=True)
    )
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    return builder


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Authority:
    return Authority(builder.public_key(key.public_key()).sign(signer, hashes.SHA256()), key)


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def usage(*, key_cert_sign: bool) -> Extension:
    """What a key may be used for."""
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign")
    never = dict.fromkeys([*others, "encipher_only", "decipher_only"], False)
    return x509.KeyUsage(digital_signature=True, key_cert_sign=key_cert_sign, **never)


def certificate(end: datetime) -> str:
    """A certificate that ends then, as PEM."""
    return root("root", end).pem


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secret(name: str, data: Mapping[str, str], namespace: str = "istio-system") -> dict[str, Any]:
    """A Secret as the API server gives it."""
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "data": {key: encoded(text) for key, text in data.items()},
    }


def cacerts(signer: Authority, above: Authority, *between: Authority) -> dict[str, Any]:
    """What `cacerts` holds: a signer, its chain, and the root above."""
    chain = "".join(one.pem for one in (signer, *between))
    data = {"ca-cert.pem": signer.pem, "ca-key.pem": signer.key, "cert-chain.pem": chain, "root-cert.pem": above.pem}
    return secret("cacerts", data)
