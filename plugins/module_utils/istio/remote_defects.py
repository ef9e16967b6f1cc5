# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of istiod that do not take up a remote secret which changes in place.

Such a Secret is deleted and created instead: istiod then forgets the cluster and reads it anew.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .releases import Minor, version_of_tag


@dataclass(frozen=True)
class Defect:
    """From which minor release on, up to which that has it no more, what happens, and where that is told."""

    since: Minor
    before: Minor
    effect: str
    source: str


DEFECTS = (
    Defect((1, 27), (1, 30), "its secret controller deadlocks", "istio/istio issue 59875, seen with 1.29.1"),
    Defect((1, 30), (1, 31), "it loses the cluster's endpoints", "istio/istio issues 60612 and 61043"),
)


def defect_of(tags: Iterable[str]) -> str:
    """What would happen with one of some istiods, in words; empty where all of them take a change up."""
    for tag in sorted(tags):
        version = version_of_tag(tag)
        if version is None:
            return f"nobody knows whether istiod {tag} takes up a change in place"
        for defect in DEFECTS:
            if defect.since <= version.minor < defect.before:
                return f"istiod {tag} does not take up a change in place: {defect.effect}"
    return ""
