"""Certificates: when they end, whatever made them; and what is none."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.certificates import NotACertificate, ends_of
from unit.support.certificates import certificate

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize("days", [-1, 1, 365, 3650, 365 * 40])
def test_the_end_is_read(days: int) -> None:
    """From 2050 on the end is written in another way."""
    assert ends_of(certificate(NOW + timedelta(days=days))) == [NOW + timedelta(days=days)]


def test_a_chain_has_several() -> None:
    ends = [NOW + timedelta(days=days) for days in (1, 2)]
    assert ends_of("".join(map(certificate, ends))) == ends


@pytest.mark.parametrize(
    "text",
    ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\n"],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(NotACertificate):
        ends_of(text)
