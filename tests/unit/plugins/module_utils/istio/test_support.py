"""Support: what the table says of the version that runs, on a day."""

from __future__ import annotations

from datetime import date

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.support import support_of

TODAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("tag", "supported", "safe", "note"),
    [
        ("1.29.1", False, False, "1.29 is not supported since 2026-10-15"),
        ("1.30.7", True, True, ""),
        ("1.30.3-distroless", True, False, "security corrections are missing: 1.30.7 has them"),
        ("1.31.0", True, False, "security corrections are missing: 1.31.1 has them"),
        ("1.40.0", None, None, "1.40 is newer than the releases that this collection knows"),
        ("1.10.0", None, None, "1.10 is older than the releases that this collection knows"),
        ("latest", None, None, "its image has a tag that names no version of Istio"),
    ],
)
def test_what_is_known(tag: str, supported: bool | None, safe: bool | None, note: str) -> None:
    found = support_of(tag, TODAY)
    assert (found["supported"], found["safe"], found["note"]) == (supported, safe, note)
    assert found["known"] is (supported is not None)


def test_the_day_decides() -> None:
    assert support_of("1.29.9", date(2026, 10, 14))["supported"]
    assert not support_of("1.29.9", date(2026, 10, 15))["supported"]


def test_what_comes_next() -> None:
    assert support_of("1.29.1", TODAY)["next"]["in_place"] == ["1.29.9", "1.30.7"]
    assert support_of("latest", TODAY)["next"] == {}
