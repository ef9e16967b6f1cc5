# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for an object, by watching it.

A judge looks at the object and says: ready, hopeless, or not yet and in which
state. There is one deadline, a hopeless state stops the wait at once, and the
error of a wait carries the last state seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .client import Client, Object, described, remaining
from .errors import ApiError, Failure, Forbidden, Unauthorized, UnknownKind
from .resources import Resource

_WATCH_SECONDS = 30.0
_PAUSE_AFTER_ERROR = 0.5


@dataclass(frozen=True)
class Verdict:
    """What a judge says of an object."""

    ready: bool = False
    hopeless: bool = False
    state: str = ""


Judge = Callable[["Object | None"], Verdict]
Progress = Callable[[str], None]


class NotReady(Failure):
    """A wait that ended without what it waited for."""

    code = "not_ready"


@dataclass
class Wait:
    """One deadline for everything that a task waits for."""

    client: Client
    deadline: float
    seconds: float
    progress: Progress

    @classmethod
    def within(cls, client: Client, seconds: float, progress: Progress) -> Wait:
        return cls(client, time.monotonic() + seconds, seconds, progress)

    def until(self, resource: Resource, name: str, namespace: str | None, judge: Judge) -> Object | None:
        """The object, once the judge calls it ready. Raises NotReady."""
        subject, last = described(resource, name, namespace), ""
        while True:
            found, verdict = self._look(resource, name, namespace, judge)
            if verdict.state != last and not verdict.ready:
                last = verdict.state
                self.progress(f"{self.client.name}: {subject}: {last}")
            if verdict.ready:
                return found
            if verdict.hopeless or not remaining(self.deadline):
                raise self._not_ready(subject, verdict)
            self._next_change(resource, name, namespace, found)

    def _look(
        self, resource: Resource, name: str, namespace: str | None, judge: Judge
    ) -> tuple[Object | None, Verdict]:
        try:
            found = self.client.get(resource, name, namespace)
        except (Unauthorized, Forbidden, UnknownKind):
            raise
        except ApiError as error:  # the API server may be away for a moment; the deadline decides
            self._pause()
            return None, Verdict(state=error.reason)
        return found, judge(found)

    def _next_change(self, resource: Resource, name: str, namespace: str | None, found: Object | None) -> None:
        """Return at the object's next event, or when it is time to look again anyway."""
        since = found["metadata"]["resourceVersion"] if found else ""
        seconds = min(_WATCH_SECONDS, remaining(self.deadline))
        if seconds <= 0:
            return
        try:
            events = self.client.watch(
                resource, namespace, fields=f"metadata.name={name}", since=since, seconds=seconds
            )
            next((event for event in events if event[0] != "BOOKMARK"), None)
        except (Unauthorized, Forbidden):
            raise
        except ApiError:
            self._pause()

    def _pause(self) -> None:
        time.sleep(min(_PAUSE_AFTER_ERROR, remaining(self.deadline)))

    def _not_ready(self, subject: str, verdict: Verdict) -> NotReady:
        why = verdict.state
        if verdict.hopeless:
            return NotReady(f"{subject} on {self.client.name} cannot become ready", subject=subject, reason=why)
        return NotReady(
            f"{subject} on {self.client.name} is not ready after {self.seconds:g} s",
            subject=subject,
            reason=why,
            hint="Look at the object and its Pods, then run the task again: it goes on from here. "
            "'wait_timeout' sets the time",
        )


def condition(found: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """A condition of a status, or an empty mapping."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return next((entry for entry in conditions if entry.get("type") == kind), {})


def crd_established(found: Object | None) -> Verdict:
    if found is None:
        return Verdict(state="it does not exist")
    refused = condition(found, "NamesAccepted")
    if refused.get("status") == "False":
        return Verdict(hopeless=True, state=str(refused.get("message")))
    return Verdict(ready=condition(found, "Established").get("status") == "True", state="waiting to be established")


def deployment_available(found: Object | None) -> Verdict:
    """Every replica of the current generation is there and available."""
    if found is None:
        return Verdict(state="it does not exist")
    status, wanted = found.get("status") or {}, found["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return Verdict(state="its controller has not seen the change yet")
    progressing = condition(found, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Verdict(hopeless=True, state=str(progressing.get("message")))
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    ready = updated >= wanted and available >= wanted and status.get("replicas", 0) == updated
    return Verdict(ready=ready, state=f"{available} of {wanted} replicas available, {updated} updated")


def daemon_set_rolled_out(found: Object | None) -> Verdict:
    """Every node that shall have a Pod has one of the current generation; there may be no such node."""
    if found is None:
        return Verdict(state="it does not exist")
    status = found.get("status") or {}
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return Verdict(state="its controller has not seen the change yet")
    wanted = status.get("desiredNumberScheduled", 0)
    updated, available = status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0)
    ready = updated >= wanted and available >= wanted
    return Verdict(ready=ready, state=f"{available} of {wanted} nodes available, {updated} updated")
