# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The phases of an upgrade: what each of them does to a cluster, from wherever it stands.

    start     remember how things are, once; then the control plane's own task installs the new version
    shift     move namespaces or a tag to the new revision, and restart what then runs an old proxy
    complete  refuse while anything needs the old one; let the new one be the default; ask whether configuration passes
    close     forget, once the old control plane is gone
    restore   labels, tags and webhooks as they were
    rollback  restore, restart what runs a new proxy, forget

Nothing is kept between them but the record in the cluster. Each computes what is left to do, so each may be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..kube.resources import DEPLOYMENT, DISRUPTION_BUDGET, MUTATING_WEBHOOKS, SERVICE, VALIDATING_WEBHOOKS
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired
from ..reconcile.outcome import Outcome
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from . import modes
from .before_images import namespaces_before, objects_before
from .completion import await_end, ending, move_defaults, refuse_in_use, require_accepted, without
from .desired_proxies import desired_asks
from .facts import ROOT_NAMESPACE
from .going_back import is_of, remains, require_old, restored
from .refusals import refuse_way
from .rollout import How, require_sound, roll_out
from .rollout_pods import Judge
from .rollout_world import claims_of
from .shift import Selection, selected
from .shift_waves import Shift, after_plan, planned_waves
from .snapshot import Ask, Snapshot, read, read_more
from .status import versions_of
from .upgrade_record import (
    IN_PLACE,
    MANAGER,
    NONE,
    Side,
    Upgrade,
    UpgradeError,
    config_map,
    key_of_record,
    read_upgrade,
    require_upgrade,
)
from .usage import USAGE_ASKS
from .ways_in import routes_in
from .webhooks import DEFAULT_REVISION

Phase = Literal["start", "shift", "complete", "close", "restore", "rollback"]
_WEBHOOKS = (Ask(MUTATING_WEBHOOKS, required=True), Ask(VALIDATING_WEBHOOKS, required=True))


@dataclass(frozen=True)
class Wanted:
    """What a phase is told. `start` says what is upgraded to what; the others read that from the record."""

    phase: str
    strategy: str = IN_PLACE
    version: str = ""
    revision: str = DEFAULT_REVISION
    from_revision: str = ""
    namespace: str = ROOT_NAMESPACE
    mode: str = modes.DEDICATED
    selection: Selection = field(default_factory=Selection)
    restart: bool = True
    take_ownership_from: tuple[str, ...] = ()
    how: How = field(default_factory=How)


def run_upgrade(run: Run, wanted: Wanted) -> Outcome:
    """One phase."""
    modes.require_allowed(modes.INSTALL, wanted.mode)
    return _PHASES[wanted.phase](run, wanted)


def _read(run: Run, wanted: Wanted) -> Snapshot:
    first = read(run.client, _WEBHOOKS)
    of_root = (Ask(SERVICE, wanted.namespace, required=True), routes_in(wanted.namespace))
    return read_more(run.client, first, [*of_root, *USAGE_ASKS, Ask(DISRUPTION_BUDGET), *desired_asks(first)])


def _start(run: Run, wanted: Wanted) -> Outcome:
    _refuse_beside_in_hosted(run, wanted)
    there = read_upgrade(run.client, wanted.namespace)
    after = Side(wanted.version, wanted.revision)
    if there:
        _require_same(run, wanted, there, after)
        return Outcome(extra={"upgrade": there.told()})
    snapshot = _read(run, wanted)
    before = _before(run, wanted, snapshot)
    if before is None or before == after:
        return Outcome(extra={"upgrade": NONE})
    # Before the record: of what cannot be gone on with, nothing has to be taken back.
    refuse_way(run.client.name, versions_of(snapshot), after.revision, after.version, may_go_back=False)
    upgrade = Upgrade(wanted.strategy, before, after, objects_before(snapshot), namespaces_before(snapshot))
    outcome = reconcile(run, Owner(MANAGER), [Desired(config_map(upgrade, wanted.namespace), "the record")])
    outcome.extra = {"upgrade": upgrade.told()}
    return outcome


def _refuse_beside_in_hosted(run: Run, wanted: Wanted) -> None:
    """Phases move what is in one cluster, and the door of a control plane leads to one istiod."""
    if wanted.strategy == IN_PLACE or wanted.mode != modes.HOSTED:
        return
    raise UpgradeError(
        f"The control plane on {run.client.name} belongs to a hosted mesh, which is not upgraded by revision",
        subject="strategy",
        reason="no phase moves what runs in the remote clusters to a new revision, and they reach one istiod alone",
        hint="Upgrade it in place (mesh_upgrade_strategy: in_place), one minor release at a time. Nothing is written",
    )


def _require_same(run: Run, wanted: Wanted, there: Upgrade, after: Side) -> None:
    if (there.strategy, there.after) == (wanted.strategy, after):
        return
    raise UpgradeError(
        f"Another upgrade is under way on {run.client.name}",
        subject=str(key_of_record(wanted.namespace)),
        reason=f"it is {there}, and this task wants {after}, {wanted.strategy}",
        hint="Finish that one first (upgrade_complete), or go back (rollback)",
    )


def _before(run: Run, wanted: Wanted, snapshot: Snapshot) -> Side | None:
    """The control plane that is left, None where there is none: then nothing is upgraded."""
    versions = versions_of(snapshot)
    if wanted.strategy == IN_PLACE:
        version = versions.get(wanted.revision)
        return Side(_require_there(run, versions, wanted.revision, version), wanted.revision)
    others = {revision: version for revision, version in versions.items() if revision != wanted.revision}
    if wanted.from_revision:
        version = others.get(wanted.from_revision)
        return Side(_require_there(run, others, wanted.from_revision, version), wanted.from_revision)
    if len(others) > 1:
        raise UpgradeError(
            f"There is more than one control plane on {run.client.name} that could be left",
            subject="from_revision",
            reason=f"there are {', '.join(sorted(others))}",
            hint="Say which one is left by 'from_revision'",
        )
    return next((Side(version, revision) for revision, version in others.items()), None)


def _require_there(run: Run, versions: Mapping[str, str], revision: str, version: str | None) -> str:
    if version is None:
        raise UpgradeError(
            f"There is no control plane of the revision '{revision}' on {run.client.name} to upgrade",
            subject="revision",
            reason=f"there are {', '.join(sorted(versions)) or 'none'}",
            hint="Correct the name of the revision, or install it (mesh_control_plane)",
        )
    return version


def _shift(run: Run, wanted: Wanted) -> Outcome:
    upgrade = require_upgrade(run.client, wanted.namespace)
    snapshot = _read(run, wanted)
    _require_new(run, snapshot, upgrade)
    names = selected(run.client, snapshot, upgrade, wanted.selection)
    shift = Shift(run, snapshot, upgrade, wanted.selection, (wanted.namespace, wanted.take_ownership_from))
    outcome = shift.in_waves(names, wanted.how) if wanted.restart else shift.enter(names)
    outcome.extra |= {"upgrade": upgrade.told(), "namespaces": names}
    return outcome


def _require_new(run: Run, snapshot: Snapshot, upgrade: Upgrade) -> None:
    """Nothing moves to a control plane that is not there, or in place, not of the new version yet."""
    found = versions_of(snapshot).get(upgrade.after.revision)
    if found == upgrade.after.version:
        return
    raise UpgradeError(
        f"The control plane {upgrade.after} is not there on {run.client.name}",
        subject=f"revision {upgrade.after.revision}",
        reason=f"it is {found}" if found else "that revision is not installed",
        hint="Run upgrade_start again: it goes on from where it stopped",
    )


def _together(*outcomes: Outcome, **extra: Any) -> Outcome:
    actions = [action for outcome in outcomes for action in outcome.actions]
    warnings = [warning for outcome in outcomes for warning in outcome.warnings]
    return Outcome(actions, extra=extra, warnings=warnings)


def _complete(run: Run, wanted: Wanted) -> Outcome:
    upgrade = read_upgrade(run.client, wanted.namespace)
    if upgrade is None:
        return Outcome(extra={"upgrade": NONE})
    snapshot = _read(run, wanted)
    _require_new(run, snapshot, upgrade)
    leaving = ending(snapshot, upgrade)
    refuse_in_use(run.client, without(snapshot, leaving), upgrade, wanted.namespace)
    if not run.check_mode:
        await_end(run.wait(wanted.how.wait_timeout), leaving)
    in_place = upgrade.strategy == IN_PLACE
    outcome = Outcome() if in_place else move_defaults(run, snapshot, upgrade, wanted.namespace)
    if not run.check_mode:
        require_accepted(run, wanted.namespace)
    outcome.extra = {"upgrade": upgrade.told()}
    return outcome


def _close(run: Run, wanted: Wanted) -> Outcome:
    upgrade = read_upgrade(run.client, wanted.namespace)
    if upgrade is None:
        return Outcome(extra={"upgrade": NONE})
    versions = versions_of(read(run.client, [Ask(DEPLOYMENT, required=True)]))
    if upgrade.strategy != IN_PLACE and upgrade.before.revision in versions and not run.check_mode:
        raise UpgradeError(
            f"The upgrade {upgrade} on {run.client.name} is not over",
            subject=f"revision {upgrade.before.revision}",
            reason="its old control plane is still there, and without the record nothing could go back to it",
            hint="Remove it (control_plane with 'state: absent'), then run this again",
        )
    if not run.check_mode:
        require_accepted(run, wanted.namespace)
    return _forgotten(run, wanted)


def _forgotten(run: Run, wanted: Wanted) -> Outcome:
    outcome = reconcile(run, Owner(MANAGER), [], [key_of_record(wanted.namespace)])
    outcome.extra = {"upgrade": NONE}
    return outcome


def _restore(run: Run, wanted: Wanted) -> Outcome:
    upgrade = read_upgrade(run.client, wanted.namespace)
    if upgrade is None:
        return Outcome(extra={"upgrade": NONE})
    outcome = restored(run, _read(run, wanted), upgrade)
    outcome.extra = {"upgrade": upgrade.told()}
    return outcome


def _rollback(run: Run, wanted: Wanted) -> Outcome:
    upgrade = read_upgrade(run.client, wanted.namespace)
    if upgrade is None:
        return Outcome(extra={"upgrade": NONE})
    snapshot = _read(run, wanted)
    require_old(run, snapshot, upgrade)
    versions = {**versions_of(snapshot), upgrade.before.revision: upgrade.before.version}
    seen = after_plan(snapshot, restored(replace(run, check_mode=True), snapshot, upgrade))
    judge = Judge.of(seen, versions, is_of(upgrade.after))
    plan = planned_waves(run, seen, judge, wanted.how, claims_of(run.client, wanted.how.waves))
    require_sound(run, wanted.how)  # what cannot be right is refused before the first write
    back = restored(run, snapshot, upgrade)
    restarted = roll_out(run, plan, wanted.how, judge)
    forgotten = _forgotten(run, wanted)
    left = remains(seen, upgrade, plan.left)
    return _together(back, restarted, forgotten, upgrade=NONE, remains=left, **restarted.extra)


_PHASES: Mapping[str, Callable[[Run, Wanted], Outcome]] = {
    "start": _start,
    "shift": _shift,
    "complete": _complete,
    "close": _close,
    "restore": _restore,
    "rollback": _rollback,
}
PHASES = tuple(_PHASES)
