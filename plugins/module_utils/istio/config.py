# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying objects of Istio's API, and any others that the API server knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, Key
from ..reconcile.objectset import ObjectSet
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner, Plan, Validate
from ..reconcile.run import Run
from ..reconcile.writing import OnError
from .checks import check_cluster, check_input, known_codes
from .facts import CO_OWNED, KEYED_LISTS, MANAGER_PREFIX, ROOT_NAMESPACE
from .kind import Kind, manifest
from .kinds import KINDS, RANKS
from .manifests import InvalidManifest, Manifest, judged
from .sources import unpacked_documents

MANAGER = f"{MANAGER_PREFIX}config"
_LONGEST_SET_NAME = 90
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True)
class Config:
    """Objects that shall be there, and objects that shall not."""

    present: tuple[Desired, ...] = ()
    absent: tuple[Key, ...] = ()
    take_ownership_from: tuple[str, ...] = ()
    on_error: OnError = "rollback"
    object_set: ObjectSet | None = None
    ignored_checks: frozenset[str] = frozenset()
    validate: Validate = "server"
    adopt: bool = False
    root_namespace: str = ROOT_NAMESPACE


def run_config(run: Run, wanted: Config) -> Outcome:
    """Bring the objects to what is wanted."""

    def review(plan: Plan) -> list[str]:
        root, ignored = wanted.root_namespace, wanted.ignored_checks
        return check_cluster(run.client, plan.actions, ignored, root=root, check_mode=run.check_mode)

    manager = f"{MANAGER}/{wanted.object_set.name}" if wanted.object_set else MANAGER
    return reconcile(
        run,
        Owner(
            manager,
            wanted.take_ownership_from,
            family=MANAGER,
            adopts=wanted.adopt,
            co_owned=CO_OWNED,
            ranks=RANKS,
            keyed_lists=KEYED_LISTS,
        ),
        wanted.present,
        wanted.absent,
        on_error=wanted.on_error,
        object_set=wanted.object_set,
        review=review,
        validate=wanted.validate,
    )


def config_of_kind(kind: Kind, params: Mapping[str, Any]) -> Config:
    """The request of a module of one kind."""
    return _config([Manifest(manifest(kind, params), kind.name, params["state"])], params)


def config_of_many(params: Mapping[str, Any]) -> Config:
    """The request of the config module: files, manifests, and a list of options for each kind."""
    return _config([*_files(params), *_objects(params), *_lists(params)], params)


def _config(entries: Iterable[Manifest], params: Mapping[str, Any]) -> Config:
    ignored = known_codes(params.get("ignore_checks") or ())
    manifests = judged(entries)
    present = tuple(Desired(found.content, found.place) for found in manifests if found.state == "present")
    check_input(present, ignored)
    return Config(
        present,
        tuple(Key.of(found.content) for found in manifests if found.state == "absent"),
        tuple(params.get("take_ownership_from") or ()),
        params.get("on_error") or "rollback",
        _object_set(params),
        ignored,
        params.get("validate") or "server",
        bool(params.get("adopt")),
        params.get("root_namespace") or ROOT_NAMESPACE,
    )


def _object_set(params: Mapping[str, Any]) -> ObjectSet | None:
    """The set that a task's options name. Raises InvalidManifest for `prune` without one."""
    if params.get("set"):
        _refuse_name(params["set"])
        options = ("set_namespace", "prune", "prune_limit", "adopt")
        return ObjectSet(params["set"], *(params[name] for name in options))
    if params.get("prune"):
        raise InvalidManifest(
            "'prune' needs 'set'", reason="only a set knows what was in it before", hint="Give the set a name by 'set'"
        )
    return None


def _refuse_name(name: str) -> None:
    """A set's name becomes a ConfigMap's and a part of a field manager's, which has at most 128 characters."""
    if len(name) <= _LONGEST_SET_NAME and _SUBDOMAIN.fullmatch(name):
        return
    allowed = f"at most {_LONGEST_SET_NAME} lower-case letters, digits, '-' and '.'"
    raise InvalidManifest(
        f"'set' is '{name[:_LONGEST_SET_NAME]}', which cannot be the name of a set",
        reason=f"it is kept as a ConfigMap of that name: {allowed}",
        hint="Give the set another name",
    )


def _files(params: Mapping[str, Any]) -> Iterator[Manifest]:
    for document in unpacked_documents(params.get("src") or []):
        yield Manifest(document.content, document.place, params["state"], document.locate)


def _objects(params: Mapping[str, Any]) -> Iterator[Manifest]:
    for number, content in enumerate(params.get("objects") or []):
        yield Manifest(content, f"objects[{number}]", params["state"])


def _lists(params: Mapping[str, Any]) -> Iterator[Manifest]:
    for kind in KINDS:
        for number, values in enumerate(params.get(kind.plural_name) or []):
            state = values.get("state") or params["state"]
            yield Manifest(manifest(kind, values), f"{kind.plural_name}[{number}]", state)
