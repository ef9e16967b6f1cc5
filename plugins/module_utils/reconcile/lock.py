# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of a set: a Lease that names its holder and expires, held only while a plan is carried out.

A holder's name is that of one run and of no other. So when the answer to a
write is lost, the Lease itself says whether it is ours.
"""

from __future__ import annotations

import functools
import hashlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

from ..kube.client import Object
from ..kube.errors import IN_DOUBT, Failure, Forbidden, Interrupted, NotFound
from ..kube.resources import KUBERNETES
from .run import Run

LEASE = KUBERNETES["coordination.k8s.io/v1", "Lease"]
_SECONDS = 60
_RENEW_AFTER = 20.0
# Who cannot renew stops writing while a last write still has time to end before the lease does.
_STOP_AFTER = 40.0
_LOOK_EVERY = 5.0
_PAUSE = 1.0
_MOMENT = 0.1
_PATIENCE = 5.0
_TRIES = 3
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"
_SERVER_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# After these only the Lease itself tells whether a write of it took effect, and who was faster if it did not.
_IN_DOUBT = (*IN_DOUBT, NotFound)


class Locked(Failure):
    """Somebody else is changing the set."""

    code = "locked"


@functools.cache
def _space() -> str:
    """Among whom the number of a process says who it is: one boot of a machine, and one PID namespace of it.

    Machines and containers may bear one name. Nothing where the system does not tell, which only Linux does.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8")
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(f"{boot}{namespace}".encode()).hexdigest()[:12]


def _this_run() -> str:
    return f"{socket.gethostname()}/{os.getpid()}/{_space()}-{uuid.uuid4().hex[:8]}"


@dataclass
class Lock:
    """The lock of one run, while it is held. `run` is how to work under it: before every write it is renewed if due."""

    run: Run
    name: str
    namespace: str
    manager: str
    holder: str = field(default_factory=_this_run)
    lease: Object | None = None
    doubt: Failure | None = None
    renewed: float = 0.0
    busy: threading.Lock = field(default_factory=threading.Lock)
    over: threading.Event = field(default_factory=threading.Event)

    def acquire(self) -> None:
        """A holder that is gone loses the lock; a living one is waited for a little. Raises Locked."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            self.run.before_write()
            found = self._read()
            is_free = found is None or self._is_ours(found) or self._is_over(found)
            if is_free and self._write(found):
                return
            if time.monotonic() > deadline:
                raise self.doubt if is_free and self.doubt else _held(self.name, found)
            self._pause(None if is_free else found)

    def _is_over(self, found: Object) -> bool:
        """Whether the holder has ended, or has not renewed for as long as it said."""
        spec = found.get("spec") or {}
        if not spec.get("holderIdentity") or not spec.get("renewTime") or _is_dead(str(spec["holderIdentity"])):
            return True
        return self._age(found) > (spec.get("leaseDurationSeconds") or _SECONDS)

    def _age(self, found: Object) -> float:
        """Seconds since a Lease was written. Only the server is asked: clocks of two machines may be minutes apart."""
        client, wanted = self.run.client, self._wanted(found)
        try:
            now = client.replace(LEASE, wanted, self.manager, dry_run=True)
        except _IN_DOUBT:
            return 0.0  # somebody has just written it
        return (_written(now) - _written(found)).total_seconds()

    def _pause(self, held: Object | None) -> None:
        if held is None:
            time.sleep(_MOMENT)
            return
        self.run.progress(f"{self.run.client.name}: waiting for the set '{self.name}': {_holder(held)} is changing it")
        time.sleep(_PAUSE)

    def guard(self) -> None:
        """Raises where nothing may be written any more: the playbook has gone, or the lock is somebody else's."""
        self.run.before_write()
        self.renew()

    def renew(self) -> None:
        """Prolong the lease when a third of its time is over. Raises Locked when it is not ours any more."""
        with self.busy:
            if time.monotonic() - self.renewed < _RENEW_AFTER:
                return
            try:
                self._prolong()
            except _IN_DOUBT:
                if time.monotonic() - self.renewed > _STOP_AFTER:
                    raise

    def _prolong(self) -> None:
        for _attempt in range(_TRIES):
            if not self._is_ours(self.lease):
                raise _lost(self.name, self.lease)
            if self._write(self.lease):
                return
        raise self.doubt or _lost(self.name, self.lease)

    def keep(self) -> None:
        """Renew until all is over, also while a single request takes its time or a plan is verified."""
        while not self.over.wait(_LOOK_EVERY):
            try:
                self.guard()
            except (Interrupted, Locked):
                return  # whoever writes next hears of it
            except Failure:
                continue

    def release(self) -> None:
        """Take the Lease away if it is ours. What cannot be taken away expires by itself."""
        if self.lease is None and self.doubt is None:
            return
        for _attempt in range(_TRIES):
            try:
                self._delete()
                return
            except Forbidden as error:  # whoever comes next has to wait until it has expired
                self.run.client.warnings.append(str(error))
                return
            except Failure:  # the error of the work must not be hidden by this one
                self.lease = None

    def _delete(self) -> None:
        found = self.lease or self._read()
        if found is None or not self._is_ours(found):
            return
        seen = found["metadata"]
        client, version = self.run.client, seen["resourceVersion"]
        client.delete(LEASE, self.name, self.namespace, uid=seen["uid"], version=version, dry_run=False)

    def _write(self, found: Object | None) -> bool:
        """Whether the Lease is in our name now, and until when we said."""
        client, wanted, begin = self.run.client, self._wanted(found), time.monotonic()
        try:
            if found is None:
                self.lease = client.create(LEASE, wanted, self.manager)
            else:
                self.lease = client.replace(LEASE, wanted, self.manager, dry_run=False)
        except _IN_DOUBT as error:
            self.doubt = error
            self.lease = self._read()
            if self.lease is None or _claim(self.lease) != _claim(wanted):
                return False
        self.renewed = begin
        return True

    def _wanted(self, found: Object | None) -> Object:
        now = datetime.now(timezone.utc).strftime(_FORMAT)
        spec = {"holderIdentity": self.holder, "leaseDurationSeconds": _SECONDS, "acquireTime": now, "renewTime": now}
        if found and self._is_ours(found):
            spec["acquireTime"] = found["spec"].get("acquireTime") or now
        metadata = found["metadata"] if found else {"name": self.name, "namespace": self.namespace}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}

    def _read(self) -> Object | None:
        return self.run.client.get(LEASE, self.name, self.namespace)

    def _is_ours(self, found: Object | None) -> bool:
        return _holder(found) == self.holder


@contextmanager
def locked(run: Run, name: str, namespace: str, manager: str) -> Iterator[Lock]:
    """Hold the lock. Raises Locked."""
    lock = Lock(run, name, namespace, manager)
    keeper = threading.Thread(target=lock.keep, daemon=True)
    try:
        lock.acquire()
        keeper.start()
        yield lock
    finally:
        lock.over.set()
        if keeper.ident:
            keeper.join()
        lock.release()


def guarded(lock: Lock) -> Run:
    """The run as it may write while it holds the lock."""
    return replace(lock.run, before_write=lock.guard)


def _held(name: str, found: Object | None) -> Locked:
    return Locked(
        f"The set '{name}' is being changed by somebody else",
        subject=f"Lease {name}",
        reason=f"{_holder(found) or 'somebody'} holds its lock (host/process/run)",
        hint=f"Run the task again when that run has ended; a run that was killed loses the lock after {_SECONDS} s",
    )


def _lost(name: str, found: Object | None) -> Locked:
    holder = f"{_holder(found) or 'nobody'} holds it now (host/process/run)"
    return Locked(
        f"The lock of the set '{name}' was lost while the set was being changed",
        subject=f"Lease {name}",
        reason=holder if found else "its Lease is not there any more",
        hint="Nothing more is written. Run the task again when nobody else changes the set: it goes on from here",
    )


def _claim(found: Object) -> tuple[str, str]:
    return _holder(found), str((found.get("spec") or {}).get("renewTime"))


def _holder(found: Object | None) -> str:
    return str(((found or {}).get("spec") or {}).get("holderIdentity") or "")


def _written(found: Object) -> datetime:
    """When, by the server's clock."""
    metadata = found["metadata"]
    times = [str(entry["time"]) for entry in metadata.get("managedFields") or () if entry.get("time")]
    return datetime.strptime(max([*times, metadata["creationTimestamp"]]), _SERVER_FORMAT)


def _is_dead(holder: str) -> bool:
    """Whether the holder was a process that this one would see if it had not ended."""
    process, _slash, run = holder.partition("/")[2].partition("/")
    if not _space() or run.partition("-")[0] != _space() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _is_zombie(process)


def _is_zombie(process: str) -> bool:
    """A killed process that nobody has reaped; only Linux tells."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
