# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts in waves: one after the other, gates between them, a budget for failures, and what happens at one too many.

Nothing is kept between runs: who has been restarted is seen by the Pods. So a run that was cut off, or has stopped, is
simply repeated.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Protocol

from ..kube.errors import Failure, Interrupted
from ..reconcile.outcome import Outcome
from ..reconcile.run import Run
from .facts import ROOT_NAMESPACE
from .on_failure import OnFailure
from .prometheus import Prometheus
from .rollout_gates import Gate, GateClosed, Gates, Question, digest
from .rollout_plan import Item, Left, PlannedWave, RolloutPlan, plan_rollout
from .rollout_pods import Judge
from .rollout_report import Stopped, told_warnings
from .rollout_restart import LeftAlone, Restarter
from .rollout_waves import ALL, Claims, Wave
from .rollout_window import Window
from .rollout_world import Scope, read_world
from .web import Access, shown

_STEP = 1.0


@dataclass(frozen=True)
class How:
    """How a rollout goes, for all waves."""

    waves: tuple[Wave, ...] = (ALL,)
    max_parallel: int = 4
    failure_budget: int = 0
    pause: float = 0.0
    window: Window | None = None
    gates: tuple[Gate, ...] = ()
    prometheus: Prometheus | None = None
    access: Access = field(default_factory=Access)
    on_failure: OnFailure = "stop"
    allow_downtime: bool = False
    wait_timeout: float = 300.0
    namespace: str = ROOT_NAMESPACE

    @property
    def unverified(self) -> list[str]:
        """Whom a gate would believe without knowing that it is them."""
        asked = self.prometheus
        if asked is None or asked.access.validate_certs:
            return []
        return [f"The certificate of Prometheus at {shown(asked.url)} is not verified: anyone in between can answer"]


class Mover(Protocol):
    """What changes for the namespaces of a wave before its workloads restart, and back."""

    def due(self, names: Sequence[str]) -> bool:
        """Whether anything is left to change for them."""

    def enter(self, names: Sequence[str]) -> Outcome:
        """Let them get other proxies from now on."""

    def leave(self, names: Sequence[str]) -> tuple[Outcome, Judge] | None:
        """As before, and who says whether Pods are so, too; None where that cannot be taken back for them alone."""


def _now() -> datetime:
    return datetime.now(timezone.utc)


def require_sound(run: Run, how: How) -> None:
    """Before the first write: gates that can be passed. Raises BadGate."""
    _gates(run, how).require_sound([*how.gates, *(gate for wave in how.waves for gate in wave.gates)])


def _gates(run: Run, how: How) -> Gates:
    def tell(line: str) -> None:
        run.progress(f"{run.client.name}: {line}")

    return Gates(run, how.namespace, tell, how.prometheus, how.access)


def roll_out(run: Run, plan: RolloutPlan, how: How, judge: Judge, mover: Mover | None = None) -> Outcome:
    """Carry out a plan, or in check mode tell it. Raises Stopped."""
    return _Rollout.of(run, plan, how, judge, mover).carry_out()


@dataclass
class _Rollout:
    """One rollout under way."""

    run: Run
    plan: RolloutPlan
    how: How
    mover: Mover | None
    gates: Gates
    restarter: Restarter
    moves: Outcome = field(default_factory=Outcome)
    failed: list[Item] = field(default_factory=list)
    interrupted: Interrupted | None = None
    begun: bool = False
    clock: Callable[[], datetime] = _now

    @classmethod
    def of(cls, run: Run, plan: RolloutPlan, how: How, judge: Judge, mover: Mover | None) -> _Rollout:
        lock = threading.Lock()

        def progress(line: str) -> None:
            with lock:
                run.progress(line)

        own = replace(run, progress=progress)
        restarter = Restarter(own, judge, how.wait_timeout, how.allow_downtime)
        return cls(own, plan, how, mover, _gates(own, how), restarter)

    def carry_out(self) -> Outcome:
        require_sound(self.run, self.how)
        if self.run.check_mode:
            for planned in self.plan.waves:
                self._enter(planned)
            return self._outcome("planned", [item for item in self.plan.items if item.state == "waiting"])
        for number, planned in enumerate(self.plan.waves):
            if not self._pass(number, planned):
                return self._outcome("outside_window")
        if any(gate.is_approval for wave in self.how.waves for gate in (*self.how.gates, *wave.gates)):
            self.gates.forget_approval()  # of a wave that was over before it was gone on with
        return self._outcome("done")

    def _outcome(self, state: str, changing: Iterable[Item] | None = None) -> Outcome:
        items = [item for item in self.plan.items if item.written] if changing is None else changing
        outcome = Outcome([*self.moves.actions, *(item.action() for item in items)])
        outcome.extra = {"rollout": self.plan.told(state)}
        outcome.warnings = [
            *self.how.unverified,
            *self.moves.warnings,
            *told_warnings(self.plan, self.how.window, state),
        ]
        return outcome

    def _enter(self, planned: PlannedWave) -> None:
        if self.mover:
            self._keep(self.mover.enter(planned.namespaces))

    def _keep(self, moved: Outcome) -> None:
        self.moves.actions += moved.actions
        self.moves.warnings += moved.warnings

    def _tell(self, line: str) -> None:
        self.run.progress(f"{self.run.client.name}: {line}")

    def _pass(self, number: int, planned: PlannedWave) -> bool:
        """One wave with its gates. False when the window has closed. Raises Stopped."""
        title = f"wave '{planned.wave.name}' ({number + 1} of {len(self.plan.waves)})"
        if planned.items:
            return self._pass_with(number, planned, title)
        if self.mover and self.mover.due(planned.namespaces):
            if not self._is_open():
                return False
            self._require(planned, title, lambda: self._enter(planned))
        planned.state = "done"
        return True

    def _pass_with(self, number: int, planned: PlannedWave, title: str) -> bool:
        """The same of one with workloads."""
        if not self._is_open():
            return False
        self._require(planned, title, lambda: self._before(number, planned))
        if not self._is_open():  # whoever was asked has taken their time
            return False
        self._tell(f"{title}: {len(planned.items)} workloads in {len(planned.namespaces)} namespaces")
        planned.state = "running"
        self._require(planned, title, lambda: self._enter(planned), undoes=True)
        self._restart_all(planned)
        if len(self.failed) > self.how.failure_budget:
            raise self._stopped(planned, title, None, undoes=True)
        if any(item.state == "waiting" for item in planned.items):
            return False
        self._require(planned, title, lambda: self._after(number, planned), undoes=True)
        planned.state = "done"
        self._tell(f"{title}: done")
        return True

    def _before(self, number: int, planned: PlannedWave) -> None:
        """General gates are asked before the first wave; after that, they have been asked after the one before."""
        self.gates.require([*(() if self.begun else self.how.gates), *planned.wave.gates])
        self.begun = True
        asked = [*(self.how.gates if number else ()), *planned.wave.gates]
        what = f"{len(planned.items)} workloads in {len(planned.namespaces)} namespaces"
        each = frozenset(digest(f"{item.place}: {item.reason}") for item in planned.items)
        self.gates.await_approval(asked, Question(planned.wave.name, what, each))

    def _after(self, number: int, planned: PlannedWave) -> None:
        conditions = [gate for gate in self.how.gates if not gate.is_approval]
        if conditions or any(later.items for later in self.plan.waves[number + 1 :]):
            self._sleep(self.how.pause if planned.wave.pause is None else planned.wave.pause)
        self.gates.require(conditions)
        if any(gate.is_approval for gate in (*self.how.gates, *planned.wave.gates)):
            self.gates.forget_approval()

    def _sleep(self, seconds: float) -> None:
        """A pause, in steps: who has gone meanwhile is not waited for."""
        if seconds:
            self._tell(f"pause of {seconds:g} s")
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.run.before_write()
            time.sleep(min(left, _STEP))

    def _is_open(self) -> bool:
        return self.how.window is None or self.how.window.is_open(self.clock())

    def _require(self, planned: PlannedWave, title: str, step: Callable[[], None], undoes: bool = False) -> None:
        try:
            step()
        except Interrupted:
            raise
        except Failure as error:
            raise self._stopped(planned, title, error, undoes) from error

    def _restart_all(self, planned: PlannedWave) -> None:
        names = {(item.place.namespace, name) for item in planned.items for name in item.budgets}
        locks = {name: threading.Lock() for name in sorted(names)}
        with ThreadPoolExecutor(planned.wave.max_parallel or self.how.max_parallel) as pool:
            each = [
                pool.submit(self._one, item, [locks[item.place.namespace, name] for name in item.budgets])
                for item in planned.items
            ]
        for one in each:
            one.result()  # an error that nobody has foreseen is none that nobody hears of
        if self.interrupted:
            raise self.interrupted

    def _one(self, item: Item, locks: Sequence[threading.Lock]) -> None:
        """One at a time for each disruption budget that they draw on. Nothing begins after one failure too many."""
        with ExitStack() as held:
            for lock in locks:
                held.enter_context(lock)
            if self.interrupted or len(self.failed) > self.how.failure_budget or not self._is_open():
                return
            item.state = "restarting"
            try:
                self.restarter.restart(item)
                item.state = "restarted"
                self._tell(f"{item.place}: ready")
            except Interrupted as error:
                self.interrupted = error
            except LeftAlone as error:
                self._leave_alone(item, error)
            except Failure as error:
                self._note(item, error)

    def _leave_alone(self, item: Item, error: LeftAlone) -> None:
        item.state = "left"
        self.plan.left.append(Left(item.place, item.pods, item.reason, error.how, error.reason))
        self._tell(f"{item.place}: left alone: {error.reason}")

    def _note(self, item: Item, error: Failure) -> None:
        item.state, item.error = "failed", str(error)
        self.failed.append(item)
        self._tell(f"{item.place}: failed: {error}")

    def _stopped(self, planned: PlannedWave, title: str, cause: Failure | None, undoes: bool) -> Stopped:
        planned.state = "failed" if undoes else "waiting"
        not_undone: list[str] = []
        if undoes and self.how.on_failure == "undo":
            went_back, not_undone = self._undo(planned, title)
            planned.state = "undone" if went_back and not not_undone else "failed"
        code = cause.code if isinstance(cause, GateClosed) else "rollout_stopped"
        error = Stopped.of(self.run.client.name, title, self.plan, (cause, self.failed), not_undone)
        error.code = code  # type: ignore[misc]  # of this failure, not of its class
        error.changed = self.moves.changed or any(item.written for item in self.plan.items)
        error.extra = {"rollout": self.plan.told("undone" if planned.state == "undone" else "stopped")}
        return error

    def _undo(self, planned: PlannedWave, title: str) -> tuple[bool, list[str]]:
        """The namespaces first, so that whoever comes back gets what it had.

        Whether anything went back, and what stays as it is, and why. What has become ready stays where only its own
        mark would go back: injection would give it the same proxy again.
        """
        self._tell(f"{title}: is undone")
        troubles: list[str] = []
        try:
            left = self.mover.leave(planned.namespaces) if self.mover else None
        except Interrupted:
            raise
        except Failure as error:
            return False, [str(error)]
        touched = [item for item in planned.items if item.written and (left or item.state != "restarted")]
        for item in touched:
            self._back(item, self.restarter.undo, troubles)
        if left:
            self._keep(left[0])
            self._undo_rest(planned, left[1], troubles)
        return bool(left or touched), troubles

    def _undo_rest(self, planned: PlannedWave, judge: Judge, troubles: list[str]) -> None:
        """What an earlier run has restarted: nobody knows its mark of before, so it is restarted once more."""
        try:
            world = read_world(self.run.client, Scope(tuple(planned.namespaces)))
        except Failure as error:
            troubles.append(str(error))
            return
        number = self.plan.waves.index(planned)
        again = plan_rollout(world, judge, Claims((ALL,), {}), self.how.allow_downtime)
        troubles += [str(one) for one in again.left if self.plan.claims.wave_of(one.place) == number]
        restarter = replace(self.restarter, judge=judge)
        known = {item.place: item for item in planned.items}
        for item in again.items:
            if self.plan.claims.wave_of(item.place) == number:
                self._back(item, restarter.restart, troubles)
                known.get(item.place, item).state = item.state

    def _back(self, item: Item, how: Callable[[Item], None], troubles: list[str]) -> None:
        try:
            how(item)
            item.state = "undone"
            self._tell(f"{item.place}: as before")
        except Interrupted:
            raise
        except Failure as error:
            troubles.append(f"{item.place}: {error}")
