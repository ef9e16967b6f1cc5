"""`ansible-playbook` killed at every write of a run: the next run makes the same objects, with a set and without.

A proxy withholds the answer to one write, and then the processes die: all of them at once, or only the playbook, which
leaves its worker behind as an orphan. The run after that goes another way, and does not wait for the orphan.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults import Proxy, Rule
from faults.catalogue import WRITES, Fault, Late
from integration.engine.driver import Object, config_map, named, state, virtual_service
from integration.support import bed
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.playbook import Runner

KINDS = "configmaps,roles,virtualservices,destinationrules"
OURS = {"campaign": "kill"}
PODS = {"apiGroups": [""], "resources": ["pods"]}
# Longer than it takes to notice it and to kill.
HELD = Fault("held", Late(1.0), WRITES, reaches_server=True)
STARTS_WITHIN = 30.0
Options = dict[str, Any]


@dataclass(frozen=True)
class Work:
    """A run that creates, updates and deletes a third each: what a set loses it prunes, the rest is named as absent."""

    namespace: str
    objects: int
    with_set: bool

    def options(self, old: bool) -> Options:
        """The task before (thirds 0 and 1), or the one that is killed (thirds 1 and 2)."""
        text, there = ("old", (0, 1)) if old else ("new", (1, 2))
        return self._as_set(text, there) if self.with_set else self._as_rows(text, there)

    def _as_set(self, text: str, there: tuple[int, ...]) -> Options:
        numbers = [number for number in range(self.objects) if number % 3 in there]
        options = {"set": "campaign", "set_namespace": self.namespace, "prune": True, "prune_limit": self.objects}
        return {**options, "objects": [manifest(number, self.namespace, text) for number in numbers]}

    def _as_rows(self, text: str, there: tuple[int, ...]) -> Options:
        rows: dict[str, list[Options]] = {"virtual_services": [], "destination_rules": []}
        for number in range(self.objects):
            host = f"{text}-{number}"  # of its own: two VirtualServices for one host would be refused
            kind, spec = (("virtual_services", {"hosts": [host]}), ("destination_rules", {"host": host}))[number % 2]
            place = {"name": f"object-{number}", "namespace": self.namespace, "labels": OURS}
            rows[kind].append({**place, **spec, "state": "present" if number % 3 in there else "absent"})
        return rows


def manifest(number: int, namespace: str, text: str) -> Object:
    """One object; four kinds take turns."""
    name, spec = f"object-{number}", {"host": f"{text}-{number}"}
    return (
        config_map(name, namespace, OURS, text=text),
        virtual_service(name, namespace, f"{text}-{number}", labels=OURS),
        named("DestinationRule", name, namespace, "networking.istio.io/v1", labels=OURS, spec=spec),
        named("Role", name, namespace, "rbac.authorization.k8s.io/v1", labels=OURS, rules=[{**PODS, "verbs": [text]}]),
    )[number % 4]


@dataclass
class Killing:
    """A cluster, a way to it that holds answers back, and what has been seen so far."""

    cluster: Cluster
    proxy: Proxy
    folder: Path
    work: Work
    wrong: list[str] = field(default_factory=list)
    kills: int = 0
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.direct = Operations({"kubeconfig": self.cluster.kubeconfig})
        self.again(old=True)
        self.again(old=False)
        self.goal = self.state()

    def state(self) -> dict[str, Object]:
        return state(self.cluster, self.work.namespace, KINDS, "campaign=kill")

    def again(self, old: bool = False) -> dict[str, Any]:
        return self.direct.run("config", self.work.options(old))

    def kill(self, write: int, orphan: bool) -> bool:
        """Kill a run at a write, and judge the next; False when the run has fewer writes than that."""
        self.again(old=True)
        self.proxy.play([Rule(HELD, dry_run=False, nth={write})])
        runner = Runner(self.folder, {"kubeconfig": self.proxy.kubeconfig})
        process = runner.start({"name": "Killed", "service_mesh.istio.config": self.work.options(old=False)})
        deadline = time.monotonic() + STARTS_WITHIN
        while not any(entry.status for entry in self.proxy.injected):
            if process.poll() is not None:
                process.communicate()
                return False
            assert time.monotonic() < deadline, "the playbook has not come to its writes"
            time.sleep(0.005)
        kill(process.pid, orphan)
        self._judge(f"write {write}{' with an orphan' if orphan else ''}")
        process.communicate()
        return True

    def _judge(self, where: str) -> None:
        start = time.monotonic()
        self.again()
        self.seconds.append(time.monotonic() - start)
        self.kills += 1
        if self.state() != self.goal:
            self.wrong.append(f"{where}: the objects are others than without the kill")
        if self.again()["changed"]:
            self.wrong.append(f"{where}: the run after the next one changes something")


def kill(pid: int, orphan: bool) -> None:
    """The playbook first, so that it cannot tell its workers; they stay if an orphan is wanted."""
    family = [pid] if orphan else [pid, *descendants(pid)]
    for member in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(member, signal.SIGKILL)


def descendants(pid: int) -> Iterator[int]:
    """All that a process has started; a worker of Ansible's is in a process group of its own."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            yield child
            yield from descendants(child)


@contextlib.contextmanager
def killing(cluster: Cluster, namespace: str, objects: int, with_set: bool) -> Iterator[Killing]:
    with Proxy(cluster) as proxy, tempfile.TemporaryDirectory() as folder:
        yield Killing(cluster, proxy, Path(folder), Work(namespace, objects, with_set))


def campaign(objects: int = 40, first: int = 1, every: int = 1) -> list[str]:
    """What was wrong after a kill at every write of a run, with and without a set, with and without an orphan."""
    cluster, wrong = prepared(bed.cluster("api")), []
    for with_set, orphan in itertools.product((False, True), (False, True)):
        namespace = f"campaign-kill-{time.monotonic_ns() % 10**9}"
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
        with killing(cluster, namespace, objects, with_set) as runs:
            for write in itertools.count(first, every):
                if not runs.kill(write, orphan):
                    break
        kind = f"{'with' if with_set else 'without'} a set, {'orphaned' if orphan else 'whole'}"
        print(f"{kind}: {runs.kills} kills, median s of the next run: {statistics.median(runs.seconds):.2f}")
        wrong += [f"{kind}: {line}" for line in runs.wrong]
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
    return wrong


def prepared(cluster: Cluster) -> Cluster:
    """With Istio's CRDs."""
    part = f"charts-{bed.ISTIO}"
    crds = bed.parts(part)[part] / "base" / "files" / "crd-all.gen.yaml"
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager", "tests", "-f", str(crds))
    cluster.kubectl("wait", "--for=condition=Established", "-f", str(crds))
    return cluster
