"""What the engine does not get right yet, as the tests of its faults found it: this table only ever gets shorter."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

_WRITES = ("dry-run", "update", "create", "dry-run-delete", "delete")
OPEN: Mapping[str, tuple[str, ...]] = {
    "a passing 500 is taken for a verdict on the object": tuple(
        f"{aim} {fault}" for aim in _WRITES for fault in ("500", "500_after")
    ),
    "a 409 without causes is neither repeated nor explained": ("dry-run 409", "dry-run-delete 409"),
    "any 404 that is no Status is taken for a missing CRD": (
        *(f"{aim} 404_html" for aim in ("discovery", "read", "read-to-delete", "unchanged")),
        *(f"{aim} 404_html" for aim in ("update", "create", "dry-run-delete", "delete", "wait get")),
    ),
    "a disturbed roll-back leaves fields to our manager's Update, and the next run conflicts with itself": (
        *(f"roll-back 2 {fault}" for fault in ("reset_after", "500_after", "502_html_after", "504_after")),
        *("roll-back 2 broken_off", "roll-back 3 500"),
    ),
    "an expired continue token ends the list": ("list 2 410",),
    "all of these together": ("campaign",),
}


@contextlib.contextmanager
def held(case: str) -> Iterator[None]:
    """What is asserted inside holds, or the case is a known defect; one that has become right must leave the table."""
    known = {case for cases in OPEN.values() for case in cases}
    try:
        yield
    except AssertionError:
        if case not in known:
            raise
    else:
        assert case not in known, f"'{case}' has become right: take it out of OPEN"
