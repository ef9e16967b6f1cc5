# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for an object, by watching it.

A judge looks at the object and says: ready, hopeless, or not yet and in which
state. There is one deadline, a hopeless state stops the wait at once, and the
error of a wait carries the last state seen. Who waits for a playbook that was
killed stops, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .client import Client, Object, described, remaining
from .errors import ApiError, Failure, Forbidden, Invalid, Unauthorized, UnknownKind, lacks_schema
from .resources import Resource

# Nobody waits longer than this without asking whether anybody still wants to know.
_WATCH_SECONDS = 10.0
_PAUSE_AFTER_ERROR = 0.5


@dataclass(frozen=True)
class Verdict:
    """What a judge says of an object."""

    ready: bool = False
    hopeless: bool = False
    state: str = ""


@dataclass(frozen=True)
class Events:
    """What to watch for the next change, and for how long at most."""

    resource: Resource
    namespace: str | None
    fields: str = ""
    labels: str = ""
    since: str = ""
    seconds: float = _WATCH_SECONDS


Judge = Callable[["Object | None"], Verdict]
# Looks behind an object that is not ready: what it says further, and where the next change will show, if elsewhere.
Insight = Callable[["Object | None", Verdict], "tuple[Verdict, Events | None]"]
Progress = Callable[[str], None]
# Raises when nobody wants what is waited for any more.
Guard = Callable[[], None]
Answer = TypeVar("Answer")


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
    guard: Guard

    @classmethod
    def within(cls, client: Client, seconds: float, progress: Progress, guard: Guard) -> Wait:
        return cls(client, time.monotonic() + seconds, seconds, progress, guard)

    def until(
        self, resource: Resource, name: str, namespace: str | None, judge: Judge, insight: Insight | None = None
    ) -> Object | None:
        """The object, once the judge calls it ready. Raises NotReady."""
        subject, last = described(resource, name, namespace), ""
        while True:
            self.guard()
            found, verdict, events = self._look(resource, name, namespace, judge, insight)
            if verdict.state != last and not verdict.ready:
                last = verdict.state
                self.progress(f"{self.client.name}: {subject}: {last}")
            if verdict.ready:
                return found
            if verdict.hopeless or not remaining(self.deadline):
                raise self._not_ready(subject, verdict)
            self._next_change(events or _own_events(resource, name, namespace, found))

    def until_served(self, resource: Resource) -> None:
        """Ask for a kind until it is served: a moment after its CRD is established, and no event tells when."""
        subject = f"{resource.kind} ({resource.api_version})"
        while not self.client.serves(resource):
            self.guard()
            if not remaining(self.deadline):
                raise NotReady(
                    f"{self.client.name} does not serve the kind {subject} after {self.seconds:g} s",
                    subject=subject,
                    reason="its CRD is established, but discovery does not name it yet",
                    hint="Look at the CRD and the log of the API server, then run the task again: it goes on from here",
                )
            self._pause()

    def until_taken_up(self, ask: Callable[[], Answer]) -> Answer:
        """Ask for what a CRD has just brought: for a moment the server judges by the schema of before."""
        while True:
            try:
                return ask()
            except Invalid as error:
                if not (lacks_schema(error) and remaining(self.deadline)):
                    raise
            self.guard()
            self._pause()

    def _look(
        self, resource: Resource, name: str, namespace: str | None, judge: Judge, insight: Insight | None
    ) -> tuple[Object | None, Verdict, Events | None]:
        try:
            found = self.client.get(resource, name, namespace)
            verdict = judge(found)
            further = insight(found, verdict) if insight and not verdict.ready else (verdict, None)
        except (Unauthorized, Forbidden, UnknownKind):
            raise
        except ApiError as error:  # the API server may be away for a moment; the deadline decides
            self._pause()
            return None, Verdict(state=error.reason), None
        return found, *further

    def _next_change(self, events: Events) -> None:
        """Return at the next event, or when it is time to look again anyway."""
        seconds = min(events.seconds, remaining(self.deadline))
        if seconds <= 0:
            return
        try:
            seen = self.client.watch(
                events.resource,
                events.namespace,
                fields=events.fields,
                labels=events.labels,
                since=events.since,
                seconds=seconds,
            )
            next((event for event in seen if event[0] != "BOOKMARK"), None)
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


def _own_events(resource: Resource, name: str, namespace: str | None, found: Object | None) -> Events:
    since = found["metadata"]["resourceVersion"] if found else ""
    return Events(resource, namespace, fields=f"metadata.name={name}", since=since)


def newest(found: Sequence[Object]) -> str:
    """The version after which nothing of these objects has been seen; nothing when there are none.

    resourceVersions of one server are numbers that grow (Kubernetes says so since 1.35, etcd has always done so).
    """
    return str(max(int(entry["metadata"]["resourceVersion"]) for entry in found)) if found else ""


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


def gone(seen: Object) -> Judge:
    """A judge of an object that was seen: one of its name that has come since is another."""
    uid = seen["metadata"]["uid"]

    def judge(found: Object | None) -> Verdict:
        is_gone = found is None or found["metadata"]["uid"] != uid
        return Verdict(ready=is_gone, state="" if is_gone else "it is still ending")

    return judge


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
    state = f"{available} of {wanted} replicas available, {updated} updated"
    refused = condition(found, "ReplicaFailure")
    if refused.get("status") == "True":  # no Pod tells of it, because there is none
        state += f"; Pods cannot be created: {refused.get('message')}"
    return Verdict(ready=ready, state=state)


def stateful_set_rolled_out(found: Object | None) -> Verdict:
    """Every replica is of the current revision and available."""
    if found is None:
        return Verdict(state="it does not exist")
    status, wanted = found.get("status") or {}, found["spec"].get("replicas", 1)
    if status.get("observedGeneration", 0) < found["metadata"]["generation"]:
        return Verdict(state="its controller has not seen the change yet")
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    is_current = status.get("currentRevision") == status.get("updateRevision")
    ready = updated >= wanted and available >= wanted and is_current
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
