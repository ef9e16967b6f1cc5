# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of an upgrade by revision: nobody needs the old revision any more, and the new one judges configuration.

All of it comes before the old control plane is removed, so that no webhook ever leads to a Service that is gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import ApiError, Failure, Forbidden, NotFound
from ..kube.resources import MUTATING_WEBHOOKS, POD, VALIDATING_WEBHOOKS, Resource
from ..kube.wait import Wait, gone
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, is_ending
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .default_tag import is_deactivated, pointed, validates
from .external_plane import is_outside
from .facts import CO_OWNED
from .kinds import GATEWAY, KINDS
from .pods import injected_by
from .restarts import restarts
from .revisions import named
from .snapshot import Ask, Snapshot, read
from .status import versions_of
from .tags import RevisionTag, applied_by_its_owner, run_revision_tag
from .upgrade_record import IN_PLACE, MANAGER, Upgrade
from .usage import Use, told, users_of
from .ways_in import ways_in
from .webhooks import DEFAULT_REVISION, DEFAULT_VALIDATOR, revision_of_service, tags_of

_SHOWN = 20
_SERVED = "by it remote clusters reach the old control plane: lead them to the new one first, or let them leave"
_TRIED = 20  # objects of each kind that are asked about
_ACCEPTED: dict[str, Any] = {
    "apiVersion": GATEWAY.resource.api_version,
    "kind": GATEWAY.resource.kind,
    "metadata": {"name": "service-mesh-istio-must-be-accepted"},
    "spec": {"servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["example.com"]}]},
}


class StillInUse(Failure):
    """Something refers to what the upgrade leaves behind."""

    code = "still_in_use"


class NotAccepted(Failure):
    """Configuration would not be accepted any more."""

    code = "configuration_not_accepted"


def refuse_in_use(client: Client, snapshot: Snapshot, upgrade: Upgrade, namespace: str) -> None:
    """Raise StillInUse with everything that still needs what was before, by name."""
    if snapshot.unread:
        raise StillInUse(
            f"Whether the upgrade {upgrade} on {client.name} is complete cannot be judged",
            subject=f"revision {upgrade.before.revision}",
            reason=f"may not be read: {', '.join(map(str, snapshot.unread))}",
            hint="Grant these verbs to this user (see examples/rbac). Then run it again",
        )
    in_place = upgrade.strategy == IN_PLACE
    users = _old_proxies(snapshot, upgrade) if in_place else _users(snapshot, upgrade, namespace)
    if not users:
        return
    shown = "; ".join(f"{use} ({use.how})" for use in users[:_SHOWN])
    more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
    error = StillInUse(
        f"The upgrade {upgrade} on {client.name} is not complete: {len(users)} still use {upgrade.before}",
        subject=f"revision {upgrade.before.revision}",
        reason=f"{shown}{more}",
        hint="Move namespaces and tags and restart what is named (upgrade_shift); renew bare Pods and Jobs by hand",
    )
    error.extra = {"users": told(users)}
    raise error


def ending(snapshot: Snapshot, upgrade: Upgrade) -> list[Object]:
    """Pods of the old control plane that are being deleted: they need it until their last request is answered."""
    return [pod for pod in snapshot.of(POD) if is_ending(pod) and injected_by(pod) == upgrade.before.revision]


def without(snapshot: Snapshot, pods: Iterable[Object]) -> Snapshot:
    """The cluster once these Pods are gone."""
    leaving = {pod["metadata"]["uid"] for pod in pods}
    staying = [pod for pod in snapshot.of(POD) if pod["metadata"]["uid"] not in leaving]
    return replace(snapshot, objects={**snapshot.objects, POD.group_kind: staying})


def await_end(wait: Wait, pods: Iterable[Object]) -> None:
    """Until Pods that are being deleted are gone. Raises NotReady."""
    for pod in pods:
        wait.until(POD, pod["metadata"]["name"], pod["metadata"]["namespace"], gone(pod))


def _old_proxies(snapshot: Snapshot, upgrade: Upgrade) -> list[Use]:
    """Of the revision's own Pods, whatever other revisions of the cluster have to renew."""
    pods = [pod for pod in snapshot.of(POD) if injected_by(pod) == upgrade.after.revision]
    snapshot = replace(snapshot, objects={**snapshot.objects, POD.group_kind: pods})
    return [
        Use(upgrade.before.revision, one.kind, one.namespace, one.name, one.reason)
        for one in restarts(snapshot, versions_of(snapshot))
    ]


def _users(snapshot: Snapshot, upgrade: Upgrade, namespace: str) -> list[Use]:
    revision = upgrade.before.revision
    elsewhere = [
        Use(revision, way["kind"], namespace, way["metadata"]["name"], _SERVED)
        for way in ways_in(snapshot, namespace, revision)
    ]
    return elsewhere + [use for use in users_of(snapshot, revision) if not _is_moved_here(snapshot, use)]


def _is_moved_here(snapshot: Snapshot, use: Use) -> bool:
    """The default tag and the default validator are moved by completing; an injector that matches nothing is none."""
    if use.kind == VALIDATING_WEBHOOKS.kind:
        return use.object == DEFAULT_VALIDATOR
    if use.kind != MUTATING_WEBHOOKS.kind:
        return False
    found = snapshot.named(MUTATING_WEBHOOKS, use.object)
    return use.how == f"tag {DEFAULT_REVISION}" or (found is not None and is_deactivated(found))


def move_defaults(run: Run, snapshot: Snapshot, upgrade: Upgrade, namespace: str) -> Outcome:
    """Let the new revision be the default one, where the old one was, for injection and for configuration."""
    before, after = upgrade.before.revision, upgrade.after.revision
    if before in tags_of(snapshot.of(MUTATING_WEBHOOKS)).get(DEFAULT_REVISION, ()):
        return run_revision_tag(run, RevisionTag(DEFAULT_REVISION, after, namespace))
    validator = snapshot.named(VALIDATING_WEBHOOKS, DEFAULT_VALIDATOR)
    if validator is None or revision_of_service(validates(validator)["service"]) != before:
        return Outcome()
    manager, content = applied_by_its_owner(validator)
    service = named("istiod", "" if after == DEFAULT_REVISION else after)
    content = pointed(content, validator, after, service)
    owner = Owner(MANAGER, co_owned=CO_OWNED)
    return reconcile(run, owner, [Desired(content, "the default validator", manager=manager)])


def require_accepted(run: Run, namespace: str) -> None:
    """Ask by dry runs whether configuration is accepted: a new object, and some of each kind that are there.

    Beside an external control plane there is none: it is in the cluster from which that one has it.
    """
    if is_outside(run.client, namespace):
        return
    client, new = run.client, {**_ACCEPTED, "metadata": {**_ACCEPTED["metadata"], "namespace": namespace}}
    there = read(client, (Ask(kind.resource, required=True) for kind in KINDS))
    try:
        client.ask(GATEWAY.resource, new, namespace, dry_run=True)
        for kind in KINDS:
            _touch(client, kind.resource, there.of(kind.resource)[:_TRIED])
    except Forbidden:
        raise  # who may not ask has not been told that it is refused
    except ApiError as error:
        raise NotAccepted(
            f"Configuration would not be accepted on {client.name} any more",
            subject=error.subject,
            reason=error.reason,
            hint="Nothing has been removed. Look at the default validator and its istiod, then run it again",
        ) from error


def _touch(client: Client, resource: Resource, objects: Iterable[Object]) -> None:
    """A change of nothing goes through all admission; what has gone meanwhile needs none."""
    for found in objects:
        place = found["metadata"]
        with suppress(NotFound):
            client.merge(resource, place["name"], place["namespace"], {}, MANAGER, dry_run=True)
