"""When restarts may begin."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_window import (
    WindowError,
    checked_window,
)

NIGHT = {"begin": "22:00", "end": "06:00"}
DAY = {"begin": "09:00", "end": "17:00"}


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """The third of November 2025 is a Monday."""
    return datetime(2025, 11, day, hour, minute, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("given", "moment", "is_open"),
    [
        (DAY, at(3, 9), True),
        (DAY, at(3, 16, 59), True),
        (DAY, at(3, 17), False),
        (DAY, at(3, 8, 59), False),
        (NIGHT, at(3, 22), True),
        (NIGHT, at(4, 5, 59), True),
        (NIGHT, at(4, 6), False),
        ({**NIGHT, "days": ["monday"]}, at(4, 5), True),
        ({**NIGHT, "days": ["monday"]}, at(4, 22), False),
        ({**NIGHT, "days": ["monday"]}, at(3, 5), False),
        ({**DAY, "timezone": "Europe/Berlin"}, at(3, 8), True),
        ({**DAY, "timezone": "Europe/Berlin"}, at(3, 16), False),
        ({"begin": "00:00", "end": "00:00"}, at(3, 12), True),
    ],
)
def test_open_and_closed(given: dict[str, Any], moment: datetime, is_open: bool) -> None:
    window = checked_window(given)
    assert window is not None
    assert window.is_open(moment) is is_open


def test_without_hours_there_is_no_window() -> None:
    assert checked_window(None) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({**DAY, "begin": "25:00"}, "'25:00' is no time of a day"),
        ({**DAY, "begin": "79200"}, "in quotes"),
        ({**DAY, "timezone": "Berlin"}, "time zone 'Berlin' is not known"),
    ],
)
def test_what_is_no_window(given: dict[str, Any], message: str) -> None:
    with pytest.raises(WindowError, match=message):
        checked_window(given)
