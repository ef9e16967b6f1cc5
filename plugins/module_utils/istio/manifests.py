# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judging manifests before anything is asked of a cluster: what can never be an object is named, field by field.

Everything that is wrong in the whole input is told at once. A `null` is
refused: to server-side apply it is no absent field. It takes the field into our
ownership, writes an empty text into a Kubernetes object, and is no valid value
in a custom resource (tried on Kubernetes 1.34). Only `creationTimestamp: null`
is no fault, because tools that generate manifests leave it behind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..kube.errors import Failure
from ..kube.yaml_loader import DEEPEST
from .kinds import KINDS
from .stored import STAMP, as_stored
from .yaml_text import FieldPath, shown

LARGEST_OBJECT = 1_048_576
_LONGEST_NAME = 253
_LONGEST_NAMESPACE = 63
_SHOWN = 10
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_CRD = "CustomResourceDefinition"
# Where keys lead to texts of any content: by kind, first the part that takes bytes, encoded.
_KEYED_TEXTS: Mapping[str, tuple[str, ...]] = {"Secret": ("data", "stringData"), "ConfigMap": ("binaryData", "data")}
# What a user may fill as it pleases: there null is a value like any other.
_FREE = frozenset({("spec", "pluginConfig"), ("wasm", "pluginConfig"), ("patch", "value")})
# Mappings whose keys are names that users give: `host` among them is no field.
_NAMED_BY_USERS = frozenset({"ports"})
# Whose fields of these names hold text in every place; of other APIs only metadata is known.
_KNOWN_GROUPS = ("istio.io", "gateway.networking.k8s.io")
_TEXTS = frozenset({"host", "subset", "hostname"})
_LISTS_OF_TEXTS = frozenset({"hosts", "hostnames", "sniHosts", "addresses", "gateways", "exportTo"})
# First-level fields of specs, which Istio's kinds hold as the table of kinds says.
_OPTIONS = [option for kind in KINDS for option in kind.options.values()]
_TEXTS_OF_SPECS = frozenset(("spec", option.field) for option in _OPTIONS if option.type == "str")
_LISTS_OF_SPECS = frozenset(("spec", option.field) for option in _OPTIONS if option.elements == "str")
_MAPS_OF_TEXTS = frozenset({"labels", "matchLabels", "annotations"})

Locate = Callable[[FieldPath], tuple[int, str]]


class InvalidManifest(Failure):
    """What stands in the input is not an object of Kubernetes."""

    code = "invalid_manifest"
    default_hint = "Correct it; nothing has been sent to the cluster"


def _nowhere(_path: FieldPath) -> tuple[int, str]:
    return 0, ""


@dataclass(frozen=True)
class Manifest:
    """An object of the input, where it stands there, and how to find the line of one of its fields."""

    content: Any
    place: str
    state: str = "present"
    locate: Locate = _nowhere
    inside: FieldPath = ()

    def item(self, number: int, content: Any) -> Manifest:
        """An entry of a `List`."""
        inside = (*self.inside, "items", number)
        return Manifest(content, f"{self.place}, items[{number}]", self.state, self.locate, inside)


@dataclass(frozen=True)
class Problem:
    """Why an object cannot be right. `{it}` in the text becomes what is written there."""

    path: FieldPath
    text: str


def judged(manifests: Iterable[Manifest]) -> list[Manifest]:
    """The objects as they are stored, those of a `List` one by one. Raises InvalidManifest with all that is wrong."""
    found = [item for manifest in manifests for item in _items(manifest)]
    wrong = [(manifest, problem) for manifest in found for problem in problems(manifest.content)]
    if wrong:
        raise _refused(wrong)
    return [replace(manifest, content=as_stored(manifest.content)) for manifest in found]


def problems(content: Any) -> list[Problem]:
    """Everything that is wrong with an object."""
    if not isinstance(content, Mapping):
        hint = "; a list of objects is written as documents, or as the items of a List"
        return [Problem((), f"is {_type(content)}, not an object{hint if isinstance(content, list) else ''}")]
    if _is_list(content):
        return [_no_items(content)]
    found = [*_identity(content), *_shape(content), *_keyed(content)]
    try:
        _walk(_typed_part(content), (), found, _knows(content))
        written = json.dumps(content, ensure_ascii=False)
        if _may_be_deep(written) and _is_deeper(content, DEEPEST):
            raise RecursionError
    except RecursionError:
        return [Problem((), f"is nested deeper than {DEEPEST} levels")]
    size = len(written.encode(errors="surrogatepass"))
    if size > LARGEST_OBJECT:
        found.append(Problem((), f"has {size / 1e6:.1f} MB, and an object may have 1 MB: etcd takes little more"))
    return found


def _may_be_deep(written: str) -> bool:
    """Each level has a bracket of its own: few objects have so many that they have to be looked through."""
    return written.count("{") + written.count("[") > DEEPEST


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether something is nested deeper than all that comes after can follow."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_is_deeper(item, levels - 1) for item in inner if isinstance(item, (dict, list)))


def field_name(path: FieldPath) -> str:
    """A path as people write it: `spec.http[0].route`, `metadata.labels[app.kubernetes.io/name]`."""
    text = ""
    for step in path:
        plain = isinstance(step, str) and not re.search(r"[./\s]", step)
        text += f".{step}" if plain else f"[{step}]"
    return text.removeprefix(".")


def _items(manifest: Manifest) -> Iterator[Manifest]:
    content = manifest.content
    items = content.get("items") if isinstance(content, Mapping) else None
    if isinstance(items, list) and str(content.get("kind", "")).endswith("List"):
        for number, item in enumerate(items):
            yield from _items(manifest.item(number, item))
    else:
        yield manifest


def _is_list(content: Mapping[str, Any]) -> bool:
    """Whether this is a `List`; one that has items has been taken apart."""
    return content.get("kind") == "List" and content.get("apiVersion", "v1") == "v1"


def _no_items(content: Mapping[str, Any]) -> Problem:
    is_what = f"is {_type(content['items'])}" if "items" in content else "is missing"
    return Problem(("items",), f"{is_what}, and a list of objects belongs here")


def _identity(content: Mapping[str, Any]) -> Iterator[Problem]:
    """What every object must have: the kind, and a name that can be one."""
    metadata = content.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    for path, value in (
        (("apiVersion",), content.get("apiVersion")),
        (("kind",), content.get("kind")),
        (("metadata", "name"), metadata.get("name")),
    ):
        if value is None or value == "":
            yield Problem(path, "is missing")
        elif not isinstance(value, str):
            yield _no_text(path, value)
    yield from _name(metadata.get("name"))
    yield from _namespace(metadata.get("namespace"))


def _name(name: Any) -> Iterator[Problem]:
    if isinstance(name, str) and len(name) > _LONGEST_NAME:
        yield Problem(("metadata", "name"), f"has {len(name)} characters, and a name has at most {_LONGEST_NAME}")
    if isinstance(name, str) and (name in (".", "..") or re.search(r"[/%\s]", name)):
        yield Problem(("metadata", "name"), f"is '{name[:_LONGEST_NAME]}', which cannot be the name of an object")


def _namespace(namespace: Any) -> Iterator[Problem]:
    path = ("metadata", "namespace")
    if namespace is not None and not isinstance(namespace, str):
        yield _no_text(path, namespace)
    elif namespace and (len(namespace) > _LONGEST_NAMESPACE or not _LABEL.fullmatch(namespace)):
        allowed = f"at most {_LONGEST_NAMESPACE} lower-case letters, digits and '-'"
        yield Problem(path, f"is '{namespace[:_LONGEST_NAME]}', which cannot be the name of a namespace: {allowed}")


def _shape(content: Mapping[str, Any]) -> Iterator[Problem]:
    """Mappings where mappings belong."""
    metadata = content.get("metadata")
    inner = metadata if isinstance(metadata, Mapping) else {}
    for path, value in (
        (("metadata",), metadata),
        (("metadata", "labels"), inner.get("labels")),
        (("metadata", "annotations"), inner.get("annotations")),
        (("spec",), content.get("spec")),
    ):
        if value is not None and not isinstance(value, Mapping):
            yield Problem(path, f"is {_type(value)}, and a mapping belongs here")


def _keyed(content: Mapping[str, Any]) -> Iterator[Problem]:
    """Texts where a Secret or a ConfigMap holds texts, told without a word of what is there."""
    parts = _KEYED_TEXTS.get(str(content.get("kind")), ()) if content.get("apiVersion") == "v1" else ()
    for part in parts:
        values = content.get(part, {})
        if isinstance(values, Mapping):
            yield from _keyed_values(part, values, parts[0])
        elif values is not None:
            yield Problem((part,), "must be a mapping of keys to texts")


def _keyed_values(part: str, values: Mapping[str, Any], of_bytes: str) -> Iterator[Problem]:
    for key, value in values.items():
        if isinstance(value, (list, Mapping)):
            yield Problem((part, key), f"is {_type(value)}, and text belongs here")
        elif not isinstance(value, str) and value is not None:
            yield Problem((part, key), "must be text, and is a number or a boolean to YAML: put it in quotes")
        elif isinstance(value, str) and not _is_unicode(value):
            yield Problem((part, key), f"holds bytes that are no text: give it under {of_bytes}, encoded with base64")


def _is_unicode(text: str) -> bool:
    """Whether a text can be written; bytes that Ansible has read from a file become halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _typed_part(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A CRD's schema names fields as others do, and holds something else in them: of a CRD only metadata is judged."""
    return {"metadata": content.get("metadata", {})} if content.get("kind") == _CRD else content


def _knows(content: Mapping[str, Any]) -> bool:
    """Whether fields outside of metadata are known by their names."""
    return str(content.get("apiVersion", "")).rpartition("/")[0].endswith(_KNOWN_GROUPS)


def _walk(value: Any, path: FieldPath, found: list[Problem], known: bool) -> None:
    """Nulls, and numbers and booleans where only text can stand; texts, which are most of all values, cost nothing."""
    if path[-2:] in _FREE:
        return
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            if not isinstance(item, str):
                _walk(item, (*path, key), found, known)
    elif value is None and not _is_stamp(path):
        found.append(Problem(path, "is null, which is not the same as absent: leave the field out"))
    elif value is not None and _is_text(path, known):
        found.append(_no_text(path, value))


def _is_stamp(path: FieldPath) -> bool:
    return path[-2:] == ("metadata", STAMP)


def _is_text(path: FieldPath, known: bool) -> bool:
    """Whether only text can stand here; name and namespace are judged with the object's identity."""
    field, parent = path[-1], path[-2] if len(path) > 1 else ""
    if parent in _MAPS_OF_TEXTS:
        return known or path[-3:-2] == ("metadata",)
    if isinstance(field, int):
        return known and (parent in _LISTS_OF_TEXTS or path[:-1] in _LISTS_OF_SPECS)
    return known and parent not in _NAMED_BY_USERS and (field in _TEXTS or path in _TEXTS_OF_SPECS)


def _no_text(path: FieldPath, value: Any) -> Problem:
    if isinstance(value, (list, Mapping)):
        return Problem(path, f"is {_type(value)}, and text belongs here")
    return Problem(path, f"must be text, but YAML reads {{it}} as {shown(value)}: put it in quotes")


def _type(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, list) else shown(value) if not isinstance(value, str) else "a text"


def _refused(wrong: list[tuple[Manifest, Problem]]) -> InvalidManifest:
    more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    told = "; ".join(_sentence(manifest, problem) for manifest, problem in wrong[:_SHOWN])
    return InvalidManifest("The input holds what cannot be applied", subject=wrong[0][0].place, reason=told + more)


def _sentence(manifest: Manifest, problem: Problem) -> str:
    line, written = manifest.locate((*manifest.inside, *problem.path))
    where = f"{manifest.place}, line {line}" if line else manifest.place
    text = problem.text.replace("{it}", written or "it")
    return f"{where}: {field_name(problem.path)} {text}" if problem.path else f"{where} {text}"
