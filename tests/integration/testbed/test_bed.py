"""A second bed beside the developer's own: comes up, survives being killed, and leaves nothing on the machine.

It is the bed of a copy of the checkout, which is also how two checkouts are told apart.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "testbed"
MARK = b"SERVICE_MESH_ISTIO_BED="
# Settings of the machine that a kubelet changes, and places outside its cache where a node's programs write.
SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys")
HOST_FOLDERS = ("/run/netns", "/run/containerd", "/var/lib/cni", "/var/lib/kubelet", "/var/log/pods", "/opt/containerd")


@dataclass(frozen=True)
class Checkout:
    """A checkout's bed, driven by its command."""

    root: Path

    def bed(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        argv = [str(self.root / "tests" / "testbed" / "bed"), *arguments]
        return subprocess.run(argv, env={**os.environ, **(env or {})}, capture_output=True, text=True, check=False)

    def do(self, *arguments: str) -> str:
        result = self.bed(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.do("status", "--json"))
        return found

    def kubectl(self, kubeconfig: str, *arguments: str) -> str:
        argv = [self.status()["bin"] + "/kubectl", "--kubeconfig", kubeconfig, *arguments]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    shutil.copytree(SOURCE, tmp_path / "tests" / "testbed", ignore=shutil.ignore_patterns("__pycache__"))
    copy = Checkout(tmp_path)
    yield copy
    run = Path(copy.status()["bin"]).parent
    copy.do("down")
    shutil.rmtree(run, ignore_errors=True)
    run.with_name(f"{run.name}.lock").unlink(missing_ok=True)


def lanes() -> list[str]:
    """Lane cluster needs root; where there is none it is no promise."""
    return ["api", "cluster"] if os.geteuid() == 0 else ["api"]


def environments() -> Iterator[tuple[int, bytes]]:
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            yield int(path.parent.name), path.read_bytes()
        except OSError:
            continue


def processes(bed: str) -> list[int]:
    """By the bed's mark, and those of its containers by their control group."""
    marked = [pid for pid, content in environments() if MARK + bed.encode() in content]
    groups = [file.read_text().split() for file in Path("/sys/fs/cgroup").rglob("cgroup.procs") if bed in str(file)]
    return sorted({*marked, *(int(pid) for group in groups for pid in group)})


def network_namespaces(pids: Iterable[int]) -> set[str]:
    """Those of the processes that are not the host's own."""
    found = set()
    for pid in pids:
        try:
            found.add(os.readlink(f"/proc/{pid}/ns/net"))
        except OSError:
            continue
    return found - {os.readlink("/proc/self/ns/net")}


@dataclass(frozen=True)
class Traces:
    """What a bed could leave on a machine."""

    interfaces: frozenset[str]
    routes: str
    folders: frozenset[str]
    settings: tuple[str, ...]


def traces() -> Traces:
    interfaces = frozenset(path.name for path in Path("/sys/class/net").iterdir())
    folders = frozenset(name for name in HOST_FOLDERS if Path(name).exists())
    settings = tuple(Path("/proc/sys", name).read_text() for name in SETTINGS)
    return Traces(interfaces, Path("/proc/net/route").read_text(), folders, settings)


def leftovers(bed: str) -> list[str]:
    """Processes, mounts and control groups that carry the bed's name."""
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if bed in line]
    groups = [str(path) for path in Path("/sys/fs/cgroup").rglob(f"*{bed}*")]
    return [*map(str, processes(bed)), *mounts, *groups]


@pytest.mark.parametrize("lane", lanes())
def test_killed_bed_comes_up_again_and_down_leaves_nothing(checkout: Checkout, lane: str) -> None:
    before = traces()
    name = checkout.status()["id"]
    checkout.do("up", "--lane", lane)
    assert traces() == before, "the host's own network and folders stay as they were"
    killed = kill_everything(name)
    assert len(killed) >= 3
    assert not checkout.status()["lanes"][lane]["up"]

    checkout.do("up", "--lane", lane)
    (cluster,) = checkout.status()["lanes"][lane]["clusters"].values()
    assert not cluster["missing"]
    assert "default" in checkout.kubectl(cluster["kubeconfig"], "get", "namespaces", "-o", "name")
    namespaces = network_namespaces(processes(name))
    assert bool(namespaces) == (lane == "cluster")

    checkout.do("down")
    assert leftovers(name) == []
    assert traces() == before
    assert not namespaces & network_namespaces(pid for pid, _ in environments())
    assert not Path(cluster["logs"]).parent.exists()


def kill_everything(name: str) -> list[int]:
    found = processes(name)
    for pid in found:
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while alive := [pid for pid in found if Path(f"/proc/{pid}/environ").exists() and pid in processes(name)]:
        assert time.monotonic() < deadline, f"{alive} do not die"
        time.sleep(0.1)
    return found


def test_up_again_starts_nothing_and_reset_starts_afresh(checkout: Checkout) -> None:
    checkout.do("up")
    (cluster,) = checkout.status()["lanes"]["api"]["clusters"].values()
    before = processes(checkout.status()["id"])
    checkout.kubectl(cluster["kubeconfig"], "create", "namespace", "gone-after-reset")
    checkout.do("up")
    assert processes(checkout.status()["id"]) == before
    checkout.do("reset")
    (cluster,) = checkout.status()["lanes"]["api"]["clusters"].values()
    assert "gone-after-reset" not in checkout.kubectl(cluster["kubeconfig"], "get", "namespaces", "-o", "name")


def test_audit_log_names_who_did_what(checkout: Checkout) -> None:
    checkout.do("up")
    (cluster,) = checkout.status()["lanes"]["api"]["clusters"].values()
    checkout.kubectl(cluster["kubeconfig"], "create", "configmap", "seen", "-n", "default")
    events = [json.loads(line) for line in Path(cluster["audit_log"]).read_text().splitlines()]
    (event,) = [item for item in events if item["verb"] == "create" and item["objectRef"].get("name") == "seen"]
    assert event["user"]["username"] == "admin"
    assert event["stage"] == "ResponseComplete"


def test_another_cluster_is_used_instead(checkout: Checkout) -> None:
    other = {"TESTBED_KUBECONFIG": "/nowhere/kubeconfig"}
    result = checkout.bed("up", env=other)
    assert result.returncode == 0
    assert "nothing is started" in result.stderr
    assert "export KUBECONFIG=/nowhere/kubeconfig" in checkout.bed("env", env=other).stdout
    assert json.loads(checkout.bed("status", "--json", env=other).stdout)["external"] is True
    assert processes(checkout.status()["id"]) == []
