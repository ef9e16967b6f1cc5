# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns which field of an object, read from its managedFields."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

from ..kube.client import Object
from ..kube.errors import Conflict
from .objects import Path, overlaid, without

# To whom the server assigns what an object without managedFields had when it is applied for the first time.
_BEFORE_FIRST_APPLY = "before-first-apply"
_CONFLICT = re.compile(r'conflict with "(?P<manager>[^"]+)"')


def fields_of(found: Object | None, manager: str) -> Mapping[str, Any]:
    """The fields that a manager owns by server-side apply (fieldsV1), or an empty mapping."""
    return next((dict(entry.get("fieldsV1") or {}) for entry in _applied(found, manager)), {})


def holds(found: Object | None, manager: str, subresource: str, path: Path) -> bool:
    """Whether a manager has set a field through a subresource, and nobody has set it to another value since."""
    entries = [entry for entry in _entries(found) if entry.get("manager") == manager]
    written = [entry.get("fieldsV1") or {} for entry in entries if entry.get("subresource") == subresource]
    return any(_names(fields, path) for fields in written)


def _names(fields: Mapping[str, Any], path: Path) -> bool:
    """Whether fieldsV1 have a path of plain keys."""
    step = f"f:{path[0]}"
    return step in fields and (len(path) == 1 or _names(fields[step], path[1:]))


def applied(found: Object, manager: str) -> Object:
    """What a manager has applied: the fields that it owns, with the values that they have now."""
    fields = fields_of(found, manager)
    owned: Object = _owned(found, fields) if fields else {}
    name = {key: found["metadata"][key] for key in ("name", "namespace") if key in found["metadata"]}
    identity = {"apiVersion": found["apiVersion"], "kind": found["kind"]}
    return {**owned, **identity, "metadata": {**owned.get("metadata", {}), **name}}


def _owned(value: Any, fields: Mapping[str, Any]) -> Any:
    """The part of a value that fieldsV1 names; where it names nothing below, all of it."""
    steps = {step: inner for step, inner in fields.items() if step != "."}
    if isinstance(value, list) and steps:
        return [_owned(item, steps[step]) for item in value for step in steps if _means(step, item)]
    if not isinstance(value, dict) or not steps:
        return value
    named = {step.removeprefix("f:"): inner for step, inner in steps.items()}
    return {key: _owned(value[key], inner) for key, inner in named.items() if key in value}


def _means(step: str, item: Any) -> bool:
    """Whether a step of fieldsV1 means this item of a list: by its keys, or by its value."""
    how, _colon, text = step.partition(":")
    wanted = json.loads(text)
    return item == wanted if how == "v" else all(item.get(key) == value for key, value in wanted.items())


def applied_version(found: Object | None, manager: str) -> str:
    """The apiVersion in which a manager has last applied the object, or nothing."""
    return next((str(entry.get("apiVersion")) for entry in _applied(found, manager)), "")


def managers(found: Object | None) -> list[str]:
    """Everybody who has written the object, the newest last."""
    entries = sorted(_entries(found), key=lambda entry: str(entry.get("time") or ""))
    return list(dict.fromkeys(str(entry.get("manager")) for entry in entries if not entry.get("subresource")))


def manages(found: Object, manager: str, path: Path) -> bool:
    """Whether a manager owns a field, by whichever way: a roll-back's first request is no apply."""
    entries = [entry for entry in _entries(found) if entry.get("manager") == manager and not entry.get("subresource")]
    return any(_names(entry.get("fieldsV1") or {}, path) for entry in entries)


def appliers(found: Object | None, family: str) -> list[str]:
    """The managers of a task family (`<family>` and `<family>/<set>`) that have applied the object."""
    applied = (str(entry.get("manager")) for entry in _entries(found) if entry.get("operation") == "Apply")
    return sorted({manager for manager in applied if belongs(manager, family)})


def handed_over(found: Object, predecessors: Container[str], heir: str) -> Object:
    """The object in whose managedFields the heir manages what its predecessors have applied, beside its own."""
    kept: list[Mapping[str, Any]] = []
    inherited: dict[str, Any] = {}
    for entry in _entries(found):
        manager = entry.get("manager")
        applied = entry.get("operation") == "Apply" and not entry.get("subresource")
        if applied and (manager == heir or manager in predecessors):
            fields = overlaid(inherited.get("fieldsV1") or {}, entry.get("fieldsV1") or {})
            inherited = {**entry, "manager": heir, "fieldsV1": fields}
        else:
            kept.append(entry)
    entries = [*kept, inherited] if inherited else kept
    return {**found, "metadata": {**found["metadata"], "managedFields": entries}}


def claimed(found: Object, paths: Iterable[Path], heir: str) -> Object:
    """The object in whose managedFields the heir alone manages some fields, as if it had applied them."""
    steps = [tuple(f"f:{step}" for step in path) for path in paths]
    own: Mapping[str, Any] = {
        "manager": heir,
        "operation": "Apply",
        "apiVersion": found["apiVersion"],
        "fieldsType": "FieldsV1",
    }
    kept: list[Mapping[str, Any]] = []
    for entry in _entries(found):
        if entry in _applied(found, heir):
            own = entry
            continue
        fields = reduce(without, steps, entry.get("fieldsV1") or {})
        kept += [{**entry, "fieldsV1": fields}] if fields else []
    added = reduce(overlaid, map(_nested, steps), own.get("fieldsV1") or {})
    return {**found, "metadata": {**found["metadata"], "managedFields": [*kept, {**own, "fieldsV1": added}]}}


def _nested(path: Path) -> Mapping[str, Any]:
    """The fields that a path alone would be."""
    fields: dict[str, Any] = {}
    for step in reversed(path):
        fields = {step: fields}
    return fields


def retired(found: Object | None, names: Collection[str]) -> list[str]:
    """Which of some managers, that shall manage nothing any more, still manage something."""
    return [manager for manager in managers(found) if manager in names]


def without_managers(found: Object, names: Collection[str]) -> list[Mapping[str, Any]]:
    """The managedFields of an object without the entries of some managers; what they write into a status stays."""
    return [entry for entry in _entries(found) if entry.get("subresource") or entry.get("manager") not in names]


def has_applied_since(before: Object | None, after: Object, manager: str) -> bool:
    """Whether a manager has applied an object between two states of it: nobody else gives it fields or values."""
    was, now = (next(_applied(found, manager), {}) for found in (before, after))
    if not before or not now or _has_written(now, was):
        return bool(now)
    had = applied(before, manager)
    return bool(overlaid(had, applied(after, manager)) != had)


def entries_of(found: Object, names: Container[str]) -> list[Mapping[str, Any]]:
    """What some managers have written, but for a status."""
    entries = _entries(found)
    return [entry for entry in entries if entry.get("manager") in names and entry.get("subresource") != "status"]


def unmaintained(found: Object, paths: Iterable[Sequence[str]]) -> Object:
    """The object without some fields in its managedFields, and without managers that have nothing else.

    A path's steps are keys; `*` stands for every item of a list whose items have names.
    """
    entries = []
    for entry in _entries(found):
        fields = entry.get("fieldsV1") or {}
        left = reduce(_less, paths, fields)
        if left == fields or any(_leaf_paths(left)):
            entries.append({**entry, "fieldsV1": left})
    return {**found, "metadata": {**found["metadata"], "managedFields": entries}}


def _less(fields: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    """The fieldsV1 without what a path leads to; what is empty then goes as well."""
    kept: dict[str, Any] = {}
    for step, inner in fields.items():
        leads = step.startswith("k:") if path[0] == "*" else step == f"f:{path[0]}"
        left = (_less(inner, path[1:]) if path[1:] else {}) if leads else inner
        if left or not leads:
            kept[step] = left
    return kept


def others_since(before: Object | None, after: Object, ours: Container[str], dropped: Iterable[Path] = ()) -> list[str]:
    """The managers beside ours that wrote an object between two states of it; what ours took from them is no write."""
    was, now = _entries_of_others(before, ours), _entries_of_others(after, ours)
    own = [entry for entry in _entries(after) if entry.get("manager") in ours]
    taken = {path for entry in own for path in _leaf_paths(entry.get("fieldsV1") or {})}
    taken |= {tuple(f"f:{step}" for step in path) for path in dropped}
    touched = [who for who, entry in now.items() if _has_written(entry, was.get(who, {}))]
    touched += [who for who, entry in was.items() if not _beyond(entry, now.get(who, {})) <= _all_below(taken, entry)]
    return sorted({manager for manager, *_how in touched})


def _entries_of_others(found: Object | None, ours: Container[str]) -> dict[tuple[str, ...], Mapping[str, Any]]:
    """By all that tells one entry from another. A status is no change; the first apply notes what was there before."""
    return {
        tuple(str(entry.get(key) or "") for key in ("manager", "operation", "apiVersion", "subresource")): entry
        for entry in _entries(found)
        if entry.get("subresource") != "status"
        and entry.get("manager") != _BEFORE_FIRST_APPLY
        and entry.get("manager") not in ours
    }


def _has_written(now: Mapping[str, Any], was: Mapping[str, Any]) -> bool:
    """Times are in seconds: what has been added within one shows in the fields."""
    return now.get("time") != was.get("time") or bool(_beyond(now, was))


def _beyond(entry: Mapping[str, Any], other: Mapping[str, Any]) -> set[Path]:
    """The fields of an entry that another one has not."""
    return set(_leaf_paths(entry.get("fieldsV1") or {})) - set(_leaf_paths(other.get("fieldsV1") or {}))


def _all_below(taken: Collection[Path], entry: Mapping[str, Any]) -> set[Path]:
    """The fields of an entry that are, lie in or enclose one of those that were taken."""
    paths = _leaf_paths(entry.get("fieldsV1") or {})
    return {path for path in paths if any(path[: len(one)] == one[: len(path)] for one in taken)}


def _leaf_paths(fields: Mapping[str, Any], above: Path = ()) -> Iterator[Path]:
    """The paths of fieldsV1; a mapping itself (`.`) is left out: it goes with the last that is in it."""
    for step, inner in fields.items():
        if inner:
            yield from _leaf_paths(inner, (*above, step))
        elif step != ".":
            yield (*above, step)


def _applied(found: Object | None, manager: str) -> Iterator[Mapping[str, Any]]:
    for entry in _entries(found):
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            yield entry


def _entries(found: Object | None) -> list[Mapping[str, Any]]:
    return ((found or {}).get("metadata") or {}).get("managedFields") or []


def conflicting(error: Conflict) -> list[tuple[str, str]]:
    """(manager, field) of every cause of a server-side apply conflict."""
    pairs = []
    for cause in error.details.get("causes") or []:
        match = _CONFLICT.search(str(cause.get("message")))
        pairs.append((match["manager"] if match else "unknown", str(cause.get("field") or "")))
    return pairs


def taken(pairs: Iterable[tuple[str, str]]) -> str:
    """Which fields are taken over from whom: the reason of a plan's row."""
    return "; ".join(f"{field} is taken over from '{manager}'" for manager, field in pairs)


def belongs(manager: str, family: str) -> bool:
    """Whether a manager is one of a task family."""
    return manager == family or manager.startswith(f"{family}/")
