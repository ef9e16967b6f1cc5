"""Two runs at once on one set: one wins, the other says who; the lock of somebody who is gone holds nobody up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile import lock
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.lock import Locked
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objectset import ObjectSet
from faults import Proxy, Rule
from faults.catalogue import WRITES, Answer, Fault, Late
from integration.engine.driver import Engine, Object, config_map, named
from integration.support.bed import Cluster

LEASES = "leases.coordination.k8s.io"
REFUSED = Fault("refused", Answer(403, b'{"kind": "Status", "code": 403, "reason": "Forbidden"}'), WRITES)


def hold(cluster: Cluster, namespace: str, holder: str, *, clock: float = 0.0, seconds: int = 60) -> None:
    """A lock that somebody has just taken, whose clock is so many seconds ahead."""
    now = (datetime.now(timezone.utc) + timedelta(seconds=clock)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "acquireTime": now, "renewTime": now}
    cluster.apply(named("Lease", "shop", namespace, "coordination.k8s.io/v1", spec=spec), manager="somebody")


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def run(cluster: Cluster, namespace: str, before_write: Callable[[], None] = lambda: None) -> float:
    """How long a run takes that has one object to write."""
    start = time.monotonic()
    engine = Engine(cluster.kubeconfig, before_write=before_write)
    engine.run([config_map("a", namespace, at=str(start))], object_set=ObjectSet("shop", namespace))
    return time.monotonic() - start


def holder_of(cluster: Cluster, namespace: str) -> str:
    """As whom the runs of this process hold locks."""
    seen: list[str] = []

    def look() -> None:
        seen.extend(
            cluster.get("lease", name, namespace)["spec"]["holderIdentity"] for name in held(cluster, namespace)
        )

    run(cluster, namespace, look)
    return seen[-1]


def held(cluster: Cluster, namespace: str) -> set[str]:
    return cluster.names(LEASES, namespace)


@pytest.mark.parametrize("clock", [0.0, -120.0, 120.0])
def test_expired_lock_is_taken_whatever_the_clock_of_its_holder_says(
    cluster: Cluster, namespace: str, clock: float
) -> None:
    hold(cluster, namespace, "elsewhere/1/1", clock=clock, seconds=1)
    time.sleep(2.1)  # the server tells whole seconds
    assert run(cluster, namespace) < 3
    assert held(cluster, namespace) == set()


def test_lock_of_a_holder_whose_clock_is_late_is_not_taken(cluster: Cluster, namespace: str) -> None:
    hold(cluster, namespace, "elsewhere/1/1", clock=-120.0)
    with pytest.raises(Locked, match="elsewhere/1/1"):
        run(cluster, namespace)


def test_lock_of_a_process_that_has_ended_is_taken_at_once(cluster: Cluster, namespace: str) -> None:
    host, process, me = holder_of(cluster, namespace).split("/")
    assert (host, process) == (socket.gethostname(), str(os.getpid()))
    hold(cluster, namespace, f"{host}/{ended_process()}/{me}")
    assert run(cluster, namespace) < 3
    assert held(cluster, namespace) == set()


def test_process_of_another_container_is_not_taken_for_dead(cluster: Cluster, namespace: str) -> None:
    """Containers may bear one host name; in another PID namespace, or on another machine, a number says nothing."""
    host, _process, me = holder_of(cluster, namespace).split("/")
    other = f"{'0' * 12}-{me.partition('-')[2]}"
    hold(cluster, namespace, f"{host}/{ended_process()}/{other}")
    with pytest.raises(Locked, match=other):
        run(cluster, namespace)


def test_two_runs_at_once(cluster: Cluster, namespace: str) -> None:
    """The second one comes while the first is writing, and is told so; nothing of it is written."""
    writing, over = threading.Event(), threading.Event()
    calls: list[int] = []

    def slowly() -> None:
        calls.append(1)
        if len(calls) == 2:  # the lock is held, nothing else is written yet
            writing.set()
            over.wait(30)

    first = threading.Thread(target=run, args=(cluster, namespace, slowly))
    first.start()
    try:
        assert writing.wait(30)
        with pytest.raises(Locked, match=f"'shop'.*{socket.gethostname()}/{os.getpid()}/") as raised:
            run(cluster, namespace)
        assert not raised.value.changed
        assert "a" not in cluster.names("configmaps", namespace)
    finally:
        over.set()
        first.join()
    assert cluster.names("configmaps", namespace) >= {"a", "shop"}
    assert held(cluster, namespace) == set()
    run(cluster, namespace)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Locks that expire in three seconds instead of sixty."""
    times = {"_SECONDS": 3, "_RENEW_AFTER": 1.0, "_STOP_AFTER": 2.0, "_LOOK_EVERY": 0.25, "_PATIENCE": 1.0}
    for name, value in times.items():
        monkeypatch.setattr(lock, name, value)


SLOW = Fault("slow", Late(5.0), reaches_server=True)
LONG = {
    "a-write": Rule(SLOW, verb="apply", path="configmaps/a", dry_run=False),
    "a-dry-run-after-the-first-write": Rule(SLOW, verb="apply", path="-new/configmaps/late", dry_run=True, nth={2}),
    "what-is-restored": Rule(SLOW, verb="delete", path="configmaps/a", dry_run=False),
}


@pytest.mark.usefixtures("brief")
@pytest.mark.parametrize("what", LONG)
def test_lock_is_renewed_while_something_takes_long(
    cluster: Cluster, namespace: str, namespaces: list[str], what: str
) -> None:
    """Longer than a lock lasts. Nobody else gets it meanwhile."""
    namespaces.append(f"{namespace}-new")
    home = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespaces[-1]}}
    wanted = [home, config_map("a", namespace), config_map("late", namespaces[-1])]
    with Proxy(cluster) as proxy:
        refused = Rule(REFUSED, verb="apply", path="configmaps/late", dry_run=False)
        proxy.play([LONG[what], *([refused] if what == "what-is-restored" else [])])
        work = (Engine(proxy.kubeconfig), wanted, ObjectSet("shop", namespace))
        outcomes: list[str] = []
        first = threading.Thread(target=lambda: outcomes.append(outcome(*work)))
        first.start()
        await_fault(proxy, "slow")
        time.sleep(3.5)
        with pytest.raises(Locked):
            run(cluster, namespace)
        first.join()
    assert outcomes == ["restored" if what == "what-is-restored" else "done"]
    assert held(cluster, namespace) == set()


def outcome(engine: Engine, wanted: list[Object], of: ObjectSet) -> str:
    """In a word."""
    try:
        engine.run(wanted, object_set=of)
    except Failure as failure:
        return "left" if failure.changed else "restored"
    return "done"


def await_fault(proxy: Proxy, name: str) -> None:
    """Until a request is held up."""
    deadline = time.monotonic() + 20
    while name not in {entry.what for entry in proxy.injected}:
        assert time.monotonic() < deadline, "it was never asked"
        time.sleep(0.02)


def test_run_that_has_lost_its_lock_writes_nothing_more(
    cluster: Cluster, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has given it to another by hand, or a machine was asleep for a minute."""
    monkeypatch.setattr(lock, "_RENEW_AFTER", 0.0)
    calls: list[int] = []

    def steal() -> None:
        calls.append(1)
        if len(calls) == 3:
            cluster.patch("lease", "shop", namespace, {"spec": {"holderIdentity": "elsewhere/1/1"}})

    engine = Engine(cluster.kubeconfig, before_write=steal)
    with pytest.raises(Failure, match=r"lock of the set 'shop' was lost.*elsewhere/1/1 holds it now") as raised:
        engine.run([config_map("a", namespace)], object_set=ObjectSet("shop", namespace))
    assert (raised.value.as_dict()["code"], raised.value.changed) == ("locked", True)
    assert "a" not in cluster.names("configmaps", namespace)
    assert cluster.get("lease", "shop", namespace)["spec"]["holderIdentity"] == "elsewhere/1/1"


def test_nothing_to_write_needs_no_lock(cluster: Cluster, namespace: str) -> None:
    wanted, of = [config_map("a", namespace, at="once")], ObjectSet("shop", namespace)
    engine = Engine(cluster.kubeconfig)
    engine.run(wanted, object_set=of)
    hold(cluster, namespace, "elsewhere/1/1")
    assert not engine.run(wanted, object_set=of).changed
    assert engine.run([config_map("a", namespace, at="other")], object_set=of, check=True).changed
