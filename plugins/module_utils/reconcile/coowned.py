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
from collections.abc import Mapping, Sequence
from typing import Any

from ..kube.client import Object
from .ownership import fields_of, owns

CoOwned = Mapping[str, Sequence[Sequence[str]]]


def settled(desired: Object, live: Object | None, manager: str, paths: Sequence[Sequence[str]]) -> Object:
    """The desired object with its co-owned fields as the live object has them."""
    if live is None or not paths:
        return desired
    content, ours = copy.deepcopy(desired), fields_of(live, manager)
    for path in paths:
        _settle(content, live, path, owns(ours, path))
    return content


def _settle(desired: Any, live: Any, path: Sequence[str], ours: bool) -> None:
    """Walk both values along a path; at its end keep the live value (if ours) or leave the field out."""
    step, rest = path[0], path[1:]
    if step == "*":
        by_name = {item.get("name"): item for item in live or [] if isinstance(item, dict)}
        for item in desired or []:
            if isinstance(item, dict):
                _settle(item, by_name.get(item.get("name"), {}), rest, ours)
        return
    if not isinstance(desired, dict) or not isinstance(live, dict):
        return
    if rest:
        if step in desired:
            _settle(desired[step], live.get(step), rest, ours)
        return
    desired.pop(step, None)
    if ours and step in live:
        desired[step] = copy.deepcopy(live[step])
