# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Objects as this layer sees them: an identity, a header for people, a form to compare."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..kube.client import Object

# What the API server keeps for itself; a change in it is no change that anybody asked for.
SERVER_FIELDS = ("managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink")
_SECRET_PARTS = ("data", "stringData")
_DROPPED = ("labels", "annotations")
# By which an object is in a set (the ApplySet specification).
PART_OF = "applyset.kubernetes.io/part-of"
Path = tuple[str, ...]


@dataclass(frozen=True, order=True)
class Key:
    """Which object: unique on one API server. `source` says where in the input it stands, and makes it no other one."""

    api_version: str
    kind: str
    namespace: str
    name: str
    source: str = field(default="", compare=False, repr=False)

    @classmethod
    def of(cls, found: Mapping[str, Any], source: str = "") -> Key:
        metadata = found["metadata"]
        return cls(found["apiVersion"], found["kind"], metadata.get("namespace") or "", metadata["name"], source)

    @cached_property
    def group_kind(self) -> str:
        group = self.api_version.rpartition("/")[0]
        return f"{self.kind}.{group}" if group else self.kind

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True)
class Desired:
    """An object as it shall be.

    `source` says where in the input it stands. `drops` are paths of fields that shall not
    be there whoever set them. `retires` are managers that shall manage nothing
    of the object any more; what they manage and we do not keeps its value. Nothing else is
    ever taken from another manager.
    `manager` is another one of ours, where an operation changes what belongs to another operation:
    the object is then written as that one would write it, so that neither undoes the other.
    With `exactly` it is no wish but an image: the whole object, managers included, is put back as it was.
    """

    content: Object
    source: str = ""
    drops: tuple[Path, ...] = ()
    manager: str = ""
    retires: tuple[str, ...] = ()
    exactly: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "content", _tidy(self.content))

    @cached_property
    def key(self) -> Key:
        return Key.of(self.content)

    def dropped_of(self, live: Object | None) -> list[Path]:
        """The fields of a live object that shall not be there."""
        return [path for path in self.drops if is_there(live or {}, path)]


def label_paths(*names: str) -> tuple[Path, ...]:
    """The paths of labels."""
    return tuple(("metadata", "labels", name) for name in names)


def annotation_paths(*names: str) -> tuple[Path, ...]:
    """The paths of annotations."""
    return tuple(("metadata", "annotations", name) for name in names)


def is_there(content: Any, path: Path) -> bool:
    """Whether a path of keys leads to something."""
    for step in path:
        if not isinstance(content, dict) or step not in content:
            return False
        content = content[step]
    return True


def without(content: Any, path: Path) -> Any:
    """A mapping without what a path of keys leads to; what is empty then goes as well."""
    if not isinstance(content, dict) or path[0] not in content:
        return content
    inner = without(content[path[0]], path[1:]) if path[1:] else None
    kept = {key: value for key, value in content.items() if key != path[0]}
    return {**content, path[0]: inner} if inner else kept


def mappings(content: Any) -> Iterator[dict[str, Any]]:
    """All mappings in something, itself included: one loop, as every object of every run is looked through."""
    todo = [content]
    for part in todo:
        if isinstance(part, dict):
            yield part
            part = part.values()
        todo.extend(item for item in part if isinstance(item, (dict, list)))


def _tidy(content: Object) -> Object:
    """Without empty labels and annotations, which charts like to render.

    The server drops an empty mapping on creation and counts it as ours at the next
    apply: the second run would change who manages a field that says nothing.
    """
    found = [part["metadata"] for part in mappings(content) if isinstance(part.get("metadata"), dict)]
    return _tidied(content) if any(not metadata.get(name, True) for metadata in found for name in _DROPPED) else content


def _tidied(content: Any) -> Any:
    if isinstance(content, list):
        return [_tidied(item) for item in content]
    if not isinstance(content, dict):
        return content
    tidied = {key: _tidied(value) for key, value in content.items()}
    metadata = tidied.get("metadata")
    if isinstance(metadata, dict):
        tidied["metadata"] = {key: value for key, value in metadata.items() if key not in _DROPPED or value}
    return tidied


def comparable(found: Object | None) -> Object:
    """An object without what the server keeps for itself and without its status. The rest is shared: read it only."""
    if found is None:
        return {}
    content = {key: value for key, value in found.items() if key != "status"}
    content["metadata"] = {key: value for key, value in content["metadata"].items() if key not in SERVER_FIELDS}
    return content


def shown(found: Object | None) -> Object:
    """What a diff or a result may show of an object: Secret data only as hashes."""
    content = comparable(found)
    if content.get("kind") == "Secret":
        _hash_values(content, _SECRET_PARTS)
        _hash_values(content["metadata"], ("annotations",))  # kubectl keeps a copy of the data there
    return content


def _hash_values(content: Object, parts: Iterable[str]) -> None:
    for part in parts:
        if isinstance(content.get(part), dict):
            content[part] = {key: _hashed(value) for key, value in content[part].items()}


def secrets_of(contents: Iterable[Any]) -> set[str]:
    """Every value of Secrets among some objects and lists of objects, encoded and decoded."""
    values = {text for part in _secret_parts(contents) for text in _leaves(part)}
    return values | {_decoded(value) for value in values}


def _secret_parts(contents: Iterable[Any]) -> Iterator[Any]:
    for content in contents:
        if not isinstance(content, Mapping):
            continue
        if content.get("kind") == "Secret":
            yield from (content.get(part) for part in _SECRET_PARTS)
        elif isinstance(content.get("items"), list):
            yield from _secret_parts(content["items"])


def _leaves(value: Any) -> Iterator[str]:
    """Texts of a value however deep: a wrong shape is quoted by the server, too."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in inner:
        yield from _leaves(item)
    if value is not None and not isinstance(value, (dict, list)):
        yield str(value)


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except ValueError:
        return ""


def _hashed(value: object) -> str:
    return f"sha256:{hashlib.sha256(str(value).encode()).hexdigest()[:16]}"


def overlaid(below: Any, above: Any) -> Any:
    """A value laid over another: mappings are merged, everything else is replaced."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    return {**below, **{key: overlaid(below.get(key), value) for key, value in above.items()}}


def common(one: Any, other: Any) -> Any:
    """What is in both of two objects that differ only by what has been left out of them."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: common(one[key], other[key]) for key in one if key in other}
    if isinstance(one, list) and isinstance(other, list) and len(one) != len(other):
        return [item for item in one if item in other]
    if isinstance(one, list) and isinstance(other, list):
        return [common(item, same) for item, same in zip(one, other, strict=True)]
    return one


def version_of(found: Object | None) -> str:
    """The version of an object as the server has it, nothing where there is none."""
    return str(found["metadata"]["resourceVersion"]) if found else ""


def is_ending(found: Object | None) -> bool:
    """Whether somebody has deleted an object that is still there, because something has to let it go first."""
    return bool(found and found["metadata"].get("deletionTimestamp"))


def changed_fields(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Paths of the fields in which two values differ."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            inner = f"{path}.{_quoted(key)}" if path else _quoted(key)
            if key not in before or key not in after:
                yield inner
            else:
                yield from changed_fields(before[key], after[key], inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from changed_fields(old, new, f"{path}[{index}]")
    elif before != after or isinstance(before, bool) != isinstance(after, bool):  # to Python, 1 is True
        yield path


def _quoted(key: str) -> str:
    return f"[{key}]" if "." in key or "/" in key else key
