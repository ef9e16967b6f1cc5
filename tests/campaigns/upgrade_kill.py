"""`ansible-playbook` killed in every phase of an upgrade, and then: a re-run finishes, and a roll-back restores.

It is killed at every boundary between two tasks, at random moments within them, and at every deletion of completion:
the whole process group, or every other time only the playbook, which leaves its worker behind as an orphan. All the
while webhooks are watched: none may lead to a Service that does not exist.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from campaigns.kill import descendants, kill
from faults import Proxy, Rule
from faults.catalogue import PLAIN, Fault, Late
from integration.support import bed
from integration.support.bed import Cluster
from integration.support.etcd import State
from integration.support.upgrading import (
    BACK,
    BY_REVISION,
    IN_PLACE,
    PLACE,
    Objects,
    Phase,
    Upgrading,
    Way,
    difference,
    upgrading,
    went_back,
)
from integration.support.watcher import watched

# Longer than it takes to notice it and to kill.
HELD = Fault("held", Late(1.0), PLAIN, reaches_server=True)
STARTS_WITHIN = 180.0
RECORD = f"configmaps {PLACE}/service-mesh-istio-upgrade"
NO_WAY_BACK = "There is no way back"
ORPHAN = {False: "", True: ", orphaned"}


@dataclass(frozen=True)
class Stage:
    """A phase, the state before it, what it comes to if nobody disturbs it, and how many requests that takes."""

    phase: Phase
    before: State
    goal: Objects
    requests: int

    def __str__(self) -> str:
        told = ", ".join(f"{name}={value}" for name, value in self.phase.more.items())
        return f"{self.phase.playbook}{f' ({told})' if told else ''}"


@dataclass
class Killing:
    """An upgrade that is killed again and again, and what was seen."""

    life: Upgrading
    proxy: Proxy
    wrong: list[str] = field(default_factory=list)
    kills: int = 0

    def __post_init__(self) -> None:
        self.before = self.life.objects()
        self.stages = [self._stage(phase) for phase in self.life.way.phases]
        proxies = [item for name, item in self.completed.goal.items() if name.startswith("proxy ")]
        assert all(self.life.way.after in str(proxy) for proxy in proxies), "the stand-ins have not renewed all Pods"

    @property
    def completed(self) -> Stage:
        return self.stages[-1]

    def ways_back(self) -> Stage:
        """Back from the end of each phase; from that before the last it is a stage like the others."""
        for stage, following in pairwise(self.stages):
            self.life.put_back(following.before)
            self._judge_way_back(f"back from {stage}")
        self.life.put_back(self.completed.before)
        return self._stage(BACK)

    def _stage(self, phase: Phase) -> Stage:
        before = self.life.stored()
        self.proxy.play([])
        with self._watching(f"{phase.playbook}, undisturbed"):
            self._finish(phase, f"{phase.playbook}, undisturbed", self.proxy.kubeconfig)
        requests = sum(entry.asked.verb in PLAIN for entry in self.proxy.log)
        return Stage(phase, before, self.life.objects(), requests)

    @contextlib.contextmanager
    def _watching(self, where: str) -> Iterator[None]:
        with watched(self.life.cluster) as watcher:
            yield
        self.wrong += [f"{where}: {' '.join(called)} leads to no Service" for called in sorted(watcher.dangling)]

    def _finish(self, phase: Phase, where: str, kubeconfig: str = "") -> None:
        played = self.life.play(phase, kubeconfig)
        if played.rc:
            self.wrong.append(f"{where}: {phase.playbook} fails: {played.output[-2000:]}")

    def at_boundary(self, stage: Stage, task: int, orphan: bool) -> bool:
        """Killed before a task; False when there are fewer."""
        self.life.put_back(stage.before)

        def start() -> subprocess.Popen[str] | None:
            process, held = self.life.start(stage.phase, task=task)
            return process if _comes(process, held.exists) else None

        return self._killed(stage, f"{stage}, before task {task}{ORPHAN[orphan]}", start, orphan)

    def at_request(self, stage: Stage, rule: Rule, where: str, orphan: bool) -> bool:
        """Killed while the answer to a request is on its way; False when the run has no such request."""
        self.life.put_back(stage.before)

        def start() -> subprocess.Popen[str] | None:
            self.proxy.play([rule])
            process, _held = self.life.start(stage.phase, self.proxy.kubeconfig)
            return process if _comes(process, lambda: any(one.status for one in self.proxy.injected)) else None

        return self._killed(stage, f"{stage}, {where}{ORPHAN[orphan]}", start, orphan)

    def _killed(
        self, stage: Stage, where: str, start: Callable[[], subprocess.Popen[str] | None], orphan: bool
    ) -> bool:
        began, known = time.monotonic(), len(self.wrong)
        with self._watching(where):
            process = start()
            if process is None:
                return False
            orphans = list(descendants(process.pid)) if orphan else []
            kill(process.pid, orphan)
            left = {} if orphans else self.life.stored()  # what an orphan leaves is not known yet
            self._finish(stage.phase, where)
            process.communicate()
        self.wrong += [f"{where}: after the re-run, {line}" for line in difference(self.life.objects(), stage.goal)]
        if left and stage.phase is not BACK:
            self.life.put_back(left)
            self._judge_way_back(where)
        self.kills += 1
        verdict = "; ".join(self.wrong[known:]) or "right"
        print(f"{self.life.way.name}: {where}: {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
        return True

    def _judge_way_back(self, where: str) -> None:
        """Everything as before. Nothing, where no upgrade is under way, or once completion has begun to remove."""
        there = self.life.objects()
        with self._watching(where):
            played = self.life.play(BACK)
        now = self.life.objects()
        if RECORD not in there or (NO_WAY_BACK in played.output and self._is_being_removed(there)):
            self.wrong += [f"{where}: going back changes what it must not: {one}" for one in difference(now, there)]
        elif played.rc:
            self.wrong.append(f"{where}: the way back fails: {played.output[-2000:]}")
        else:
            self.wrong += [f"{where}: on the way back, {one}" for one in went_back(now, self.before, self.life.way)]

    def _is_being_removed(self, there: Objects) -> bool:
        return any(name not in there for name in self.before if "webhookconfigurations" in name)


def _comes(process: subprocess.Popen[str], there: Callable[[], bool]) -> bool:
    """Whether something happens before a playbook is over."""
    deadline = time.monotonic() + STARTS_WITHIN
    while not there():
        if process.poll() is not None:
            process.communicate()
            return False
        assert time.monotonic() < deadline, "the playbook does not come to where it shall be killed"
        time.sleep(0.005)
    return True


@contextlib.contextmanager
def killing(cluster: Cluster, folder: Path, way: Way) -> Iterator[Killing]:
    with Proxy(cluster) as proxy, upgrading(cluster, folder, way) as life:
        yield Killing(life, proxy)


def at_boundaries(runs: Killing, stages: Sequence[Stage], every: int) -> None:
    """Before tasks of every phase: with all processes, or every other time with the playbook alone."""
    orphans = itertools.cycle((False, True))
    for stage in stages:
        for task in itertools.count(every, every):
            if not runs.at_boundary(stage, task, next(orphans)):
                break


def at_moments(runs: Killing, stages: Sequence[Stage], moments: int, seed: int) -> None:
    """At requests drawn by chance from those of all phases."""
    chance = random.Random(seed)
    for number in range(moments):
        stage = chance.choices(stages, [stage.requests for stage in stages])[0]
        request = chance.randint(1, stage.requests)
        where = f"at request {request} of {stage.requests}"
        runs.at_request(stage, Rule(HELD, nth={request}), where, orphan=number % 2 == 0)


def at_deletion(runs: Killing, number: int, orphan: bool) -> bool:
    """At something that completion removes; False when it removes less than that."""
    rule = Rule(HELD, verb="delete", dry_run=False, nth={number})
    return runs.at_request(runs.completed, rule, f"at deletion {number}", orphan)


def at_deletions(runs: Killing, every: int) -> None:
    """At what completion removes: with all processes, and with the playbook alone."""
    for orphan in (False, True):
        for number in itertools.count(every, every):
            if not at_deletion(runs, number, orphan):
                break


def campaign(
    moments: int = 20, seed: int = 1, boundaries: int = 1, deletions: int = 1, revision: int = 1, in_place: int = 1
) -> list[str]:
    """What was wrong after kills at so many moments of each upgrade, and at every so many boundaries and deletions.

    Of what is 0 there are none.
    """
    wrong, kills = [], 0
    for way in [*([BY_REVISION] if revision else []), *([IN_PLACE] if in_place else [])]:
        with tempfile.TemporaryDirectory() as folder, bed.own_cluster("api", Path(folder) / "bed") as cluster:
            with killing(cluster, Path(folder), way) as runs:
                stages = [*runs.stages, runs.ways_back()]
                if boundaries:
                    at_boundaries(runs, stages, boundaries)
                at_moments(runs, stages, moments, seed)
                if deletions:
                    at_deletions(runs, deletions)
            wrong += [f"{way.name}: {line}" for line in runs.wrong]
            kills += runs.kills
    print(f"{kills} kills, {len(wrong)} wrong")
    return wrong
