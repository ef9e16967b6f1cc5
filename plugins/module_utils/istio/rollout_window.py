# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When restarts may begin: hours of some days, in a time zone. What has begun is finished."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..kube.errors import Failure

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class WindowError(Failure):
    """No such hours, or no such time zone."""

    code = "rollout"


@dataclass(frozen=True)
class Window:
    """Hours of days; one that ends before it begins ends on the next day, and belongs to the day it began on."""

    begin: time
    end: time
    days: tuple[str, ...] = DAYS
    zone: tzinfo = timezone.utc

    def is_open(self, now: datetime) -> bool:
        here = now.astimezone(self.zone)
        today, yesterday = DAYS[here.weekday()], DAYS[(here - timedelta(days=1)).weekday()]
        hour = here.time().replace(tzinfo=None)
        if self.begin < self.end:
            return today in self.days and self.begin <= hour < self.end
        return (today in self.days and hour >= self.begin) or (yesterday in self.days and hour < self.end)

    def __str__(self) -> str:
        days = "" if self.days == DAYS else f" on {', '.join(self.days)}"
        return f"from {self.begin:%H:%M} to {self.end:%H:%M} {self.zone}{days}"


def checked_window(given: Mapping[str, Any] | None) -> Window | None:
    """The window that options describe. Raises WindowError."""
    if not given:
        return None
    chosen = given.get("days")
    if chosen is not None and not chosen:
        raise WindowError(
            "The window has no day", subject="window.days", hint="Name days, or leave 'days' out for all of them"
        )
    days = tuple(day for day in DAYS if chosen is None or day in chosen)
    return Window(_hour(given["begin"]), _hour(given["end"]), days, _zone(given.get("timezone") or "UTC"))


def _hour(text: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()
    except ValueError as error:
        raise WindowError(
            f"'{text}' is no time of a day",
            subject="window",
            reason="a window goes from an hour to an hour",
            hint="Write it as '22:00', in quotes: YAML takes 22:00 without them for a number",
        ) from error


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise WindowError(
            f"The time zone '{name}' is not known here",
            subject="window.timezone",
            hint="Write it as 'Europe/Berlin'; where the controller has no table of zones, install tzdata",
        ) from error
