"""Rollouts cut off at random moments, the plan for a large mesh, a whole mesh that moves: too long for every commit.

`kills` playbooks are killed one after the other. Then a mesh of `namespaces` is made, with five workloads and fifteen
Pods in each, and its plan is measured beside what it takes to list the same objects. With `whole=1`, the mesh of
rollouts/test_rollout.py moves under traffic, for which root raises a limit of the kernel, and sets it back.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from integration.conftest import charts_of
from integration.support import bed
from integration.support.bed import Cluster
from integration.support.campaign import run_pytest
from integration.support.playbook import Runner
from integration.support.rest import Rest
from integration.support.rollouts import Mesh, install, killed

FOLDER = Path(__file__).resolve().parent / "rollouts"
_WATCHERS, _ENOUGH = Path("/proc/sys/fs/inotify/max_user_instances"), 1024
WORKLOADS, PODS = 5, 3
MOST_REQUESTS, MOST_SECONDS, MOST_MEGABYTES = 60, 3.0, 400
# A process of its own, so that its memory is its own. It tells seconds, requests and how many are planned.
_PLAN = """\
import json, sys, time
from integration.support.operations import Operations
begin = time.monotonic()
result = Operations({"kubeconfig": sys.argv[1]}).run("sidecar_rollout", {"namespace": "rollouts"}, check=True)
seconds = time.monotonic() - begin
memory = [line for line in open("/proc/self/smaps_rollup") if line.startswith("Pss:")]
requests = sum(result["requests"].values())
print(json.dumps({"seconds": seconds, "requests": requests, "planned": len(result["plan"]), "memory": memory}))
"""
_LISTS = """\
import sys, time
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import DEPLOYMENT, NAMESPACE, POD
begin = time.monotonic()
client = Client(connect(ConnectionOptions(kubeconfig=sys.argv[1])))
for resource in (NAMESPACE, DEPLOYMENT, POD):
    for _one in client.list_objects(resource):
        pass
print(time.monotonic() - begin)
"""


def campaign(kills: int = 20, seed: int = 1, namespaces: int = 1000, whole: int = 1) -> list[str]:
    """What was wrong after a kill, which bar the plan does not meet, and whether the mesh has moved."""
    return [*_without_nodes(kills, seed, namespaces), *(_whole() if whole else ())]


def _whole() -> list[str]:
    with _enough_watchers():
        return run_pytest(FOLDER)


@contextmanager
def _enough_watchers() -> Iterator[None]:
    """A hundred proxies of one user watch more files than a kernel allows; it allows more meanwhile."""
    before = _WATCHERS.read_text(encoding="ascii")
    _WATCHERS.write_text(str(max(int(before), _ENOUGH)), encoding="ascii")
    try:
        yield
    finally:
        _WATCHERS.write_text(before, encoding="ascii")


def _without_nodes(kills: int, seed: int, namespaces: int) -> list[str]:
    if not kills and not namespaces:
        return []
    with tempfile.TemporaryDirectory() as folder, bed.own_cluster("api", Path(folder)) as cluster:
        root = install(cluster, charts_of(bed.ISTIO))
        runner = Runner(Path(folder), {"kubeconfig": cluster.kubeconfig})
        chance = random.Random(seed)
        wrong = [line for number in range(kills) for line in _kill(cluster, root, runner, chance, number)]
        return [*wrong, *(_scale(cluster, namespaces) if namespaces else ())]


def _kill(cluster: Cluster, root: str, runner: Runner, chance: random.Random, number: int) -> list[str]:
    wrong = killed(Mesh.made(cluster, root), runner, chance)
    print(f"kill {number + 1}: {'; '.join(wrong) or 'the next run has finished it, nobody has restarted twice'}")
    return wrong


def _scale(cluster: Cluster, namespaces: int) -> list[str]:
    begin = time.monotonic()
    rest = cluster.rest
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: _fill(rest, f"large-{number}"), range(namespaces)))
        list(pool.map(lambda number: _label(rest, f"large-{number}"), range(namespaces)))
    print(f"{namespaces} namespaces are there after {time.monotonic() - begin:.0f} s")
    lists = min(float(_run(_LISTS, cluster)) for _look in range(3))
    found = min((json.loads(_run(_PLAN, cluster)) for _look in range(3)), key=lambda one: float(one["seconds"]))
    return _judged(found, lists, namespaces)


def _judged(found: dict[str, Any], lists: float, namespaces: int) -> list[str]:
    megabytes = int(found["memory"][0].split()[1]) / 1024
    beyond = float(found["seconds"]) - lists
    print(f"{found['planned']} of {namespaces * WORKLOADS} workloads are planned: {found['requests']} requests, ")
    print(f"{found['seconds']:.1f} s, of which {lists:.1f} s are for the lists; {megabytes:.0f} MB")
    bars = (
        (int(found["planned"]) >= namespaces * WORKLOADS, "not every workload is planned"),
        (int(found["requests"]) <= MOST_REQUESTS, f"{found['requests']} requests, {MOST_REQUESTS} are allowed"),
        (beyond <= MOST_SECONDS, f"{beyond:.1f} s beyond its lists, {MOST_SECONDS} are allowed"),
        (megabytes <= MOST_MEGABYTES, f"{megabytes:.0f} MB, {MOST_MEGABYTES} are allowed"),
    )
    return [text for met, text in bars if not met]


def _run(program: str, cluster: Cluster) -> str:
    argv = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{program}", cluster.kubeconfig]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def _fill(rest: Rest, space: str) -> None:
    """Workloads whose Pods have a proxy of the old revision; who owns a Pod is said, and nobody looks."""
    rest.create("/api/v1/namespaces", {"metadata": {"name": space}})
    rest.create(f"/api/v1/namespaces/{space}/serviceaccounts", {"metadata": {"name": "default"}}, quietly=True)
    for number in range(WORKLOADS):
        name = f"app-{number}"
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
        spec = {"replicas": PODS, "selector": {"matchLabels": labels}, "template": template}
        rest.create(f"/apis/apps/v1/namespaces/{space}/deployments", {"metadata": {"name": name}, "spec": spec})
        behind = {"metadata": {"name": f"{name}-77f6"}, "spec": {"selector": spec["selector"], "template": template}}
        uid = rest.create(f"/apis/apps/v1/namespaces/{space}/replicasets", behind)["metadata"]["uid"]
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-77f6", "uid": uid}
        for pod in range(PODS):
            rest.create(f"/api/v1/namespaces/{space}/pods", _pod(f"{name}-77f6-{pod}", labels, owner))


def _pod(name: str, labels: dict[str, str], owner: dict[str, str]) -> dict[str, Any]:
    marks = {"labels": {**labels, "pod-template-hash": "77f6"}, "ownerReferences": [owner]}
    annotations = {"istio.io/rev": "r1", "sidecar.istio.io/status": "{}"}
    proxy = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.29.1"}
    containers = [{"name": "app", "image": "app:1"}, proxy]
    return {"metadata": {"name": name, **marks, "annotations": annotations}, "spec": {"containers": containers}}


def _label(rest: Rest, space: str) -> None:
    rest.patch(f"/api/v1/namespaces/{space}", {"metadata": {"labels": {"istio.io/rev": "r2"}}})
