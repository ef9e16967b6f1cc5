# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""East-west gateways of a cluster that leaves its mesh: those that are there, whatever the inventory says of them."""

from __future__ import annotations

from .mesh_member import Member
from .owners import OURS

Door = dict[str, str]


def doors_going(one: Member) -> list[Door]:
    """Ours, which go with it. Where other meshes have control planes, too, theirs cannot be told from its own."""
    return [] if _is_shared(one) else _ours(one)


def doors_unknown(one: Member) -> list[Door]:
    """Ours, in a cluster of several meshes, that the inventory does not name for this one."""
    return [door for door in _ours(one) if door["name"] not in one.gateways] if _is_shared(one) else []


def _ours(one: Member) -> list[Door]:
    rows = (row for row in one.found.get("gateways") or () if row["network"] and row["owner"] == OURS)
    return [{"name": str(row["name"]), "namespace": str(row["namespace"])} for row in rows]


def _is_shared(one: Member) -> bool:
    rows = [*(one.found.get("control_planes") or ()), *(one.found.get("served_by") or ())]
    return any(row["namespace"] != one.namespace for row in rows)
