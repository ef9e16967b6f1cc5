# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a version is still cared for, and which versions come next: the table of releases, asked for a day."""

from __future__ import annotations

from datetime import date
from typing import Any

from .releases import NEWEST, RELEASES, WITHDRAWN, Version, parsed, shown, version_of_tag
from .upgrade_path import reachable


def support_of(tag: str, today: date) -> dict[str, Any]:
    """What is known of the version that an image's tag names."""
    version = version_of_tag(tag)
    release = RELEASES.get(version.minor) if version else None
    ended = release.end_of_life if release else None
    return {
        "version": tag,
        "known": release is not None,
        "supported": ended is None or today < ended if release else None,
        "end_of_life": ended.isoformat() if ended else None,
        "minimum_safe": release.minimum_safe if release else None,
        "safe": is_safe(version) if version and release else None,
        "next": reachable(version) if version else {},
        "note": _note(version, today),
    }


def is_safe(version: Version) -> bool:
    """Whether no hole is known that a later patch of the same minor release closes."""
    release = RELEASES.get(version.minor)
    return str(version) not in WITHDRAWN and (release is None or version.order >= parsed(release.minimum_safe).order)


def has_ended(version: Version, today: date) -> date | None:
    """The day on which support has ended, if it has."""
    release = RELEASES.get(version.minor)
    ended = release.end_of_life if release else None
    return ended if ended and today >= ended else None


def _note(version: Version | None, today: date) -> str:
    """One sentence for people."""
    if version is None:
        return "its image has a tag that names no version of Istio"
    if version.minor not in RELEASES:
        age = "newer" if version.minor > NEWEST else "older"
        return f"{shown(version.minor)} is {age} than the releases that this collection knows"
    ended = has_ended(version, today)
    if ended:
        return f"{shown(version.minor)} is not supported since {ended.isoformat()}"
    if not is_safe(version):
        return f"security corrections are missing: {RELEASES[version.minor].minimum_safe} has them"
    return ""
