# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock of a set: a Lease that names its holder and expires, held only while a plan is carried out."""

from __future__ import annotations

import os
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ..kube.client import Client, Object
from ..kube.errors import Conflict, Failure, Forbidden
from ..kube.resources import KUBERNETES
from .run import Run

LEASE = KUBERNETES["coordination.k8s.io/v1", "Lease"]
_SECONDS = 60
_RENEW_AFTER = 20.0
_PAUSE = 1.0
_PATIENCE = 5.0
_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


class Locked(Failure):
    """Somebody else is changing the set."""

    code = "locked"


@dataclass
class Lock:
    """A held lock; `renew` keeps it for as long as writing takes."""

    client: Client
    lease: Object
    manager: str
    renewed: float = field(default_factory=time.monotonic)

    def renew(self) -> None:
        """Prolong the lease when a third of its time is over. Raises Locked when somebody has taken it."""
        if time.monotonic() - self.renewed < _RENEW_AFTER:
            return
        spec = _spec(self.lease["spec"]["holderIdentity"])
        self.lease = _put(self.client, {**self.lease, "spec": spec}, self.manager)
        self.renewed = time.monotonic()


@contextmanager
def locked(run: Run, name: str, namespace: str, manager: str) -> Iterator[Lock]:
    """Hold the lock. A holder that is gone loses it; a living one is waited for a little. Raises Locked."""
    lock = Lock(run.client, _acquire(run, name, namespace, manager), manager)
    try:
        yield lock
    finally:
        _release(run.client, lock.lease)


def _acquire(run: Run, name: str, namespace: str, manager: str) -> Object:
    holder = f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
    deadline = time.monotonic() + _PATIENCE
    while True:
        run.before_write()
        found = run.client.get(LEASE, name, namespace)
        try:
            if found is None:
                return run.client.create(LEASE, _lease(name, namespace, holder), manager)
            if _is_free(found):
                return _put(run.client, {**found, "spec": _spec(holder)}, manager)
        except Conflict:
            found = run.client.get(LEASE, name, namespace) or found
        if time.monotonic() > deadline:
            raise _held(name, found)
        run.progress(f"{run.client.name}: waiting for the set '{name}': {_holder(found)} is changing it")
        time.sleep(_PAUSE)


def _held(name: str, found: Object | None) -> Locked:
    return Locked(
        f"The set '{name}' is being changed by somebody else",
        subject=f"Lease {name}",
        reason=f"{_holder(found)} holds its lock (host/process/run)",
        hint=f"Run the task again when that run has ended; a run that was killed loses the lock after {_SECONDS} s",
    )


def _release(client: Client, lease: Object) -> None:
    metadata = lease["metadata"]
    try:
        client.delete(LEASE, metadata["name"], metadata["namespace"], uid=metadata["uid"], dry_run=False)
    except Forbidden as error:  # it expires by itself, but whoever comes next has to wait for that
        client.warnings.append(str(error))
    except Failure:
        return  # it expires by itself, and the error of the work must not be hidden by this one


def _put(client: Client, lease: Object, manager: str) -> Object:
    return client.replace(LEASE, {**lease, "apiVersion": LEASE.api_version, "kind": LEASE.kind}, manager, dry_run=False)


def _lease(name: str, namespace: str, holder: str) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": _spec(holder)}


def _spec(holder: str) -> Object:
    now = datetime.now(timezone.utc).strftime(_FORMAT)
    return {"holderIdentity": holder, "leaseDurationSeconds": _SECONDS, "acquireTime": now, "renewTime": now}


def _holder(found: Object | None) -> str:
    return str(((found or {}).get("spec") or {}).get("holderIdentity") or "somebody")


def _is_free(found: Object) -> bool:
    spec = found.get("spec") or {}
    if not spec.get("holderIdentity") or not spec.get("renewTime"):
        return True
    renewed = datetime.strptime(spec["renewTime"], _FORMAT).replace(tzinfo=timezone.utc)
    expired = datetime.now(timezone.utc) > renewed + timedelta(seconds=spec.get("leaseDurationSeconds") or _SECONDS)
    return expired or _is_dead(str(spec["holderIdentity"]))


def _is_dead(holder: str) -> bool:
    """Whether the holder was a process of this host that has ended."""
    host, _slash, rest = holder.partition("/")
    process = rest.partition("/")[0]
    if host != socket.gethostname() or not process.isdigit():
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
