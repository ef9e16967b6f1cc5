# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running the checks: on the input before any request, and on a plan before its first write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..kube.client import Client
from ..kube.errors import Failure, Forbidden
from ..kube.text import did_you_mean
from ..reconcile.objects import Desired
from ..reconcile.plan import Action
from .analyzers import ANALYZERS, Analyzer, Level
from .facts import ROOT_NAMESPACE
from .world import Change, ClusterWorld, World

_SHOWN = 20


class UnknownCheck(Failure):
    """A code that no check has."""

    code = "unknown_check"


class CheckFailed(Failure):
    """The objects are valid one by one and cannot be right together."""

    code = "check_failed"


@dataclass(frozen=True)
class Finding:
    """What a check has found: in which object, in which field."""

    code: str
    level: Level
    where: str
    field: str
    text: str

    def __str__(self) -> str:
        other = ANALYZERS[self.code].istioctl
        return f"{self.where}: {self.field}: {self.text} [{self.code}{f', istioctl: {other}' if other else ''}]"


def known_codes(asked: Iterable[str]) -> frozenset[str]:
    """Codes to ignore. Raises UnknownCheck."""
    wrong = [code for code in asked if code not in ANALYZERS]
    if wrong:
        raise UnknownCheck(
            "'ignore_checks' names what is no check",
            subject=wrong[0],
            reason=", ".join(f"'{code}'{did_you_mean(code, ANALYZERS)}" for code in wrong),
            hint=f"The checks are {', '.join(ANALYZERS)}",
        )
    return frozenset(asked)


def check_input(present: Iterable[Desired], ignored: frozenset[str] = frozenset()) -> None:
    """What is wrong whatever the cluster has. Raises CheckFailed."""
    changes = [Change(desired.key, None, desired.content, desired.source) for desired in present]
    early = [found for found in ANALYZERS.values() if found.early and found.code not in ignored]
    _refuse(_findings(World(changes), changes, early))


def check_cluster(
    client: Client,
    actions: Iterable[Action],
    ignored: frozenset[str] = frozenset(),
    *,
    root: str = ROOT_NAMESPACE,
    check_mode: bool = False,
) -> list[str]:
    """Warnings about what a plan changes. Raises CheckFailed. Asks for nothing when nothing changes."""
    changes = [change for change in (Change.of(action) for action in actions if action.writes) if change.means]
    world = ClusterWorld(client, changes, root)
    asked = [found for found in ANALYZERS.values() if found.code not in ignored]
    findings = _findings(world, changes, asked)
    if check_mode or world.partial:
        findings = [_doubted(found) for found in findings]
    _refuse(findings)
    return [str(found) for found in findings]


def _doubted(found: Finding) -> Finding:
    """What may be defined by a task before this one, which was only planned, or where we cannot look."""
    if not ANALYZERS[found.code].reference:
        return found
    if found.level == "warning":
        return replace(found, text=f"{found.text}, as far as this task can see")
    return replace(found, level="warning", text=f"{found.text}; unless something out of sight does, a run refuses it")


def _findings(world: World, changes: Sequence[Change], analyzers: Iterable[Analyzer]) -> list[Finding]:
    by_kind: dict[str, list[Change]] = {}
    for change in changes:
        by_kind.setdefault(change.key.group_kind, []).append(change)
    found: dict[Finding, None] = {}
    for analyzer in analyzers:
        concerned = [change for kind in analyzer.kinds for change in by_kind.get(kind.resource.group_kind, ())]
        found.update(dict.fromkeys(_found_by(analyzer, concerned, world)))
    return list(found)


def _found_by(analyzer: Analyzer, changes: Sequence[Change], world: World) -> Iterator[Finding]:
    try:
        for change in changes:
            where = f"{change.key} ({change.source})" if change.source else str(change.key)
            for field, text in analyzer.find(change, world):
                yield Finding(analyzer.code, analyzer.level, where, field, text)
    except Forbidden as error:
        text = f"it was not made, because its objects may not be read: {error.reason}"
        yield Finding(analyzer.code, "warning", "The check", analyzer.code, text)


def _refuse(findings: Sequence[Finding]) -> None:
    errors = [found for found in findings if found.level == "error"]
    if not errors:
        return
    more = f"; and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    codes = ", ".join(dict.fromkeys(found.code for found in errors))
    raise CheckFailed(
        "The objects cannot be right together",
        subject=errors[0].where,
        reason="; ".join(map(str, errors[:_SHOWN])) + more,
        hint=f"Correct them, or if it is meant so: 'ignore_checks: [{codes}]'. Nothing has been written",
    )
