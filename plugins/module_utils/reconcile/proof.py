# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof, without asking the server, that an object is as it shall be.

An object is unchanged when every desired field equals the live one *and* the
fields that our manager owns are exactly the desired ones. Which lists of a kind
are keyed (and so owned item by item) and which of its maps are owned as a whole
is data of an upper layer; a kind that it does not describe is never proved here,
and the server is asked instead.
Source of the encoding: Kubernetes, fieldsV1 of sigs.k8s.io/structured-merge-diff.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..kube.client import Object
from .objects import Desired, Path
from .ownership import applied_version, fields_of, retired

# By the path of a list the fields that tell its items apart; without any it is a map that is owned as a whole.
KeyedLists = Mapping[Path, Sequence[str]]
WHOLE: Sequence[str] = ()
# Never in managedFields: they say which object it is.
_IDENTITY = {"apiVersion", "kind"}
_IDENTITY_OF_METADATA = {"name", "namespace"}
# Lists of every kind that are owned item by item, and that nobody here has to write.
_SHARED_METADATA = {"finalizers", "ownerReferences"}


class _Doubt(Exception):
    """Something that only the server can judge."""


def is_unchanged(desired: Desired, live: Object, manager: str, keyed: KeyedLists) -> bool:
    """Whether applying the desired object would persist nothing. False also means: in doubt."""
    content = _without_identity(desired.content)
    if not _SHARED_METADATA.isdisjoint(content.get("metadata") or {}):
        return False
    if desired.dropped_of(live) or retired(live, desired.retires):
        return False
    if applied_version(live, manager) != desired.key.api_version:
        return False  # applying it in another version moves the fields to that version
    try:
        return _equal(content, live, (), keyed) and _owned(content, (), keyed) == _undotted(fields_of(live, manager))
    except _Doubt:
        return False


def asks_nothing(desired: Desired, live: Object, manager: str) -> bool:
    """Whether there is nothing to apply, to give up or to take away: then there is nothing to ask the server, either.

    Applying nothing is not the same: the first apply to an object writes down who has managed it before.
    """
    has_part = _without_identity(desired.content) or fields_of(live, manager)
    return not (has_part or desired.dropped_of(live) or retired(live, desired.retires))


def _without_identity(content: Object) -> Object:
    metadata = {key: value for key, value in content["metadata"].items() if key not in _IDENTITY_OF_METADATA}
    kept = {key: value for key, value in content.items() if key not in _IDENTITY}
    return {**kept, "metadata": metadata} if metadata else {key: kept[key] for key in kept if key != "metadata"}


def _equal(desired: Any, live: Any, path: Path, keyed: KeyedLists) -> bool:
    """Whether every desired field is there with its value; the live object may have more."""
    if desired is None:
        raise _Doubt
    if isinstance(desired, dict) and keyed.get(path) != WHOLE:
        return isinstance(live, dict) and all(
            key in live and _equal(value, live[key], (*path, key), keyed) for key, value in desired.items()
        )
    if keyed.get(path):
        return _equal_items(desired, live, path, keyed)
    # To Python, 1 is True; to the server it is not.
    return _same_types(desired, live) and bool(desired == live)


def _same_types(desired: Any, live: Any) -> bool:
    if type(desired) is not type(live):
        return False
    if isinstance(desired, list):
        return len(desired) == len(live) and all(map(_same_types, desired, live))
    if isinstance(desired, dict):
        return desired.keys() == live.keys() and all(_same_types(desired[key], live[key]) for key in desired)
    return True


def _equal_items(desired: Any, live: Any, path: Path, keyed: KeyedLists) -> bool:
    """Every desired item, in this order: applied in another one they are put into that."""
    if not isinstance(desired, list):
        return False
    there = {_item_key(item, keyed[path]): item for item in live or []}
    wanted = {_item_key(item, keyed[path]): item for item in desired}
    if len(wanted) != len(desired) or [key for key in there if key in wanted] != list(wanted):
        return False
    return all(_equal(item, there[key], path, keyed) for key, item in wanted.items())


def _owned(desired: Any, path: Path, keyed: KeyedLists) -> Object:
    """The fields of a value as fieldsV1 writes them: nothing below a leaf."""
    if isinstance(desired, dict) and keyed.get(path) != WHOLE:
        return {f"f:{key}": _owned(value, (*path, key), keyed) for key, value in desired.items()}
    if keyed.get(path):
        return {_item_key(item, keyed[path]): _owned(item, path, keyed) for item in desired}
    return {}


def _undotted(fields: Mapping[str, Any]) -> Object:
    """Without the marks of what is owned as a whole: where all fields of it are ours, it is."""
    return {key: _undotted(value) for key, value in fields.items() if key != "."}


def _item_key(item: Any, names: Sequence[str]) -> str:
    if not isinstance(item, dict) or any(name not in item for name in names):
        raise _Doubt
    return "k:" + json.dumps({name: item[name] for name in sorted(names)}, separators=(",", ":"))
