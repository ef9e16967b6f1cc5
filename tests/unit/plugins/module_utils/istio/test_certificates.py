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
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.issuing import Root, made_signer
from cryptography import x509
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


def test_a_renewed_root_has_issued_what_the_former_has() -> None:
    """Name and key are the same, and so is what they have signed."""
    old = root("root", NOW)
    first, *both = read(old.issues("signer", LATER), old, old.renewed(LATER))
    assert [root_of(first, [], [one]) for one in both] == both


def test_who_names_its_issuer_has_no_other_one_of_the_same_key() -> None:
    """By number, or by an identifier of the key, which two certificates of one key may make in two ways."""
    old = root("root", LATER)
    named = [old.renewed(LATER, [x509.SubjectKeyIdentifier(text)]) for text in (b"one", b"other")]
    by_key = old.issues("signer", LATER, more=[x509.AuthorityKeyIdentifier(b"one", None, None)])
    by_number = old.issues("signer", LATER, more=[named[0].pointer()])
    for signer in (by_key, by_number):
        first, one, other = read(signer, *named)
        assert (first.is_issued_by(one), first.is_issued_by(other)) == (True, False)
    first, silent = read(by_key, old)
    assert first.is_issued_by(silent)


def test_what_we_sign_names_the_root_as_it_names_itself() -> None:
    """Not every maker of roots makes the identifier of a key as we do (RFC 7093)."""
    other = root("root", LATER).renewed(LATER, [x509.SubjectKeyIdentifier(b"of another length")])
    above = Root(tuple(read(other)), other.private)
    signer, _key = made_signer(above, ("shop", "east"), "istiod.istio-system.svc", LATER, NOW)
    named = signer.parsed.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert named.key_identifier == b"of another length"
    assert root_of(signer, [], above.certificates) == above.signer


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MISSING_LIBRARY", "cryptography")
    with pytest.raises(MissingLibrary, match=r"cryptography.*requirements.txt"):
        certificates(certificate(LATER))
