# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Until when certificates are valid, read with nothing but the standard library.

Source of the layout: RFC 5280, 4.1 (Certificate, TBSCertificate, Validity), in DER.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import datetime, timezone

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION = 0x30, 0xA0
_FORMATS = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime, GeneralizedTime


class NotACertificate(ValueError):
    """The text holds no certificate that can be read."""


def ends_of(pem: str) -> list[datetime]:
    """When each certificate of a text ends. Raises NotACertificate when there is none, or one is broken."""
    found = _PEM.findall(pem)
    if not found:
        raise NotACertificate
    try:
        return [_not_after(base64.b64decode(text, validate=False)) for text in found]
    except (IndexError, KeyError, StopIteration, ValueError) as error:
        raise NotACertificate from error


def _not_after(der: bytes) -> datetime:
    """Certificate -> TBSCertificate: [version], serial, algorithm, issuer, validity -> notAfter."""
    _tag, certificate = next(_items(der))
    _tag, signed = next(_items(certificate))
    fields = [field for field in _items(signed) if field[0] != _VERSION]
    tag, validity = fields[3]
    if tag != _SEQUENCE:
        raise NotACertificate
    _before, (kind, text) = list(_items(validity))[:2]
    moment = datetime.strptime(text.decode("ascii"), _FORMATS[kind])
    if kind == 0x17 and moment.year >= 2050:  # RFC 5280: 50 to 99 are the years from 1950 on
        moment = moment.replace(year=moment.year - 100)
    return moment.replace(tzinfo=timezone.utc)


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The elements of a sequence: tag and content."""
    at = 0
    while at < len(data):
        tag, length, at = data[at], data[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        yield tag, data[at : at + length]
        at += length
