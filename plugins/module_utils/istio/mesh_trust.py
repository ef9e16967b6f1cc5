# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the clusters of a mesh trust each other, or will by the roots that the inventory gives them.

Only a control plane signs; the proxies of a remote cluster get their certificates from theirs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from .mesh_member import INSTALL, ROTATE, Member, control_planes
from .trust import disagreements

_OPTIONS = "mesh_clusters_root_file (or mesh_clusters_trust)"


def distrust(members: Sequence[Member], step: str) -> Iterator[str]:
    """What is wrong with their certificates before a step.

    A control plane that has none makes a root of its own when it is installed. A rotation may replace what is wrong in
    a cluster, and refuses there what it does not.
    """
    planes = control_planes(members)
    yield from (f"{one.host}: {one.refused}" for one in planes if one.refused)
    if len(members) < 2:
        return
    for one in planes if step != ROTATE else ():
        yield from (f"{one.host}: {problem}" for problem in one.trust.get("problems") or ())
    yield from _without_root(planes, before=step == INSTALL)
    yield from _new_roots(planes)
    yield from disagreements({one.host: one.trust for one in planes if one.trust})


def _without_root(planes: Sequence[Member], *, before: bool) -> Iterator[str]:
    rooted = [one for one in planes if one.makes_root or one.has_root]
    bare = [one for one in planes if one.trust and one not in rooted and not one.refused]
    if rooted:
        for one in bare:
            yield (
                f"{one.host} has no certificates from the root of the mesh, and {rooted[0].host} has: run mesh_ca for "
                f"it, or give it {_OPTIONS} and run the playbook mesh"
            )
    elif before and len(bare) > 1:
        yield (
            f"{' and '.join(one.host for one in bare)} have no certificates, and no root is given for them: each "
            "control plane would make one of its own, and their proxies would refuse each other: set "
            f"{_OPTIONS} for the group"
        )


def _new_roots(planes: Sequence[Member]) -> Iterator[str]:
    """One that is made now is nobody's yet, so there cannot be another one beside it."""
    new, old = [one for one in planes if one.makes_root], next((one for one in planes if one.has_root), None)
    for one in new:
        if old:
            yield (
                f"{one.host} would get a new root, as there is no file {one.root_file} yet, and {old.host} has one: "
                f"name the root of the mesh by {_OPTIONS} for the group"
            )
        elif _file(one) != _file(new[0]):
            yield (
                f"{new[0].host} would get a new root in {new[0].root_file}, and {one.host} one in {one.root_file}: "
                "give one mesh_clusters_root_file to the group"
            )


def _file(one: Member) -> str:
    return os.path.realpath(os.path.expanduser(one.root_file))
