"""Many runs of `config` through a proxy that makes faults: each ends as without them, tells the truth, and in time.

Every third run has a set, whose lock and parent meet faults, too. Every second one also meets faults after which a
client may rightly give up: such a failure has to be typed, true about what was written, and the next run has to finish
the work.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Bug, Failure
from faults import FAULTS, PASSING, Proxy, Rule
from faults.catalogue import Answer, Late, Reply
from faults.rules import Entry
from integration.support import bed
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.operations import Operations

NAMESPACE, NAMESPACE_OF_SET = "campaign-faults", "campaign-faults-set"
SET = "campaign"
# What of a set is no member: its lock, while a run writes, and its parent, which names that run meanwhile.
LEFT_BY_LOCK = ("leases.coordination.k8s.io", "service-mesh-istio/being-changed-by")
FATES = ("unchanged", "update", "create", "delete")
# A client that asks five times may meet a fault five times.
TRIES = 5
SLOWEST = 2.0
State = dict[str, str]


@dataclass(frozen=True)
class Work:
    """What one run has to do: the fate of each object, drawn from the seed."""

    seed: int
    objects: int

    @property
    def fates(self) -> dict[str, str]:
        drawn, what = random.Random(self.seed), "member" if self.with_set else "object"  # two for a host are refused
        return {f"{what}-{number}": drawn.choice(FATES) for number in range(self.objects)}

    def before(self) -> State:
        return {name: "old" if fate == "update" else "is" for name, fate in self.fates.items() if fate != "create"}

    def after(self) -> State:
        return {name: "new" if fate == "update" else "is" for name, fate in self.fates.items() if fate != "delete"}

    def plan(self) -> set[tuple[str, str]]:
        return {(fate, name) for name, fate in self.fates.items() if fate != "unchanged"}

    @property
    def with_set(self) -> bool:
        return self.seed % 3 == 0

    @property
    def namespace(self) -> str:
        return NAMESPACE_OF_SET if self.with_set else NAMESPACE

    def options(self, state: State) -> dict[str, Any]:
        """The task that brings about a state: what is not in it is pruned from a set, and else named as absent."""
        rows = [
            {"name": name, "hosts": [f"{name}.{state.get(name, 'is')}"], "namespace": self.namespace}
            for name in self.fates
        ]
        if self.with_set:
            options = {"set": SET, "set_namespace": self.namespace, "prune": True, "prune_limit": self.objects}
            return {**options, "virtual_services": [row for row in rows if row["name"] in state]}
        states = ("present" if row["name"] in state else "absent" for row in rows)
        return {"virtual_services": [{**row, "state": wanted} for row, wanted in zip(rows, states, strict=True)]}


@dataclass
class Campaign:
    """The runs, and what they have come to."""

    cluster: Cluster
    proxy: Proxy
    wrong: list[str] = field(default_factory=list)
    failed: int = 0
    faults: int = 0
    seconds: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    calm: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.direct = Operations({"kubeconfig": self.cluster.kubeconfig})
        self.through = Operations({"kubeconfig": self.proxy.kubeconfig})
        self.audit = Audit(Path(self.cluster.audit_log))

    def run(self, work: Work, percent: int) -> None:
        """One run without faults, for its time, and one with them."""
        self._begin(work)
        self.proxy.play([])
        self.calm.append(self._timed(work))
        self._begin(work)
        faults = PASSING if work.seed % 2 else tuple(FAULTS.values())
        self.proxy.play([Rule(faults, probability=percent / 100)], work.seed)
        mark = self.audit.mark()
        try:
            seconds = self._timed(work)
        except Failure as failure:
            self.failed += 1
            self._judge_failure(work, failure, bool(self.audit.persisted(mark)))
            self._finish(work)
            self.calm.pop()
        else:
            self.seconds.append(seconds)
            self.asked.append(asked_to_wait(self.proxy.log))
        self.faults += len(self.proxy.injected)
        self._expect(work, "the end state is another", self._state(work) == work.after())
        self._expect(work, "a lock is left", not self._lock_is_left(work))

    def _begin(self, work: Work) -> None:
        self.direct.run("config", work.options(work.before()))

    def _finish(self, work: Work) -> None:
        """The next run, without faults, goes on from what the failed one has left."""
        try:
            self.direct.run("config", work.options(work.after()))
        except Failure as failure:
            self.wrong.append(f"seed {work.seed}: the next run fails, {failure}")
            clear(self.cluster)
            self.direct.run("config", work.options(work.after()))

    def _timed(self, work: Work) -> float:
        start = time.monotonic()
        result = self.through.run("config", work.options(work.after()))
        seconds = time.monotonic() - start
        plan = {(row["action"], row["name"]) for row in result["plan"] if row["name"] != SET}
        self._expect(work, f"untrue plan, {sorted(plan ^ work.plan())}", plan == work.plan())
        self._expect(work, f"changed is {result['changed']}", result["changed"] == bool(work.plan()))
        return seconds

    def _judge_failure(self, work: Work, failure: Failure, persisted: bool) -> None:
        told = f"{failure.as_dict()['code']}: {failure}"
        self._expect(work, f"should have gone on, {told}", may_give_up(self.proxy.injected))
        self._expect(work, f"no help, {told}", bool(failure.hint) and not isinstance(failure, Bug))
        state, before, after = self._state(work), work.before(), work.after()
        truly = persisted if failure.changed else state == before
        self._expect(work, f"says changed={failure.changed}, {told}", truly)
        neither = [name for name in work.fates if state.get(name) not in (before.get(name), after.get(name))]
        self._expect(work, f"neither as before nor as wanted: {neither}", not neither)

    def _lock_is_left(self, work: Work) -> bool:
        leases, mark = LEFT_BY_LOCK
        parents = self.cluster.kubectl("get", "configmaps", "-n", work.namespace, "-o", "json")
        return bool(self.cluster.names(leases, work.namespace)) or mark in parents

    def _state(self, work: Work) -> State:
        found = json.loads(self.cluster.kubectl("get", "virtualservices", "-n", work.namespace, "-o", "json"))
        return {item["metadata"]["name"]: item["spec"]["hosts"][0].partition(".")[2] for item in found["items"]}

    def _expect(self, work: Work, otherwise: str, holds: bool) -> None:
        if not holds:
            self.wrong.append(f"seed {work.seed}: {otherwise}")

    def judge_time(self) -> None:
        """What the faults ask or take (Retry-After, lateness) is theirs; the rest is ours."""
        calm, ours = sum(self.calm), sum(self.seconds) - sum(self.asked)
        if self.seconds and ours > SLOWEST * calm:
            self.wrong.append(f"time: {ours:.1f} s with faults, {calm:.1f} s without")

    def figures(self) -> Mapping[str, Any]:
        ended = len(self.seconds)
        return {
            "runs": ended + self.failed,
            "gave up": self.failed,
            "faults": self.faults,
            "median s without": round(statistics.median(self.calm), 2) if ended else None,
            "median s with": round(statistics.median(self.seconds), 2) if ended else None,
            "times as long": round(sum(self.seconds) / sum(self.calm), 2) if ended else None,
            "without asked waits": round((sum(self.seconds) - sum(self.asked)) / sum(self.calm), 2) if ended else None,
        }


def may_give_up(injected: Iterable[Entry]) -> bool:
    """Whether a fault was met that nobody has to ride out, or too many by one request."""
    met = list(injected)
    most = max(Counter(entry.asked.identity for entry in met).values(), default=0)
    return most >= TRIES or any(entry.fault not in PASSING for entry in met)


def asked_to_wait(log: Iterable[Entry]) -> float:
    """Seconds in which somebody had been told or made to wait: overlapping ones count once."""
    waits = sorted((entry.at, entry.at + wait_of(entry.fault.reply)) for entry in log if entry.fault)
    total, until = 0.0, 0.0
    for start, end in waits:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def wait_of(reply: Reply) -> float:
    """What a fault itself costs, however well it is borne."""
    return reply.retry_after if isinstance(reply, Answer) else reply.seconds if isinstance(reply, Late) else 0.0


def prepared(cluster: Cluster) -> Cluster:
    """With Istio's CRDs and the campaign's namespace, where an interrupted campaign may have left something."""
    part = f"charts-{bed.ISTIO}"
    crds = bed.parts(part)[part] / "base" / "files" / "crd-all.gen.yaml"
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager", "tests", "-f", str(crds))
    cluster.kubectl("wait", "--for=condition=Established", "-f", str(crds))
    for name in (NAMESPACE, NAMESPACE_OF_SET):
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    clear(cluster)
    return cluster


def clear(cluster: Cluster) -> None:
    for name in (NAMESPACE, NAMESPACE_OF_SET):
        cluster.kubectl("delete", "virtualservices,leases.coordination.k8s.io", "--all", "-n", name)
    cluster.kubectl("delete", "configmap", SET, "-n", NAMESPACE_OF_SET, "--ignore-not-found")


def disturbed(cluster: Cluster, seeds: Iterable[int], percent: int, objects: int) -> Campaign:
    """The runs of these seeds on a cluster."""
    with Proxy(prepared(cluster)) as proxy:
        runs = Campaign(cluster, proxy)
        for seed in seeds:
            runs.run(Work(seed, objects), percent)
    clear(cluster)
    return runs


def campaign(seeds: int = 200, percent: int = 10, objects: int = 40, first: int = 1) -> list[str]:
    """What was wrong with runs of `first` and the following seeds."""
    runs = disturbed(bed.cluster("api"), range(first, first + seeds), percent, objects)
    runs.judge_time()
    print(*(f"{name}: {value}" for name, value in runs.figures().items()), sep=", ")
    return runs.wrong
