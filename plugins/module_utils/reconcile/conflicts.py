# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fields that are asked for and that others hold: who, with which value, and the way out, for all objects at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from ..kube.client import Object
from ..kube.errors import Conflict
from ..kube.text import listed
from .objects import PART_OF, shown
from .ownership import belongs, conflicting

_OBJECTS = 20
_FIELDS = 10
_LONGEST = 100
_BEFORE = 20  # what is shown of a long value before the first difference
_NOTHING = "nothing"


class OwnedByOthers(Conflict):
    """One object, or several, of which somebody else manages fields that are asked for."""

    owners: frozenset[str] = frozenset()
    family = ""
    is_of_set = False  # whether the object is in another set

    def owned_by(self, owners: Iterable[str], family: str) -> OwnedByOthers:
        """The same with its managers named, and with what can be done about them."""
        self.owners, self.family = frozenset(owners), family
        self.hint = _way_out(sorted(self.owners), family, is_of_set=self.is_of_set)
        return self


def explained(error: Conflict, subject: str, desired: Object, live: Object | None, family: str = "") -> Conflict:
    """The conflict with managers, fields and both values named, and the way to take the fields over."""
    pairs = conflicting(error)
    if not pairs:
        return error
    contents = shown(live), shown(desired)
    keepers = [manager for manager, field in pairs if field.endswith(PART_OF)]
    others = [(manager, field) for manager, field in pairs if not field.endswith(PART_OF)]
    fields = [f"it is in another set, which '{manager}' keeps" for manager in keepers]
    fields += [f"{field} is owned by '{manager}'{_values(field, *contents)}" for manager, field in others]
    what, reason = f"{subject} has fields that somebody else manages", listed(fields, _FIELDS)
    told = OwnedByOthers(what, subject=subject, reason=reason, status=error.status, details=error.details)
    told.is_of_set = bool(keepers)
    return told.owned_by((manager for manager, _field in pairs), family)


def together(conflicts: Sequence[OwnedByOthers]) -> OwnedByOthers:
    """All conflicts of a plan as one."""
    first = conflicts[0]
    if len(conflicts) == 1:
        return first
    told = OwnedByOthers(
        f"{len(conflicts)} objects have fields that somebody else manages",
        subject=listed([conflict.subject for conflict in conflicts], _OBJECTS, ", "),
        reason=listed([conflict.line for conflict in conflicts], _OBJECTS),
        status=first.status,
    )
    told.is_of_set = any(conflict.is_of_set for conflict in conflicts)
    return told.owned_by(frozenset().union(*(conflict.owners for conflict in conflicts)), first.family)


def _way_out(owners: Sequence[str], family: str, *, is_of_set: bool) -> str:
    if is_of_set and not all(belongs(manager, family) for manager in owners):
        return "Leave what is in another set out, or have it taken out of that set first, by the tool that keeps it"
    if is_of_set:
        return "Leave what is in another set out, or say 'adopt: true' to move it into this one"
    if family and all(belongs(manager, family) for manager in owners):
        return (
            "Another task of the collection applies these fields: leave them out here, or move the object to this task "
            "with 'adopt: true' of service_mesh.istio.config"
        )
    return f"Leave these fields out, or take them over with 'take_ownership_from: [{', '.join(owners)}]'"


def _values(field: str, live: Object, desired: Object) -> str:
    """` (live 90, desired 80)`; long values from where they begin to differ."""
    found = [_at(content, field) for content in (live, desired)]
    if found == [None, None]:
        return ""
    texts = [_text(value) for value in found]
    different = next((place for place, pair in enumerate(zip(*texts, strict=False)) if len({*pair}) > 1), 0)
    start = max(0, different - _BEFORE) if max(map(len, texts)) > _LONGEST else 0
    return " (live {}, desired {})".format(*(_cut(text, start) for text in texts))


def _text(value: Any) -> str:
    if value is None:
        return _NOTHING
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (dict, list)) else repr(value)


def _cut(text: str, start: int) -> str:
    end = start + _LONGEST
    return f"{'...' if start else ''}{text[start:end]}{'...' if len(text) > end else ''}"


def _at(content: Any, path: str) -> Any:
    """The value at a path as the server writes it: `.spec.ports[name="http"].number`; None where it leads nowhere."""
    while path and content is not None:
        content, path = _item(content, path) if path.startswith("[") else _member(content, path)
    return content


def _member(content: Any, path: str) -> tuple[Any, str]:
    """What a name leads to, and the rest of the path. Names are not quoted, and those of labels have dots."""
    names = content if isinstance(content, dict) else ()
    fitting = [name for name in names if f"{path}.".startswith((f".{name}.", f".{name}["))]
    name = max(fitting, key=len, default=None)
    return (None, "") if name is None else (content[name], path[len(name) + 1 :])


def _item(content: Any, path: str) -> tuple[Any, str]:
    """The item of a list that has some keys (`[port=80,protocol="TCP"]`), and the rest of the path."""
    keys: dict[str, Any] = {}
    while path[:1] in ("[", ","):
        key, _equals, rest = path[1:].partition("=")
        if not rest:
            return None, ""  # an index, or the value of an item: there is nothing in it that could be told
        try:
            keys[key], end = json.JSONDecoder().raw_decode(rest)
        except ValueError:  # the server quotes as Go does, which is not always JSON
            return None, ""
        path = rest[end:]
    items = [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
    exact = [item for item in items if keys.items() <= item.items()]
    # What was asked for need not say a key that has a default.
    fitting = exact or [item for item in items if all(item.get(key, value) == value for key, value in keys.items())]
    return (fitting[0] if len(fitting) == 1 else None), path[1:]
