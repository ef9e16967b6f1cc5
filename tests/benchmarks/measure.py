"""One whole process, measured from outside: how long, how much work, how much memory, what it asked the API server.

Memory is sampled only in runs that are made for it, because looking costs time. What the server was asked stands in its
audit log. A run counts only if it did what it was started for; a fast failure is no result.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rows import Row
from integration.support.audit import Audit

LONGEST = 1800.0
SAMPLED_EVERY = 0.02
TAIL = 15


class DidNotRunError(Exception):
    """A process failed, or did something else than what was to be measured."""


@dataclass(frozen=True)
class Command:
    """What is started, and what proves that it did its work: exit code, a text that it says so often, writes."""

    row: Row
    argv: tuple[str, ...]
    agent: str
    exit_code: int = 0
    says: tuple[str, int] | None = None
    least_writes: int = 0
    sampled: bool = False


@dataclass(frozen=True)
class Sample:
    """What one run cost, itself and the server. `megabytes` is the peak of its processes' memory, where sampled."""

    seconds: float
    cpu_seconds: float
    server_seconds: float
    requests: int
    writes: int
    megabytes: float | None = None


@dataclass(frozen=True)
class Laboratory:
    """Where commands run: all in the same folder, with the same environment, against the same API server."""

    folder: Path
    environment: Mapping[str, str]
    audit: Audit

    def measure(self, command: Command) -> Sample:
        """Raises DidNotRunError."""
        mark, cpu, served = self.audit.mark(), _children_cpu(), cpu_of_those_in(self.audit.path.parent)
        log = self.folder / "output.log"
        since = time.monotonic()
        with log.open("wb") as output:
            process = subprocess.Popen(
                command.argv,
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
            with _ending(process), _peak(process.pid if command.sampled else 0) as peak:
                code = _wait(process, command)
                seconds = time.monotonic() - since
        server = cpu_of_those_in(self.audit.path.parent) - served
        requests = sum(1 for _ in self.audit.requests(mark, command.agent))
        writes = len(self.audit.persisted(mark, command.agent))
        check(command, code, log.read_text(encoding="utf-8", errors="replace"), writes)
        megabytes = peak[0] / 2**20 if command.sampled else None
        return Sample(seconds, _children_cpu() - cpu, server, requests, writes, megabytes)


def _wait(process: subprocess.Popen[bytes], command: Command) -> int:
    """Python's own wait with a time limit looks every 50 ms, which is much of a short run; here a timer ends it."""
    expired = threading.Event()

    def end() -> None:
        expired.set()
        process.kill()

    timer = threading.Timer(LONGEST, end)
    timer.start()
    try:
        code = process.wait()
    finally:
        timer.cancel()
    if expired.is_set():
        raise DidNotRunError(f"{command.row}: not done after {LONGEST:.0f} s")
    return code


def check(command: Command, code: int, output: str, writes: int) -> None:
    """Raises DidNotRunError unless the command did its work."""
    trouble = []
    if code != command.exit_code:
        trouble.append(f"exit code {code} instead of {command.exit_code}")
    if command.says and output.count(command.says[0]) != command.says[1]:
        said = output.count(command.says[0])
        trouble.append(f"says {command.says[0]!r} {said} times instead of {command.says[1]}")
    if writes < command.least_writes:
        trouble.append(f"{writes} writes instead of at least {command.least_writes}")
    if trouble:
        end = "\n".join(f"    {line[:300]}" for line in output.splitlines()[-TAIL:])
        raise DidNotRunError(f"{command.row}: {'; '.join(trouble)}. Its output ends with\n{end}")


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def cpu_of_those_in(folder: Path) -> float:
    """Seconds that processes in a folder have worked: etcd, API server and its controllers have one of their own."""
    spent = (_ticks(entry.name) for entry in os.scandir("/proc") if entry.name.isdigit() and _is_in(entry.name, folder))
    return sum(spent) / os.sysconf("SC_CLK_TCK")


def _is_in(pid: str, folder: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").samefile(folder)
    except OSError:
        return False


def _ticks(pid: str) -> int:
    """Of itself, in user mode and in the kernel's: the words 12 and 13 after the command's name."""
    return sum(map(int, _status(pid)[11:13]))


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Whatever happens, nothing of the process group is left to disturb the next measurement."""
    try:
        yield
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


@contextmanager
def _peak(pid: int) -> Iterator[list[int]]:
    """While the block runs, keep the highest memory of a process and its descendants; process 0 is not looked at."""
    highest, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(SAMPLED_EVERY):
            highest[0] = max(highest[0], sum(map(proportional_bytes, family(pid))))

    watcher = threading.Thread(target=look, daemon=True)
    if pid:
        watcher.start()
    try:
        yield highest
    finally:
        done.set()
        if pid:
            watcher.join()


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            children.setdefault(_parent(entry.name), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, []))
    return found


def _parent(pid: str) -> int:
    """The parent's process id; 0 when the process has just ended."""
    status = _status(pid)
    return int(status[1]) if status else 0


def _status(pid: str) -> list[str]:
    """The words of /proc/PID/stat from the state on: the command's name before may hold spaces and brackets."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return status.rpartition(")")[2].split()


def proportional_bytes(pid: int) -> int:
    """Memory of a process, shared pages counted in parts; nothing when it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
