# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio's releases, as far as this collection must know them.

Source: Istio's upgrade notes of 1.31 (artifact hosts) and its support announcements.
"""

from __future__ import annotations

import re

from ..kube.errors import Failure

_VERSION = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)\.\d+(-[0-9A-Za-z.]+)?")
# Charts of 1.31 and newer are published only at the new address; the old one goes away by 2027.
_REPOSITORIES: tuple[tuple[tuple[int, int], str], ...] = (
    ((1, 31), "https://blob.istio.io/istio-release/charts"),
    ((0, 0), "https://istio-release.storage.googleapis.com/charts"),
)


class UnknownVersion(Failure):
    """Not a version of Istio."""

    code = "unknown_version"


def checked_version(version: str) -> str:
    """The version, if it is a full one such as 1.29.1. Raises UnknownVersion."""
    if not _VERSION.fullmatch(version):
        raise UnknownVersion(
            f"'{version}' is not a version of Istio",
            subject="version",
            reason="a full version is needed, so that what is installed does not depend on the day",
            hint="Write it like 1.29.1",
        )
    return version


def chart_repository(version: str) -> str:
    """Where Istio publishes the charts of a version."""
    match = _VERSION.fullmatch(version)
    minor = (int(match["major"]), int(match["minor"])) if match else (0, 0)
    return next(url for since, url in _REPOSITORIES if minor >= since)
