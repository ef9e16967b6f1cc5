"""Certificates: when they end, whatever made them; who has issued whom; and what is none."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio import certificates as reading
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.certificates import (
    Certificate,
    MissingLibrary,
    NotACertificate,
    certificates,
    root_of,
)
from unit.support.certificates import Authority, certificate, root

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=timezone.utc)
LATER = NOW + timedelta(days=100)


def read(*authorities: Authority) -> list[Certificate]:
    return certificates("".join(one.pem for one in authorities))


@pytest.mark.parametrize("days", [-1, 1, 365, 3650, 365 * 40])
def test_the_end_is_read(days: int) -> None:
    """From 2050 on the end is written in another way."""
    assert [one.ends for one in certificates(certificate(NOW + timedelta(days=days)))] == [NOW + timedelta(days=days)]


def test_a_chain_has_several() -> None:
    ends = [NOW + timedelta(days=days) for days in (1, 2)]
    assert [one.ends for one in certificates("".join(map(certificate, ends)))] == ends


@pytest.mark.parametrize(
    "text",
    ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n"],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(NotACertificate):
        certificates(text)


def test_a_chain_leads_to_its_root() -> None:
    above = root("above", LATER)
    middle = above.issues("middle", LATER)
    signer = middle.issues("signer", LATER)
    first, between, last = read(signer, middle, above)
    assert root_of(first, [first, between], [last]) == last
    assert root_of(first, [], [last]) is None
    assert root_of(last, [], [last]) == last


def test_an_equal_name_is_no_issuer() -> None:
    """What counts is the signature."""
    signer, namesake = root("above", LATER).issues("signer", LATER), root("above", LATER)
    first, other = read(signer, namesake)
    assert root_of(first, [other], [other]) is None


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MISSING_LIBRARY", "cryptography")
    with pytest.raises(MissingLibrary, match=r"cryptography.*requirements.txt"):
        certificates(certificate(LATER))
