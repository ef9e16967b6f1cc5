# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small pieces of wording that messages of all layers share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

# A word that can have two letters wrong without being another one.
_LONG = 12


def listed(parts: Sequence[str], most: int, between: str = "; ") -> str:
    """The first of many, and how many more there are."""
    more = len(parts) - most
    return between.join([*parts[:most], *([f"and {more} more"] if more > 0 else [])])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing when no known word is near."""
    near = get_close_matches(word, list(known), 1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def slip_of(word: str, known: Iterable[str]) -> str:
    """The same, where a word is but a slip of the hand away: a letter, or two of a long word, and never a longer one.

    TCPRoute and UDPRoute, Application and ApplicationSet are names of their own.
    """
    most = 2 if len(word) >= _LONG else 1
    meant = next((one for one in known if word.casefold() == one.casefold() or _is_slip(word, one, most)), "")
    return f" (did you mean '{meant}'?)" if meant else ""


def _is_slip(word: str, other: str, most: int) -> bool:
    return not (word.startswith(other) or other.startswith(word)) and _distance(word, other, most) <= most


def _distance(word: str, other: str, most: int) -> int:
    """How many letters have to be put in, taken out or changed; words that are too far apart are not looked at."""
    if abs(len(word) - len(other)) > most:
        return most + 1
    row: list[int] = list(range(len(other) + 1))
    for number, letter in enumerate(word, 1):
        before, row[0] = row[0], number
        for place, theirs in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != theirs))
    return row[-1]
