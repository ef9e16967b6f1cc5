"""Certificates made by the library that everybody uses, to be read by ours."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding


def certificate(end: datetime) -> str:
    """A certificate that ends then, as PEM."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "root")]),
    )
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    dated = builder.serial_number(7).not_valid_before(end - timedelta(days=3650)).not_valid_after(end)
    return dated.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
