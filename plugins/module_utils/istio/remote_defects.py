# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of istiod that do not take up a remote secret which changes in place.

Some keep what they have read until they are restarted. With the others the Secret is deleted and created instead:
istiod then forgets the cluster and reads it anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from .releases import Version, parsed, version_of_tag


@dataclass(frozen=True)
class Defect:
    """From which release on, up to which that has it no more, what happens, and where that is told.

    `keeps` are those whose endpoints and listeners stay as they were before the change, in every replica.
    """

    since: Version
    before: Version
    effect: str
    keeps: bool
    source: str

    def told(self, tag: str) -> str:
        return f"istiod {tag} does not take up a change in place: {self.effect}"


# Of 1.29.3 and later the source says that they take it up, but forget the cluster first; nobody has tried them.
DEFECTS = (
    Defect(parsed("1.27.0"), parsed("1.29.0"), "its secret controller may deadlock", False, "istio/istio issue 59875"),
    Defect(
        parsed("1.29.0"),
        parsed("1.29.3"),
        "its secret controller deadlocks",
        True,
        "istio/istio issue 59875, seen with 1.29.1, mended in 1.29.3",
    ),
    Defect(
        parsed("1.29.3"),
        parsed("1.30.0"),
        "it forgets the cluster before it reads it anew",
        False,
        "istio/istio, pkg/kube/multicluster: clusterClosing",
    ),
    Defect(
        parsed("1.30.0"),
        parsed("1.31.0"),
        "it loses the cluster's endpoints",
        False,
        "istio/istio issues 60612 and 61043",
    ),
)
_UNKNOWN = Defect(parsed("0.0.0"), parsed("0.0.0"), "nobody knows whether its version does", False, "")


def defect_of(tag: str) -> Defect | None:
    """What would happen with an istiod of that image."""
    version = version_of_tag(tag)
    if version is None:
        return _UNKNOWN
    return next((one for one in DEFECTS if one.since.order <= version.order < one.before.order), None)
