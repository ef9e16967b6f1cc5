# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small pieces of wording that messages of all layers share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def listed(parts: Sequence[str], most: int, between: str = "; ") -> str:
    """The first of many, and how many more there are."""
    more = len(parts) - most
    return between.join([*parts[:most], *([f"and {more} more"] if more > 0 else [])])


def did_you_mean(word: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """` (did you mean 'x'?)`, or nothing when no known word is near."""
    near = get_close_matches(word, list(known), 1, likeness)
    return f" (did you mean '{near[0]}'?)" if near else ""
