# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From which version to which: one minor release at a time in place, two by revision, never back.

Sources: Istio's upgrade documentation (canary, in-place) and its policy on the skew of versions between control plane
and data plane: a proxy is never newer than its istiod, and at most two minor releases older.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from .releases import RELEASES, Minor, Version, parsed

Strategy = Literal["in_place", "revision"]
# How many minor releases one step may go.
STRIDE: Mapping[Strategy, int] = {"in_place": 1, "revision": 2}
OLDEST_PROXY = 2  # minor releases that a proxy may be behind its istiod


def distance(older: Minor, newer: Minor) -> int:
    """Minor releases between two versions. A new major release would be a step like any other."""
    return (newer[0] - older[0]) * 1000 + newer[1] - older[1]


def is_downgrade(installed: Version, target: Version) -> bool:
    return target.order < installed.order


def is_too_far(installed: Version, target: Version, strategy: Strategy) -> bool:
    """Whether minor releases would be skipped that must not be."""
    return distance(installed.minor, target.minor) > STRIDE[strategy]


def path(installed: Version, target: Version, strategy: Strategy) -> list[str]:
    """The versions by which a target is reached, as far as the table of releases knows those between."""
    steps, at = [], installed.minor
    while at[0] == target.major and distance(at, target.minor) > STRIDE[strategy]:
        at = (at[0], at[1] + STRIDE[strategy])
        steps.append(RELEASES[at].last_patch if at in RELEASES else f"{at[0]}.{at[1]}")
    return [*steps, str(target)]


def reachable(installed: Version) -> dict[Strategy, list[str]]:
    """The newest known patch of each minor release that one step reaches, its own included."""
    return {strategy: _reachable(installed, strategy) for strategy in STRIDE}


def _reachable(installed: Version, strategy: Strategy) -> list[str]:
    patches = [release.last_patch for release in RELEASES.values()]
    return [
        patch
        for patch in patches
        if parsed(patch).order > installed.order and not is_too_far(installed, parsed(patch), strategy)
    ]


def proxy_trouble(proxy: Minor, control_plane: Minor) -> str:
    """Why a proxy cannot be with a control plane, or nothing."""
    behind = distance(proxy, control_plane)
    if behind < 0:
        return "it is newer than the control plane would be"
    if behind > OLDEST_PROXY:
        return f"it is {behind} minor releases older than the control plane would be, and {OLDEST_PROXY} are possible"
    return ""
