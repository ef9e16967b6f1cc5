# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying objects of Istio's API, and any others that the API server knows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.errors import Failure
from ..reconcile.engine import OnError, reconcile
from ..reconcile.objects import Desired, Key
from ..reconcile.objectset import ObjectSet
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .facts import KEYED_LISTS, MANAGER_PREFIX
from .kind import Kind, manifest
from .kinds import KINDS, RANKS

MANAGER = f"{MANAGER_PREFIX}config"


class InvalidManifest(Failure):
    """What stands in the input is not an object of Kubernetes."""

    code = "invalid_manifest"


@dataclass(frozen=True)
class Config:
    """Objects that shall be there, and objects that shall not."""

    present: tuple[Desired, ...] = ()
    absent: tuple[Key, ...] = ()
    take_ownership_from: tuple[str, ...] = ()
    on_error: OnError = "rollback"
    object_set: ObjectSet | None = None


def run_config(run: Run, wanted: Config) -> Outcome:
    """Bring the objects to what is wanted."""
    manager = f"{MANAGER}/{wanted.object_set.name}" if wanted.object_set else MANAGER
    return reconcile(
        run,
        Owner(manager, wanted.take_ownership_from, ranks=RANKS, keyed_lists=KEYED_LISTS),
        wanted.present,
        wanted.absent,
        on_error=wanted.on_error,
        object_set=wanted.object_set,
    )


def config_of_kind(kind: Kind, params: Mapping[str, Any]) -> Config:
    """The request of a module of one kind."""
    return _config([(manifest(kind, params), kind.name, params["state"])], params)


def config_of_many(params: Mapping[str, Any]) -> Config:
    """The request of the config module: manifests, and a list of options for each kind."""
    return _config([*_manifests(params), *_lists(params)], params)


def _config(entries: Sequence[tuple[Object, str, str]], params: Mapping[str, Any]) -> Config:
    return Config(
        tuple(Desired(content, source) for content, source, state in entries if state == "present"),
        tuple(Key.of(content) for content, _source, state in entries if state == "absent"),
        tuple(params.get("take_ownership_from") or ()),
        params.get("on_error") or "rollback",
        _object_set(params),
    )


def _object_set(params: Mapping[str, Any]) -> ObjectSet | None:
    """The set that a task's options name. Raises InvalidManifest for `prune` without one."""
    if params.get("set"):
        options = ("set_namespace", "prune", "prune_limit", "adopt")
        return ObjectSet(params["set"], *(params[name] for name in options))
    if params.get("prune"):
        raise InvalidManifest(
            "'prune' needs 'set'", reason="only a set knows what was in it before", hint="Give the set a name by 'set'"
        )
    return None


def _manifests(params: Mapping[str, Any]) -> Iterator[tuple[Object, str, str]]:
    for number, content in enumerate(params.get("objects") or [], 1):
        source = f"objects[{number - 1}]"
        for item in _checked(content, source):
            yield item, source, params["state"]


def _checked(content: object, source: str) -> list[Object]:
    """A manifest's objects: itself, or what its `List` holds. Raises InvalidManifest."""
    if not isinstance(content, Mapping):
        raise InvalidManifest(f"{source} is not an object of Kubernetes", subject=source, reason="it is no mapping")
    if str(content.get("kind", "")).endswith("List") and isinstance(content.get("items"), list):
        entries = enumerate(content["items"])
        return [item for number, entry in entries for item in _checked(entry, f"{source}.items[{number}]")]
    metadata = content.get("metadata")
    given = {
        "apiVersion": content.get("apiVersion"),
        "kind": content.get("kind"),
        "metadata.name": metadata.get("name") if isinstance(metadata, Mapping) else None,
    }
    missing = [key for key, value in given.items() if not isinstance(value, str) or not value]
    if missing:
        raise InvalidManifest(
            f"{source} is not an object of Kubernetes",
            subject=source,
            reason=f"it has no {', no '.join(missing)} (text)",
            hint="Every object needs apiVersion, kind and metadata.name",
        )
    return [dict(content)]


def _lists(params: Mapping[str, Any]) -> Iterator[tuple[Object, str, str]]:
    for kind in KINDS:
        for number, values in enumerate(params.get(kind.plural_name) or []):
            state = values.get("state") or params["state"]
            yield manifest(kind, values), f"{kind.plural_name}[{number}]", state
