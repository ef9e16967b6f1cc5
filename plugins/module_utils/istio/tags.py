# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revision tags: names for revisions that namespaces can keep while the revision behind them changes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.resources import (
    CONFIG_MAP,
    DEPLOYMENT,
    MUTATING_WEBHOOKS,
    SERVICE,
    VALIDATING_WEBHOOKS,
)
from ..kube.text import did_you_mean
from ..kube.wait import deployment_available
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, Key
from ..reconcile.outcome import Outcome
from ..reconcile.ownership import applied, managers
from ..reconcile.plan import Owner, Plan
from ..reconcile.run import Run
from .collisions import collisions
from .default_tag import (
    Record,
    deactivated,
    is_deactivated,
    is_default_injector,
    pointed,
    pointed_back,
    reactivated,
    record_of,
    recorded,
    validates,
)
from .facts import CO_OWNED, MANAGER_PREFIX, REVISION_LABEL, ROOT_NAMESPACE, TAG_LABEL
from .owners import OURS, owner_of
from .readiness import webhook_has_ca
from .revisions import named
from .snapshot import Ask, read
from .tag_objects import (
    Revision,
    injector_name,
    injector_of_tag,
    service_name,
    service_of_tag,
    validator_of_tag,
)
from .usage import USAGE_ASKS, users_by_name
from .webhooks import DEFAULT_REVISION, DEFAULT_VALIDATOR, labels_of

MANAGER = f"{MANAGER_PREFIX}revision_tag"
_CONTROL_PLANE = f"{MANAGER_PREFIX}control_plane"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LONGEST = 63 - len(service_name(""))
_SHOWN = 10
_VALIDATOR = Key(VALIDATING_WEBHOOKS.api_version, VALIDATING_WEBHOOKS.kind, "", DEFAULT_VALIDATOR)
_SOURCES = {"injector": "the injector without a revision", "validator": "the default validator"}


class TagError(Failure):
    """The tag cannot be what is asked for."""

    code = "revision_tag"


class TagInUse(Failure):
    """Namespaces or Pods would lose the revision that injects them."""

    code = "tag_in_use"


class ForeignTag(Failure):
    """The tag, or what the tag `default` has to change, belongs to somebody else."""

    code = "foreign_tag"


class InjectedTwice(Failure):
    """Pods would match two injectors."""

    code = "injected_twice"


@dataclass(frozen=True)
class RevisionTag:
    """A tag as it shall be; `revision` is `default` for the control plane without one, None for no tag."""

    tag: str
    revision: str | None
    namespace: str = ROOT_NAMESPACE
    take_ownership_from: tuple[str, ...] = ()
    force: bool = False


def checked_tag(wanted: RevisionTag) -> RevisionTag:
    """The same, if it can ever be right. Raises TagError."""
    if len(wanted.tag) > _LONGEST or not _LABEL.fullmatch(wanted.tag):
        raise TagError(
            f"'{wanted.tag}' cannot be the name of a tag",
            subject="tag",
            reason=f"it becomes part of names and labels: at most {_LONGEST} lower-case letters, digits and '-', "
            "with a letter or digit at both ends",
            hint="Write it like prod-stable",
        )
    if wanted.tag == wanted.revision and wanted.tag != DEFAULT_REVISION:
        raise TagError(
            f"The tag '{wanted.tag}' cannot point to a revision of the same name",
            subject="tag",
            reason="a namespace could not say which of the two it means",
            hint="Give the tag another name",
        )
    return wanted


@dataclass(frozen=True)
class Mesh:
    """What a tag has to do with: injectors, validator, Services and Deployments of all revisions."""

    client: Client
    namespace: str
    injectors: Sequence[Object]
    services: Sequence[Object]
    deployments: Sequence[Object]
    validator: Object | None

    @classmethod
    def read(cls, client: Client, namespace: str) -> Mesh:
        return cls(
            client,
            namespace,
            list(client.list_objects(MUTATING_WEBHOOKS, labels=REVISION_LABEL)),
            list(client.list_objects(SERVICE, namespace, labels=f"app=istiod,{REVISION_LABEL}")),
            list(client.list_objects(DEPLOYMENT, namespace, labels=f"app=istiod,{REVISION_LABEL}")),
            client.get(VALIDATING_WEBHOOKS, DEFAULT_VALIDATOR),
        )

    def of_tag(self, tag: str) -> list[Object]:
        return [found for found in (*self.injectors, *self.services) if _label(found, TAG_LABEL) == tag]

    def of_revision(self, revision: str) -> list[Object]:
        found = [*self.injectors, *self.services, *self.deployments]
        return [each for each in found if _is_of(each, revision)]

    def revisions(self) -> list[str]:
        return sorted({_label(found, REVISION_LABEL) for found in self.deployments})

    @property
    def default_injector(self) -> Object | None:
        return next((found for found in self.injectors if is_default_injector(found)), None)

    @property
    def has_validator_of_tag(self) -> bool:
        """Whether the default validator came with the tag, because no chart had made one."""
        return bool(self.validator and _label(self.validator, TAG_LABEL))

    @property
    def record(self) -> Record:
        """What the tag `default` has changed, or is about to change."""
        tag = next((found for found in self.injectors if _label(found, TAG_LABEL) == DEFAULT_REVISION), None)
        return record_of(tag, self.default_injector, self.validator)


def _label(found: Object, name: str) -> str:
    return labels_of(found).get(name, "")


def _is_of(found: Object, revision: str) -> bool:
    return _label(found, REVISION_LABEL) == revision and not _label(found, TAG_LABEL)


def run_revision_tag(run: Run, wanted: RevisionTag) -> Outcome:
    """Bring the tag to what is wanted: one plan, in which no webhook ever points to a Service that is not there."""
    mesh = Mesh.read(run.client, wanted.namespace)
    _refuse_foreign(mesh, wanted)
    outcome = _removed(run, mesh, wanted) if wanted.revision is None else _set(run, mesh, wanted, wanted.revision)
    outcome.extra = {"tag": wanted.tag, "revision": wanted.revision or "", "namespace": wanted.namespace}
    return outcome


@dataclass
class _Changes:
    """The plan's input: what shall be, what shall not be, and what has to wait."""

    present: list[Desired] = field(default_factory=list)
    absent: list[Key] = field(default_factory=list)
    stages: dict[Key, int] = field(default_factory=dict)

    def carried_out(self, run: Run, mesh: Mesh, wanted: RevisionTag) -> Outcome:
        owner = Owner(MANAGER, wanted.take_ownership_from, co_owned=CO_OWNED, stages=self.stages)

        def review(plan: Plan) -> Iterable[str]:
            _refuse_collisions(mesh, wanted, plan)
            return ()

        return reconcile(run, owner, self.present, self.absent, review=review)


def _set(run: Run, mesh: Mesh, wanted: RevisionTag, name: str) -> Outcome:
    revision = _ready_revision(mesh, wanted, name)
    injector = injector_of_tag(wanted.tag, revision, wanted.namespace)
    changes = _Changes([Desired(service_of_tag(wanted.tag, revision, wanted.namespace), "the tag's Service")])
    if wanted.tag == DEFAULT_REVISION:
        injector = recorded(injector, mesh.record)
        changes.present += _beside_default(mesh, revision)
        # A Pod may find no injector for a moment, but never two; and what the validator did is written down before.
        changes.stages |= {Key.of(injector): 1, _VALIDATOR: 2}
    changes.present.append(Desired(injector, "the tag's webhooks"))
    return changes.carried_out(run, mesh, wanted)


def _beside_default(mesh: Mesh, revision: Revision) -> Iterator[Desired]:
    """What the tag `default` changes in the objects of the control plane."""
    if mesh.default_injector:
        manager, content = applied_by_its_owner(mesh.default_injector)
        yield Desired(deactivated(content, mesh.default_injector), _SOURCES["injector"], manager=manager)
    if mesh.has_validator_of_tag or mesh.validator is None:
        if "service" in revision.hook["clientConfig"]:
            yield Desired(validator_of_tag(revision), _SOURCES["validator"])
    elif validates(mesh.validator)["service"]:
        manager, content = applied_by_its_owner(mesh.validator)
        content = pointed(content, mesh.validator, revision.name, revision.service["metadata"]["name"])
        yield Desired(content, _SOURCES["validator"], manager=manager)


def applied_by_its_owner(live: Object) -> tuple[str, Object]:
    """Who of us applies an object of the control plane, and what: it is changed as its owner would change it."""
    manager = next((name for name in managers(live) if name.startswith(_CONTROL_PLANE)), MANAGER)
    return manager, applied(live, manager)


def _removed(run: Run, mesh: Mesh, wanted: RevisionTag) -> Outcome:
    changes = _Changes(absent=[Key.of(found) for found in mesh.of_tag(wanted.tag)])
    is_default = wanted.tag == DEFAULT_REVISION
    taken_over = is_default and mesh.default_injector is not None
    warning = _refuse_in_use(mesh, wanted) if changes.absent and not taken_over else ""
    if is_default and (changes.absent or _is_left_behind(mesh.default_injector)):
        _put_back(mesh, changes)
    outcome = changes.carried_out(run, mesh, wanted)
    outcome.warnings += [warning] if warning else []
    return outcome


def _is_left_behind(injector: Object | None) -> bool:
    """Whether a removal of the tag that was killed has left our injector out of action."""
    return injector is not None and is_deactivated(injector) and owner_of(injector).name == OURS


def _put_back(mesh: Mesh, changes: _Changes) -> None:
    """The objects of the control plane as they were before the tag `default`."""
    injector, validator = mesh.default_injector, mesh.validator
    if injector:
        manager, content = applied_by_its_owner(injector)
        content = reactivated(content, injector, mesh.record)
        changes.present.append(Desired(content, _SOURCES["injector"], manager=manager))
        changes.stages[Key.of(injector)] = 1  # after the tag's webhooks are gone
    if validator and mesh.has_validator_of_tag:
        changes.absent.append(Key.of(validator))
    elif validator:
        manager, content = applied_by_its_owner(validator)
        services = [found["metadata"]["name"] for found in mesh.services]
        content = pointed_back(content, validator, mesh.record, services)
        changes.present.append(Desired(content, _SOURCES["validator"], manager=manager))


def _ready_revision(mesh: Mesh, wanted: RevisionTag, name: str) -> Revision:
    """The revision that the tag shall point to. Raises TagError unless it is there, once, and ready."""
    if wanted.tag != DEFAULT_REVISION and mesh.of_revision(wanted.tag):
        raise TagError(
            f"'{wanted.tag}' is a revision on {mesh.client.name}, so it cannot be a tag",
            subject=wanted.tag,
            hint="Give the tag another name",
        )
    injectors = [found for found in mesh.injectors if _is_of(found, name)]
    services = [found for found in mesh.services if _is_of(found, name)]
    if len(injectors) != 1 or len(services) != 1:
        raise _no_such_revision(mesh, name, [*injectors, *services])
    _require_ready(mesh, name, injectors[0])
    return Revision(name, injectors[0], services[0], _injects_unlabelled(mesh, name))


def _no_such_revision(mesh: Mesh, name: str, found: Sequence[Object]) -> TagError:
    known = mesh.revisions()
    if name not in known:
        return TagError(
            f"There is no revision '{name}' in {mesh.namespace} on {mesh.client.name}{did_you_mean(name, known)}",
            subject=name,
            reason=f"there are {', '.join(known)}" if known else "no control plane is there",
            hint="Install it first (control_plane with this 'revision'), or correct the name",
        )
    objects = ", ".join(str(Key.of(each)) for each in found) or "neither"
    return TagError(
        f"The revision '{name}' on {mesh.client.name} does not have exactly one injector and one Service",
        subject=name,
        reason=f"found {objects}",
        hint="Complete or repair the revision first (control_plane)",
    )


def _require_ready(mesh: Mesh, name: str, injector: Object) -> None:
    deployment = next((found for found in mesh.deployments if _is_of(found, name)), None)
    judged = [("istiod", deployment_available(deployment)), ("its injector", webhook_has_ca(injector))]
    states = [f"{part}: {verdict.state}" for part, verdict in judged if not verdict.ready]
    if deployment and not deployment["spec"].get("replicas", 1):
        states.append("istiod: scaled to zero")
    if states:
        raise TagError(
            f"The revision '{name}' on {mesh.client.name} is not ready, so no tag may point to it",
            subject=name,
            reason="; ".join(states),
            hint="Wait until it is (control_plane ends when it works), then run the task again",
        )


def _injects_unlabelled(mesh: Mesh, name: str) -> bool:
    """What the revision was installed with; the record of it is the charts' own."""
    revision = "" if name == DEFAULT_REVISION else name
    values = mesh.client.get(CONFIG_MAP, named("values", revision), mesh.namespace)
    text = ((values or {}).get("data") or {}).get("merged-values") or "{}"
    webhook = json.loads(text).get("sidecarInjectorWebhook") or {}
    return bool(webhook.get("enableNamespacesByDefault"))


def _refuse_foreign(mesh: Mesh, wanted: RevisionTag) -> None:
    for found in _concerned(mesh, wanted):
        owner, writers = owner_of(found), managers(found)
        if owner.name == OURS or set(writers) & set(wanted.take_ownership_from):
            continue
        subject = str(Key.of(found))
        raise ForeignTag(
            f"{subject} on {mesh.client.name} belongs to somebody else",
            subject=subject,
            reason=f"it belongs to {owner.description}, which would put it back as it was",
            hint="Change the tag with the tool that owns it. Or let that tool forget it, and take it over with "
            f"'take_ownership_from: [{', '.join(writers)}]'",
        )


def _concerned(mesh: Mesh, wanted: RevisionTag) -> Iterator[Object]:
    """What exists already of all that would be written."""
    ours = {injector_name(wanted.tag, mesh.namespace), service_name(wanted.tag)}
    tagged = mesh.of_tag(wanted.tag)
    for found in tagged:
        if found["metadata"]["name"] not in ours:
            raise TagError(
                f"The tag '{wanted.tag}' on {mesh.client.name} is there under another name",
                subject=str(Key.of(found)),
                reason=f"{Key.of(found)} bears the label {TAG_LABEL}={wanted.tag}, and both would inject the same Pods",
                hint="Remove it first, or use another tag; 'namespace' is the one in which istiod runs",
            )
    yield from tagged
    if wanted.tag == DEFAULT_REVISION and (wanted.revision or tagged):
        yield from (found for found in (mesh.default_injector, mesh.validator) if found)


def _refuse_collisions(mesh: Mesh, wanted: RevisionTag, plan: Plan) -> None:
    """Raise InjectedTwice when Pods would match this tag and another injector, once all of the plan is done."""
    gone = {action.key for action in plan.actions if action.verb == "delete"}
    after = {Key.of(found): found for found in mesh.injectors}
    after.update({action.key: action.after for action in plan.actions if action.after and action.key in after})
    after.update({action.key: action.after for action in plan.writes if action.after and _injects(action.after)})
    name = injector_name(wanted.tag, mesh.namespace)
    for found in collisions([content for key, content in after.items() if key not in gone]):
        if any(webhook.startswith(f"{name}/") for webhook in found.webhooks):
            raise InjectedTwice(
                f"With the tag '{wanted.tag}' there would be Pods on {mesh.client.name} that two injectors match",
                subject=name,
                reason=f"{' and '.join(found.webhooks)} match Pods with {dict(found.pod)} in namespaces with "
                f"{dict(found.namespace)}",
                hint="Remove the other one first; mesh_info shows who owns it",
            )


def _injects(content: Object) -> bool:
    return str(content["kind"]) == MUTATING_WEBHOOKS.kind


def _refuse_in_use(mesh: Mesh, wanted: RevisionTag) -> str:
    """A warning with who uses the tag. Raises TagInUse unless that was said to be meant."""
    snapshot = read(mesh.client, (Ask(MUTATING_WEBHOOKS), Ask(DEPLOYMENT), *USAGE_ASKS))
    users = [str(use) for use in users_by_name(snapshot, wanted.tag)]
    if not users:
        return ""
    shown = ", ".join(users[:_SHOWN]) + (f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else "")
    if wanted.force:
        return f"The tag '{wanted.tag}' is removed although it is in use: new Pods of {shown} get no sidecar"
    raise TagInUse(
        f"The tag '{wanted.tag}' on {mesh.client.name} is in use",
        subject=wanted.tag,
        reason=f"{shown} would get no sidecar any more",
        hint="Point them to another revision or tag first (injection), or say 'force: true'",
    )
