# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which namespaces an upgrade moves, and moving them: by their label or by a tag. In place nothing has to move."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..kube.client import Client
from ..kube.resources import MUTATING_WEBHOOKS, NAMESPACE
from ..kube.text import did_you_mean
from ..reconcile.engine import reconcile
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .injection import MANAGER as INJECTION_MANAGER
from .injection import desired_namespace, namespace_injection
from .shares import checked_percentage, share_of
from .snapshot import Snapshot
from .tags import RevisionTag, run_revision_tag
from .upgrade_record import IN_PLACE, Upgrade, UpgradeError
from .usage import INJECTED, Use, named_by, users_by_name, users_of
from .webhooks import DEFAULT_REVISION, labels_of, tags_of

CHOICES = ("namespaces", "selector", "percentage", "tag")
_SHOWN = 10


@dataclass(frozen=True)
class Selection:
    """Which namespaces: one of these says it."""

    namespaces: tuple[str, ...] | None = None
    selector: str = ""
    percentage: int | None = None
    tag: str = ""


def checked_selection(chosen: Selection) -> Selection:
    """The same, if it can ever be right. Raises UpgradeError."""
    if chosen.percentage is not None:
        checked_percentage(chosen.percentage, UpgradeError)
    return chosen


def selected(client: Client, snapshot: Snapshot, upgrade: Upgrade, chosen: Selection) -> list[str]:
    """The names of the namespaces. Raises UpgradeError for one that does not belong to what is left."""
    if chosen.tag:
        return _of_tag(snapshot, upgrade, chosen.tag)
    candidates = _candidates(snapshot, upgrade)
    if chosen.namespaces is not None:
        _require_candidates(client, snapshot, upgrade, chosen.namespaces, candidates)
        return sorted(chosen.namespaces)
    if chosen.selector:
        matching = {found["metadata"]["name"] for found in client.list_objects(NAMESPACE, labels=chosen.selector)}
        return [name for name in candidates if name in matching]
    percentage = 100 if chosen.percentage is None else chosen.percentage
    return [name for name in candidates if share_of(name) < percentage]


def _candidates(snapshot: Snapshot, upgrade: Upgrade) -> list[str]:
    """In place what asks for the revision; else what names the old one, or did before the upgrade."""
    if upgrade.strategy == IN_PLACE:
        return _asking(use for use in users_of(snapshot, upgrade.before.revision) if use.how != INJECTED)
    there = {found["metadata"]["name"]: named_by(labels_of(found)) for found in snapshot.of(NAMESPACE)}
    before = {str(one["name"]): named_by(one["labels"]) for one in upgrade.namespaces}
    names = names_of(upgrade)
    return sorted(name for name in there if there[name] in names or before.get(name) in names)


def names_of(upgrade: Upgrade) -> set[str]:
    """How a label names the old revision: by its own name, or as the default when it was that."""
    webhooks = [found for found in upgrade.objects if found["kind"] == MUTATING_WEBHOOKS.kind]
    is_default = upgrade.before.revision in tags_of(webhooks).get(DEFAULT_REVISION, ())
    return {upgrade.before.revision, *([DEFAULT_REVISION] if is_default else [])}


def _of_tag(snapshot: Snapshot, upgrade: Upgrade, tag: str) -> list[str]:
    """Namespaces that bear it, and those with workloads that do."""
    if upgrade.strategy == IN_PLACE:
        raise UpgradeError(
            f"The tag '{tag}' is not moved by an upgrade in place",
            subject="tag",
            reason=f"it leads to the same revision before and after ({upgrade})",
            hint="Choose namespaces by 'namespaces', 'selector' or 'percentage'",
        )
    return _asking(use for use in users_by_name(snapshot, tag) if use.how != INJECTED)


def _asking(users: Iterable[Use]) -> list[str]:
    """The namespaces of those who ask for injection, by the label of their namespace or by their own."""
    return sorted({use.object if use.kind == NAMESPACE.kind else use.namespace for use in users} - {""})


def _require_candidates(
    client: Client, snapshot: Snapshot, upgrade: Upgrade, names: Iterable[str], candidates: Iterable[str]
) -> None:
    known = list(candidates)
    there = {found["metadata"]["name"]: labels_of(found) for found in snapshot.of(NAMESPACE)}
    for name in names:
        if name in known:
            continue
        if name not in there:
            raise UpgradeError(
                f"The namespace '{name}' does not exist on {client.name}{did_you_mean(name, list(there))}",
                subject=f"Namespace {name}",
                hint="Correct its name",
            )
        raise UpgradeError(
            f"The namespace '{name}' on {client.name} is not moved by this upgrade",
            subject=f"Namespace {name}",
            reason=_why_not(there[name], upgrade),
            hint=f"These are: {', '.join(known[:_SHOWN]) or 'none'}{' and more' if len(known) > _SHOWN else ''}",
        )


def _why_not(labels: Mapping[str, str], upgrade: Upgrade) -> str:
    named = named_by(labels)
    if not named:
        return "it has no injection"
    return f"it names '{named}', not the revision {upgrade.before.revision}; if that is a tag, move the tag"


def move(
    run: Run, upgrade: Upgrade, chosen: Selection, names: Iterable[str], place: tuple[str, tuple[str, ...]]
) -> Outcome:
    """Let the namespaces be injected by the new revision, from their next restart on.

    `place` is the root namespace, and from whom labels and tags are taken over.
    """
    namespace, take_ownership_from = place
    if upgrade.strategy == IN_PLACE:
        return Outcome()
    revision = upgrade.after.revision
    if chosen.tag:
        return run_revision_tag(run, RevisionTag(chosen.tag, revision, namespace, take_ownership_from))
    owner = Owner(INJECTION_MANAGER, take_ownership_from)
    moved = [desired_namespace(namespace_injection(name, None, revision, False)) for name in names]
    return reconcile(run, owner, moved)
