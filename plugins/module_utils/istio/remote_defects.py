# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of istiod that do not take up a remote secret which changes in place.

Some keep what they have read until they are restarted. With the others the Secret is deleted and created instead:
istiod then forgets the cluster and reads it anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from .releases import Minor, version_of_tag


@dataclass(frozen=True)
class Defect:
    """From which minor release on, up to which that has it no more, what happens, and where that is told.

    `keeps` are those whose endpoints and listeners stay as they were before the change.
    """

    since: Minor
    before: Minor
    effect: str
    keeps: bool
    source: str

    def told(self, tag: str) -> str:
        return f"istiod {tag} does not take up a change in place: {self.effect}"


DEFECTS = (
    Defect((1, 27), (1, 30), "its secret controller deadlocks", True, "istio/istio issue 59875, seen with 1.29.1"),
    Defect((1, 30), (1, 31), "it loses the cluster's endpoints", False, "istio/istio issues 60612 and 61043"),
)
_UNKNOWN = Defect((0, 0), (0, 0), "nobody knows whether its version does", False, "")


def defect_of(tag: str) -> Defect | None:
    """What would happen with an istiod of that image."""
    version = version_of_tag(tag)
    if version is None:
        return _UNKNOWN
    return next((defect for defect in DEFECTS if defect.since <= version.minor < defect.before), None)
