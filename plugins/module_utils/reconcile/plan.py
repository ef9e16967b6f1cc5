# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan: every action a task would take, proved against the API server.

Check mode and a real run build the same plan by this code. Each object is
dry-run by server-side apply, with all admission included; it is unchanged when
the answer equals what is there, the fields that our manager owns included.
An object whose namespace or CRD does not exist yet, or whose CRD is about to
change, cannot be asked for: it is validated by its planned schema and marked as
not verified. Who chooses
`validate: schema` has most new objects validated by the published schema
instead; what exists is dry-run all the same, because only the server knows what
would change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Literal

from ..kube.client import Client, Object
from ..kube.errors import Conflict, DeniedByWebhook, Failure, Invalid, NotFound, UnknownKind
from ..kube.resources import NAMESPACE, Resource
from ..kube.text import listed
from .conflicts import OwnedByOthers, explained, together
from .coowned import CoOwned, Held, settled
from .images import assignable, at_version, is_same
from .objects import Desired, Key, changed_fields, common, comparable, is_ending, overlaid, without
from .order import Ranks, rank
from .ownership import appliers, conflicting, fields_of, handed_over, retired, taken
from .parallel import each
from .planned import Planned
from .proof import KeyedLists, asks_nothing, is_unchanged
from .read import read
from .schema import ObjectSchema
from .schemas import Schemas

Verb = Literal["create", "update", "delete", "unchanged"]
Validate = Literal["server", "schema"]
VALIDATE: tuple[Validate, ...] = ("server", "schema")
_BY_SCHEMA = "validated by its schema: the server has not been asked"
_UNVERIFIED = "not verified by the server: {} is only planned"
_OWNERSHIP = "metadata.managedFields"
_ENDING = "it is being deleted already"
_AS_IT_WAS = "it is put back as it was, its managers included"


class DuplicateObject(Failure):
    """One object stands twice in the input."""

    code = "duplicate"


class InvalidObject(Failure):
    """The object cannot be right, found without asking the server."""

    code = "invalid"


# What a person has to correct in the input, each object for itself.
_WRONG = (DeniedByWebhook, Invalid, InvalidObject)
_SHOWN = 20


def _never(_before: Object, _after: Object) -> bool:
    return False


@dataclass(frozen=True)
class Owner:
    """As whom objects are written, and in which order.

    `family` names the tasks of one kind (`service_mesh.istio/config`, and that with a set behind it);
    who adopts is handed all fields of the others: an object then moves from one task of ours to another.
    `stages` are for single objects that have to wait for others, whatever their kinds say:
    all of an earlier stage is done, deletions included, before a later one begins.
    `narrows` tells the updates that only take away what others use until they are written: these come last.
    `held` are fields that are co-owned as long as somebody else holds them.
    """

    manager: str
    take_ownership_from: tuple[str, ...] = ()
    family: str = ""
    adopts: bool = False
    co_owned: CoOwned = field(default_factory=dict)
    ranks: Ranks = field(default_factory=dict)
    keyed_lists: Mapping[str, KeyedLists] = field(default_factory=dict)
    stages: Mapping[Key, int] = field(default_factory=dict)
    narrows: Callable[[Object, Object], bool] = _never
    held: Mapping[str, Sequence[Held]] = field(default_factory=dict)

    def manager_of(self, desired: Desired) -> str:
        return desired.manager or self.manager

    def phase(self, action: Action) -> tuple[int, int]:
        """In its stage, what is added comes before what goes, and that before what only takes away."""
        narrows = action.before and action.after and action.writes and self.narrows(action.before, action.after)
        return self.stages.get(action.key, 0), 2 if narrows else int(action.verb == "delete")

    def co_owned_of(self, group_kind: str, live: Object | None) -> list[Sequence[str]]:
        """The fields of an object that are left as they are found; what shall be taken over is not among them."""
        held = [one for one in self.held.get(group_kind, ()) if one.manager not in self.take_ownership_from]
        return [*self.co_owned.get(group_kind, ()), *(one.path for one in held if one.by_now(live))]

    def turn(self, action: Action) -> tuple[tuple[int, int], int]:
        """When an object is written: those whose turn is the same may be written side by side."""
        return self.phase(action), rank(action.key, self.ranks)

    def predecessors(self, live: Object | None) -> tuple[str, ...]:
        """The managers that hand the object over to this one."""
        others = appliers(live, self.family) if self.adopts else []
        return tuple(manager for manager in others if manager != self.manager)


@dataclass(frozen=True)
class Action:
    """One step of a plan. `before` and `after` are whole objects as the server knows or would know them."""

    verb: Verb
    key: Key
    resource: Resource
    fields: tuple[str, ...] = ()
    reason: str = ""
    desired: Desired | None = None
    before: Object | None = None
    after: Object | None = None
    verified: bool = True
    force: bool = False
    predecessors: tuple[str, ...] = ()

    @property
    def writes(self) -> bool:
        return self.verb != "unchanged"


@dataclass
class Plan:
    """Actions in the order in which they are carried out."""

    owner: Owner
    actions: list[Action]
    validate: Validate = "server"
    warnings: list[str] = field(default_factory=list)

    @property
    def writes(self) -> list[Action]:
        return [action for action in self.actions if action.writes]


def make_plan(
    client: Client,
    owner: Owner,
    present: Sequence[Desired],
    absent: Iterable[Key] = (),
    planned: Planned | None = None,
    validate: Validate = "server",
) -> Plan:
    """The plan that brings the cluster to the desired objects.

    Raises the error that a run would meet: nothing has been written then.
    """
    gone = sorted(absent, key=lambda key: (rank(key, owner.ranks), key), reverse=True)
    sources = ((key, key.source or "absent") for key in gone)
    refuse_duplicates([*((desired.key, desired.source) for desired in present), *sources])
    world = (planned or Planned()).including(desired.content for desired in present)
    ordered = _ordered(present, owner.ranks)
    cluster = _Cluster.read(client, owner, world, ordered, gone)
    if validate == "schema":
        cluster.judge_by_schema(ordered)
    actions = [*_all_present(cluster, ordered), *each(cluster.absent, gone)]
    return Plan(owner, sorted(actions, key=owner.phase), validate, cluster.warnings())


@dataclass
class _Cluster:
    """What is there, with the planned world behind it, and what each object needs."""

    client: Client
    owner: Owner
    planned: Planned
    resources: dict[Key, Resource] = field(default_factory=dict)
    live: dict[Key, Object] = field(default_factory=dict)
    proved: set[Key] = field(default_factory=set)
    by_schema: set[Key] = field(default_factory=set)
    unknown: dict[str, list[Key]] = field(default_factory=dict)
    judged: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.schemas = Schemas(self.client, self.planned)

    @classmethod
    def read(
        cls, client: Client, owner: Owner, planned: Planned, present: Sequence[Desired], gone: Sequence[Key]
    ) -> _Cluster:
        cluster = cls(client, owner, planned)
        wanted = {desired.key: desired for desired in present}
        for key, desired in wanted.items():
            with _place_named(desired.source):
                cluster.resources[key] = cluster.resource(key)
                _require_scope(cluster.resources[key], key)
        for key in gone:
            with _place_named(key.source):
                cluster._look_up(key)

        def keep(key: Key, live: Object) -> bool:
            if key in wanted and cluster.is_proved(wanted[key], live):
                cluster.proved.add(key)
                return False  # of thousands of unchanged objects nothing has to be remembered
            return True

        cluster.live = read(client, cluster.resources, keep)
        return cluster

    def resource(self, key: Key) -> Resource:
        try:
            return self.client.resource(key.api_version, key.kind)
        except UnknownKind:
            resource = self.planned.resource(key.api_version, key.kind)
            if resource is None:
                raise
            return resource

    def _look_up(self, key: Key) -> None:
        try:
            self.resources[key] = self.resource(key)
        except UnknownKind:  # without its CRD there is no such object, and that is what was asked for
            if key.source:
                self._judge_unknown(key)
            return
        _require_scope(self.resources[key], key)

    def warnings(self) -> list[str]:
        """What counts as absent because its kind is none that the cluster knows, once for each kind."""
        return [
            f"{what}, so these count as absent: {listed([f'{key} ({key.source})' for key in keys], _SHOWN, ', ')}. If "
            "that is misspelt, correct it"
            for what, keys in self.unknown.items()
        ]

    def _judge_unknown(self, key: Key) -> None:
        """Raise UnknownKind where another kind or version seems to be meant: its object would stay, and nobody know."""
        what, known = f"{self.client.name} does not serve the kind {key.kind} of {key.api_version}", self._knows(key)
        if not known:
            self.unknown.setdefault(what, []).append(key)
        if (key.api_version, key.kind) in self.judged:
            return
        self.judged.add((key.api_version, key.kind))
        meant = self._other_version(key) or ("" if known else self.client.mistaken(key.api_version, key.kind))
        if meant:
            hint = "Correct its apiVersion and kind, or, if it is gone for good, take it out of the input"
            raise UnknownKind(f"{what}{meant}", subject=str(key), hint=hint)

    def _knows(self, key: Key) -> bool:
        """Whether a kind is one that a cluster may well lack."""
        return key.group_kind in self.owner.ranks

    def _other_version(self, key: Key) -> str:
        other = next(self.client.served(key.group_kind), None)
        return f" (did you mean apiVersion '{other.api_version}'?)" if other else ""

    def is_proved(self, desired: Desired, live: Object) -> bool:
        if desired.exactly:
            return is_same(live, desired.content)
        if is_ending(live):
            return False
        keyed = self.owner.keyed_lists.get(desired.key.group_kind)
        if keyed is None or self.owner.predecessors(live):
            return False
        wanted, manager = self._settled(desired, live), self.owner.manager_of(desired)
        return asks_nothing(wanted, live, manager) or is_unchanged(wanted, live, manager, keyed)

    def _settled(self, desired: Desired, live: Object | None) -> Desired:
        paths = self.owner.co_owned_of(desired.key.group_kind, live)
        content = settled(desired.content, live, self.owner.manager_of(desired), paths)
        return desired if content is desired.content else replace(desired, content=content)

    def judge_by_schema(self, ordered: Sequence[Desired]) -> None:
        """Choose the new objects that need no dry run.

        The first of every kind and of every namespace is dry-run nevertheless: permissions, a namespace that is
        missing and a webhook that is down show themselves before the first write.
        """
        seen: set[str] = set()
        for key in (desired.key for desired in ordered):
            if key in self.proved or key in self.live:
                continue
            marks = {key.group_kind, f"in {key.namespace}"}
            if marks <= seen:
                self.by_schema.add(key)
            seen |= marks

    def unchanged(self, desired: Desired) -> Action:
        return Action("unchanged", desired.key, self.resources[desired.key], desired=desired)

    def present(self, desired: Desired) -> Action:
        resource, live = self.resources[desired.key], self.live.get(desired.key)
        with _place_named(desired.source):
            return self._asked(desired, resource, live)

    def _asked(self, desired: Desired, resource: Resource, live: Object | None) -> Action:
        """What the server says; or the schema, where that shall do or the server cannot know yet."""
        key, predecessors = desired.key, self.owner.predecessors(live)
        if desired.exactly:
            return _put_back(self.client, self.owner, resource, desired, live)
        schema = self.schemas.published(key) if key in self.by_schema else None
        if schema:
            _require_valid(key, schema, desired.content)
            return Action("create", key, resource, reason=_BY_SCHEMA, desired=desired, after=desired.content)
        inherited = handed_over(live, predecessors, self.owner.manager) if live and predecessors else live
        desired = self._settled(desired, inherited)
        try:
            answer = _dry_run(self.client, self.owner, resource, desired, live)
        except (NotFound, UnknownKind) as error:
            return _unverified(self, resource, desired, error)
        except Invalid:
            if not self._waits_for_crd(desired):
                raise
            return _as_written(resource, desired, live, _UNVERIFIED.format(f"the new CRD of {key.kind}"))
        return _compared(self.owner, resource, desired, live, answer)

    def _waits_for_crd(self, desired: Desired) -> bool:
        """Whether the schema that is there refuses an object, and the one that is planned takes it."""
        present, planned = self.schemas.published(desired.key), self.schemas.planned(desired.key)
        if present is None or planned is None:
            return False
        return bool(present.violations(desired.content)) and not planned.violations(desired.content)

    def absent(self, key: Key) -> Action:
        resource, live = self.resources.get(key), self.live.get(key)
        if resource is None:
            return Action("unchanged", key, Resource(key.api_version, key.kind, ""), reason="its kind is not served")
        if live is None:
            return Action("unchanged", key, resource, reason="it does not exist")
        if is_ending(live):
            return Action("unchanged", key, resource, reason=_ENDING)
        self.client.delete(resource, key.name, key.namespace or None, uid=live["metadata"]["uid"], dry_run=True)
        return Action("delete", key, resource, before=live)


def _all_present(cluster: _Cluster, ordered: Sequence[Desired]) -> list[Action]:
    """What each object needs, in order: the server is asked about those that are not proved, several at a time.

    Who meets an object that is wrong, or fields of somebody else, has the others asked for nevertheless, to tell all.
    """

    def asked(desired: Desired) -> Action | Failure:
        try:
            return cluster.present(desired)
        except (*_WRONG, OwnedByOthers) as error:
            return error

    answers = list(each(asked, [desired for desired in ordered if desired.key not in cluster.proved]))
    _refuse_all([answer for answer in answers if isinstance(answer, Failure)])
    found = {answer.key: answer for answer in answers if isinstance(answer, Action)}
    return [cluster.unchanged(desired) if desired.key in cluster.proved else found[desired.key] for desired in ordered]


def _refuse_all(refused: Sequence[Failure]) -> None:
    """All objects that are wrong as one error; when none is, all of which others hold fields."""
    wrong = [error for error in refused if isinstance(error, _WRONG)]
    if len(wrong) == 1:
        raise wrong[0]
    if wrong:
        raise type(wrong[0])(
            f"{len(wrong)} objects are not valid",
            subject=listed([error.subject for error in wrong], _SHOWN, ", "),
            reason=listed([error.line for error in wrong], _SHOWN),
            hint=". ".join(dict.fromkeys(error.hint for error in wrong)),
        )
    conflicts = [error for error in refused if isinstance(error, OwnedByOthers)]
    if conflicts:
        raise together(conflicts)


@contextmanager
def _place_named(source: str) -> Iterator[None]:
    """What is held against an object is told with the place of the input where it stands."""
    try:
        yield
    except Failure as error:
        error.stands_in(source)
        raise


def _ordered(present: Sequence[Desired], ranks: Ranks) -> list[Desired]:
    return sorted(present, key=lambda desired: (rank(desired.key, ranks), desired.key))


def refuse_duplicates(wanted: Iterable[tuple[Key, str]]) -> None:
    """Two entries for one object would undo each other in every run; its version does not make it another object."""
    seen: dict[tuple[str, str, str], str] = {}
    for key, source in wanted:
        identity = (key.group_kind, key.namespace, key.name)
        if identity in seen:
            places = " and ".join(place for place in (seen[identity], source) if place)
            raise DuplicateObject(
                f"{key} stands twice in the input", subject=str(key), reason=places, hint="Keep one of them"
            )
        seen[identity] = source


def _require_scope(resource: Resource, key: Key) -> None:
    if resource.namespaced == bool(key.namespace):
        return
    reason = (
        "objects of this kind live in a namespace"
        if resource.namespaced
        else "objects of this kind live in no namespace"
    )
    hint = "Set its namespace" if resource.namespaced else "Leave its namespace out"
    raise InvalidObject(f"{key} cannot be placed", subject=str(key), reason=reason, hint=hint)


@dataclass(frozen=True)
class _Answer:
    """The object as it would be, and what has to be taken over by force: (manager, field)."""

    after: Object
    taken: tuple[tuple[str, str], ...] = ()


def _dry_run(client: Client, owner: Owner, resource: Resource, desired: Desired, live: Object | None) -> _Answer:
    """What the server says. Of what is handed over it is asked as each manager: each lets go what is not desired."""
    predecessors = owner.predecessors(live)
    own = owner.manager_of(desired)
    itself = (own,) if not predecessors or fields_of(live, own) else ()
    answers = [_dry_run_as(manager, client, owner, resource, desired, live) for manager in (*itself, *predecessors)]
    after = reduce(common, (answer.after for answer in answers))
    return _Answer(after, tuple(dict.fromkeys(pair for answer in answers for pair in answer.taken)))


def _dry_run_as(
    manager: str, client: Client, owner: Owner, resource: Resource, desired: Desired, live: Object | None
) -> _Answer:
    ours = {owner.manager_of(desired), *owner.predecessors(live)}
    try:
        return _Answer(client.apply(resource, desired.content, manager, dry_run=True))
    except Conflict as error:
        pairs = conflicting(error)
        # Our own name among them is what a roll-back that was interrupted has left.
        if not pairs or not {other for other, _field in pairs} <= {*ours, *owner.take_ownership_from}:
            raise explained(error, f"{desired.key} on {client.name}", desired.content, live, owner.family) from error
    after = client.apply(resource, desired.content, manager, dry_run=True, force=True)
    return _Answer(after, tuple(pair for pair in pairs if pair[0] not in owner.predecessors(live)))


def _unverified(cluster: _Cluster, resource: Resource, desired: Desired, error: NotFound | UnknownKind) -> Action:
    """A creation that the server cannot be asked about, because something planned is missing."""
    key = desired.key
    missing = _missing(cluster, key, error)
    schema = cluster.schemas.planned(key) or cluster.schemas.published(key)
    if schema:
        _require_valid(key, schema, desired.content)
    return _as_written(resource, desired, None, _UNVERIFIED.format(missing))


def _put_back(client: Client, owner: Owner, resource: Resource, desired: Desired, live: Object | None) -> Action:
    """An image is no wish that could be merged with what is there: the whole object becomes as it was."""
    key, image, manager = desired.key, desired.content, owner.manager_of(desired)
    if live is None:
        client.ask(resource, assignable(image), key.namespace or None, dry_run=True)
        return Action("create", key, resource, reason=_AS_IT_WAS, desired=desired, after=image)
    if (
        image["metadata"].get("resourceVersion", live["metadata"]["resourceVersion"])
        != live["metadata"]["resourceVersion"]
    ):
        raise Conflict(f"{key} has changed while it was to be put back", subject=str(key))
    client.replace(resource, at_version(image, live), manager, dry_run=True)
    fields = tuple(changed_fields(comparable(live), comparable(image))) or (_OWNERSHIP,)
    return Action("update", key, resource, fields, _AS_IT_WAS, desired, live, image)


def _as_written(resource: Resource, desired: Desired, live: Object | None, reason: str) -> Action:
    """What cannot be asked of the server, as far as it can be told without it."""
    key, after = desired.key, overlaid(live or {}, desired.content)
    if live is None:
        return Action("create", key, resource, reason=reason, desired=desired, after=after, verified=False)
    fields = tuple(changed_fields(comparable(live), comparable(after)))
    return Action("update", key, resource, fields, reason, desired, live, after, verified=False)


def _require_valid(key: Key, schema: ObjectSchema, content: Object) -> None:
    found = schema.violations(content)
    if found:
        raise InvalidObject(
            f"{key} is not valid", subject=str(key), reason="; ".join(found), hint="Correct the named field"
        )


def _missing(cluster: _Cluster, key: Key, error: NotFound | UnknownKind) -> str:
    """What is missing and planned; what is missing and not planned is the error itself."""
    unknown_kind = isinstance(error, UnknownKind)
    if not unknown_kind and error.details.get("kind") != NAMESPACE.plural:
        raise error
    if unknown_kind and cluster.planned.resource(key.api_version, key.kind) is None:
        raise error
    if key.namespace in cluster.planned.namespaces:
        return f"namespace {key.namespace}"
    if unknown_kind and (not key.namespace or cluster.client.get(NAMESPACE, key.namespace)):
        return f"the CRD of {key.kind}"
    raise NotFound(
        f"The namespace of {key} does not exist",
        subject=str(key),
        reason=f'namespaces "{key.namespace}" not found',
        hint="Create the namespace first, or correct its name",
        status=error.status,
    ) from error


def _compared(owner: Owner, resource: Resource, desired: Desired, live: Object | None, answer: _Answer) -> Action:
    key, force, manager = desired.key, bool(answer.taken), owner.manager_of(desired)
    after = reduce(without, desired.dropped_of(answer.after), answer.after)
    if live is None:
        return Action("create", key, resource, desired=desired, after=after, force=force)
    fields = tuple(changed_fields(comparable(live), comparable(after)))
    predecessors, others = owner.predecessors(live), retired(live, desired.retires)
    moved = bool(predecessors or others) or fields_of(live, manager) != fields_of(after, manager)
    verb: Verb = "update" if fields or moved else "unchanged"
    reason = _reason(manager, answer, predecessors, others, alone=moved and not fields)
    shown = fields or ((_OWNERSHIP,) if moved else ())
    return Action(verb, key, resource, shown, reason, desired, live, after, force=force, predecessors=predecessors)


def _reason(manager: str, answer: _Answer, predecessors: Sequence[str], others: Sequence[str], *, alone: bool) -> str:
    """Who had what an update changes; or that an update changes nothing but this."""
    if predecessors:
        names = ", ".join(f"'{other}'" for other in predecessors)
        return f"{names} {'hand' if len(predecessors) > 1 else 'hands'} all fields over to '{manager}'"
    if others:
        return f"{', '.join(others)} no longer manages it"
    if answer.taken:
        return taken(answer.taken)
    return f"'{manager}' becomes a manager of fields that are as they shall be" if alone else ""
