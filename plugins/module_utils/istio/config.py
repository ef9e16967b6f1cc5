# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Applying objects of Istio's API, and any others that the API server knows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.errors import Failure
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, Key, is_ending
from ..reconcile.objectset import ObjectSet
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner, Plan, Validate, refuse_duplicates
from ..reconcile.run import Run
from ..reconcile.writing import OnError
from .checks import check_cluster, check_input, known_codes
from .facts import CO_OWNED, KEYED_LISTS, MANAGER_PREFIX, ROOT_NAMESPACE, SCALED
from .kind import Kind, manifest
from .kinds import DESTINATION_RULE, KINDS, RANKS
from .manifests import InvalidManifest, Manifest, judged
from .sources import unpacked_documents
from .world import spec_of

MANAGER = f"{MANAGER_PREFIX}config"
_LONGEST_SET_NAME = 90
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


class BeingDeleted(Failure):
    """Somebody has deleted an object that shall be there."""

    code = "being_deleted"


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
        _refuse_ending(run.client.name, plan)
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
            narrows=_leaves_subsets,
            held=SCALED,
        ),
        wanted.present,
        wanted.absent,
        on_error=wanted.on_error,
        object_set=wanted.object_set,
        review=review,
        validate=wanted.validate,
    )


def _leaves_subsets(before: Object, after: Object) -> bool:
    """Whether a DestinationRule only loses subsets: until the routes to them are written anew, they lead nowhere.

    Source: https://istio.io/latest/docs/ops/best-practices/traffic-management/#avoid-503-errors-while-reconfiguring-service-routes
    """
    if after["kind"] != DESTINATION_RULE.resource.kind:
        return False
    names = [{subset.get("name") for subset in spec_of(found).get("subsets") or ()} for found in (before, after)]
    return names[1] < names[0]


def _refuse_ending(cluster: str, plan: Plan) -> None:
    """Raise BeingDeleted: what is applied to such an object goes with it, whatever the server answers."""
    for action in plan.actions:
        if action.desired and action.before and is_ending(action.before):
            metadata = action.before["metadata"]
            waits = ", ".join(metadata.get("finalizers") or ()) or "what is in it or runs of it"
            error = BeingDeleted(
                f"{action.key} on {cluster} is being deleted",
                subject=str(action.key),
                reason=f"since {metadata['deletionTimestamp']}; it is still there for {waits}",
                hint="Run the task again when it is gone (its status or its finalizers say what it waits for), "
                "or leave it out",
            )
            error.stands_in(action.desired.source)
            raise error


def config_of_kind(kind: Kind, params: Mapping[str, Any]) -> Config:
    """The request of a module of one kind."""
    return _config([Manifest(manifest(kind, params), kind.name, params["state"])], params)


def config_of_many(params: Mapping[str, Any]) -> Config:
    """The request of the config module: files, manifests, and a list of options for each kind."""
    _refuse_pruning_by_silence(params)
    return _config([*_files(params), *_objects(params), *_lists(params)], params)


def _config(entries: Iterable[Manifest], params: Mapping[str, Any]) -> Config:
    ignored = known_codes(params.get("ignore_checks") or ())
    manifests = judged(entries)
    present = tuple(Desired(found.content, found.place) for found in manifests if found.state == "present")
    absent = tuple(Key.of(found.content, found.place) for found in manifests if found.state == "absent")
    if absent:  # a plan would find them only after the set, which counts them as its own, has been read
        refuse_duplicates((Key.of(found.content), found.place) for found in manifests)
    check_input(present, ignored)
    return Config(
        present,
        absent,
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
    if params.get("set") is not None:
        _refuse_name(params["set"])
        _refuse_limit(params["prune_limit"])
        options = ("set_namespace", "prune", "prune_limit", "adopt")
        return ObjectSet(params["set"], *(params[name] for name in options))
    if params.get("prune"):
        raise InvalidManifest(
            "'prune' needs 'set'", reason="only a set knows what was in it before", hint="Give the set a name by 'set'"
        )
    return None


def _refuse_limit(limit: int) -> None:
    if limit < 0:
        raise InvalidManifest(
            f"'prune_limit' cannot be {limit}",
            reason="it is the number of objects that may be pruned",
            hint="Give 0 for none of them",
        )


def _refuse_name(name: str) -> None:
    """A set's name becomes a ConfigMap's and a part of a field manager's, which has at most 128 characters."""
    if len(name) <= _LONGEST_SET_NAME and _SUBDOMAIN.fullmatch(name):
        return
    allowed = f"at most {_LONGEST_SET_NAME} lower-case letters, digits, '-' and '.'"
    raise InvalidManifest(
        f"'set' is '{name[:_LONGEST_SET_NAME]}', which cannot be the name of a set",
        reason=f"it is kept as a ConfigMap of that name: {allowed}",
        hint="Give the set another name"
        if name
        else "Name the set. A task without one leaves 'set' out (a template "
        "gives 'omit'); with 'adopt: true' that takes its objects out of the sets that they are in",
    )


def _refuse_pruning_by_silence(params: Mapping[str, Any]) -> None:
    """Raise InvalidManifest for `prune` where no option says what stays: only an empty list says that nothing does."""
    options = ("src", "objects", *(kind.plural_name for kind in KINDS))
    if params.get("prune") and params.get("set") and all(params.get(option) is None for option in options):
        raise InvalidManifest(
            f"'prune' would delete every member of the set '{params['set']}'",
            reason="no option says which objects shall be there",
            hint="Give 'src', 'objects' or the list of a kind; 'objects: []' says on purpose that none shall",
        )


def _files(params: Mapping[str, Any]) -> Iterator[Manifest]:
    """What stands in files; a file that was cut short must not look like one whose objects shall go."""
    for document in unpacked_documents(params.get("src") or [], each_holds_some=bool(params.get("prune"))):
        yield Manifest(document.content, document.place, params["state"], document.locate)


def _objects(params: Mapping[str, Any]) -> Iterator[Manifest]:
    for number, content in enumerate(params.get("objects") or []):
        yield Manifest(content, f"objects[{number}]", params["state"])


def _lists(params: Mapping[str, Any]) -> Iterator[Manifest]:
    for kind in KINDS:
        for number, values in enumerate(params.get(kind.plural_name) or []):
            state = values.get("state") or params["state"]
            yield Manifest(manifest(kind, values), f"{kind.plural_name}[{number}]", state)
