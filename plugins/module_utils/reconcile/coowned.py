# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields that are written once and then belong to somebody in the cluster.

An autoscaler sets replicas, a controller fills in its webhook's CA. Such a
field is sent when the object is created; afterwards it is left as it is found:
kept while it is still ours, never claimed back. The table itself is data of an upper layer.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from .objects import Path
from .ownership import fields_of, holds

CoOwned = Mapping[str, Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Held:
    """A field that is co-owned only while a certain manager holds it, through a subresource."""

    path: Path
    manager: str
    subresource: str

    def by_now(self, live: Object | None) -> bool:
        return holds(live, self.manager, self.subresource, self.path)


def settled(desired: Object, live: Object | None, manager: str, paths: Sequence[Sequence[str]]) -> Object:
    """The desired object with its co-owned fields as the live object has them.

    A path's steps are keys; `*` stands for every item of a list whose items have names.
    """
    if live is None or not paths:
        return desired
    content, ours = copy.deepcopy(desired), fields_of(live, manager)
    for path in paths:
        _settle(content, live, ours, path)
    return content


def _settle(desired: Any, live: Any, ours: Mapping[str, Any], path: Sequence[str]) -> None:
    """Walk the values and the fields that are ours along a path; at its end, the live object decides."""
    step, rest = path[0], path[1:]
    if step == "*":
        _settle_items(desired, live, ours, rest)
    elif not isinstance(desired, dict) or not isinstance(live, dict):
        return
    elif rest:
        _settle(desired.get(step), live.get(step), ours.get(f"f:{step}") or {}, rest)
    else:
        desired.pop(step, None)
        if f"f:{step}" in ours and step in live:
            desired[step] = copy.deepcopy(live[step])


def _settle_items(desired: Any, live: Any, ours: Mapping[str, Any], rest: Sequence[str]) -> None:
    """Items by name; one that is not there yet is sent as it is, and so is what has none: the server refuses it."""
    if not _are_named(desired) or not _are_named(live):
        return
    there = {item["name"]: item for item in live}
    for item in desired:
        name = item["name"]
        if name in there:
            _settle(item, there[name], ours.get(_item(name)) or {}, rest)


def _are_named(items: Any) -> bool:
    return isinstance(items, list) and all(
        isinstance(item, dict) and isinstance(item.get("name"), str) for item in items
    )


def _item(name: str) -> str:
    """How fieldsV1 writes an item of a list that is keyed by name."""
    return "k:" + json.dumps({"name": name}, separators=(",", ":"))
