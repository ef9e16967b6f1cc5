"""Starting and ending the bed's processes.

A process belongs to the bed when its *environment* says so: the mark is there from its first instruction, its children
inherit it (containerd's shims too), and it cannot be lost with a file or confused with a recycled process id. Signals
go through a pidfd that was opened before the mark was read, so that they can only reach what was looked at.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import host
from .errors import BedError, tail

MARK = "SERVICE_MESH_ISTIO_BED"
PATIENCE = 10.0
Argv = list[str | Path]


@dataclass(frozen=True)
class Child:
    """A component that this command has started and may still look after."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check(self) -> None:
        code = self.process.poll()
        if code is not None:
            raise BedError(
                f"{self.name} ended with {code} right after its start; the end of {self.log}:\n{tail(self.log)}"
            )


def start(
    name: str,
    argv: Sequence[str | Path],
    *,
    mark: str,
    log: Path,
    folder: Path,
    pass_fds: Sequence[int] = (),
) -> Child:
    """Starts a component in a session of its own, without the caller's environment: a proxy, say, is not for it."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            list(map(str, argv)),
            cwd=folder,
            env={"PATH": host.search_path(), MARK: f"{mark}/{name}"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
        )
    return Child(name, process, log)


def marked(mark: str) -> Iterator[tuple[int, str]]:
    """Process ids of this mark (or below it) with their whole mark."""
    for entry in os.scandir("/proc"):
        found = mark_of(int(entry.name)) if entry.name.isdigit() else None
        if found and below(found, mark):
            yield int(entry.name), found


def below(found: str, mark: str) -> bool:
    return found == mark or found.startswith(f"{mark}/")


def mark_of(pid: int) -> str | None:
    """The mark in a process' environment; None without one, and for processes of others, who keep theirs private."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    prefix = f"{MARK}=".encode()
    return next((item[len(prefix) :].decode() for item in environment.split(b"\0") if item.startswith(prefix)), None)


def components(mark: str) -> list[str]:
    """Names of the components that run under a mark."""
    return sorted({found.removeprefix(f"{mark}/") for _, found in marked(mark)})


@contextmanager
def grip(pid: int) -> Iterator[int | None]:
    """A pidfd; None when the process is gone."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        yield None
        return
    try:
        yield handle
    finally:
        os.close(handle)


def kill(pids: Callable[[], Iterable[int]], belongs: Callable[[int], bool]) -> None:
    """Kills until none is left: a process may have forked while the others were being killed."""
    deadline = time.monotonic() + PATIENCE
    while found := list(pids()):
        if time.monotonic() > deadline:
            raise BedError(
                f"processes do not die; look at them: ps -o pid,stat,wchan,args -p {','.join(map(str, found))}"
            )
        for pid in found:
            kill_one(pid, belongs)


def kill_one(pid: int, belongs: Callable[[int], bool]) -> None:
    """SIGKILL, because the data is thrown away anyway and a polite API server takes ten seconds; waits for the end."""
    with grip(pid) as handle:
        if handle is None or not belongs(pid):
            return
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        select.select([handle], [], [], PATIENCE)
    reap(pid)


def reap(pid: int) -> None:
    """Takes the exit status when the process was our own child, so that no zombie keeps its id."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def kill_marked(mark: str) -> None:
    """Ends everything under a mark."""

    def ours(pid: int) -> bool:
        found = mark_of(pid)
        return found is not None and below(found, mark)

    kill(lambda: [pid for pid, _ in marked(mark)], ours)


def wait_until(ready: Callable[[], bool], what: str, seconds: float, children: Sequence[Child] = ()) -> None:
    """Asks often until the answer is yes; stops early when one of the processes that must bring it about has ended."""
    deadline = time.monotonic() + seconds
    while True:
        for child in children:
            child.check()
        if ready():
            return
        if time.monotonic() > deadline:
            logs = "\n".join(f"  {child.log}:\n{tail(child.log, 8)}" for child in children)
            raise BedError(f"{what}: not after {seconds:.0f} s; the logs end with\n{logs}")
        time.sleep(0.05)
