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
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.lock import Locked
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objectset import ObjectSet
from integration.engine.driver import Engine, config_map, named
from integration.support.bed import Cluster

LEASES = "leases.coordination.k8s.io"


def hold(cluster: Cluster, namespace: str, holder: str, age: float = 0.0) -> None:
    """A lock that somebody has taken, or renewed, some seconds ago."""
    then = (datetime.now(timezone.utc) - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 60, "acquireTime": then, "renewTime": then}
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


@pytest.mark.parametrize(
    ("holder", "age"),
    [
        (f"{socket.gethostname()}/{ended_process()}/1", 0.0),
        ("elsewhere/1/1", 61.0),
    ],
    ids=["dead-process-of-this-host", "expired"],
)
def test_lock_of_somebody_who_is_gone_is_taken_at_once(
    cluster: Cluster, namespace: str, holder: str, age: float
) -> None:
    hold(cluster, namespace, holder, age)
    assert run(cluster, namespace) < 3
    assert cluster.names(LEASES, namespace) == set()


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
    assert cluster.names(LEASES, namespace) == set()
    run(cluster, namespace)


def test_nothing_to_write_needs_no_lock(cluster: Cluster, namespace: str) -> None:
    wanted, of = [config_map("a", namespace, at="once")], ObjectSet("shop", namespace)
    engine = Engine(cluster.kubeconfig)
    engine.run(wanted, object_set=of)
    hold(cluster, namespace, "elsewhere/1/1")
    assert not engine.run(wanted, object_set=of).changed
    assert engine.run([config_map("a", namespace, at="other")], object_set=of, check=True).changed
