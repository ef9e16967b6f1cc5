# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gates: what must hold before the next wave begins. No data, and nothing but silence, is a failure.

A query or an address is asked once; a person is waited for. Approval is an annotation of a ConfigMap that exists only
while somebody is asked: so approving needs one right on one object, and a run that was cut off finds the answer. It
says which restarts are meant and for which reasons, so that an answer that was left behind is none to another question.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ..kube.client import Object
from ..kube.errors import Failure
from ..kube.resources import CONFIG_MAP
from ..kube.wait import NotReady, Verdict
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired, Key
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .facts import MANAGER_PREFIX
from .prometheus import NoAnswer, Prometheus, Sample
from .web import Access, ask, secrets_of, shown
from .webhooks import annotations_of

MANAGER = f"{MANAGER_PREFIX}rollout"
APPROVAL = "service-mesh-istio-rollout"
APPROVED = "service-mesh-istio/approved"


@dataclass(frozen=True)
class Question:
    """What a person approves: a wave, what it is in words, and each of its restarts by a digest."""

    wave: str
    what: str
    restarts: frozenset[str] = frozenset()

    def is_asked_by(self, found: Object | None) -> bool:
        """Whether this was asked before; what of it is done meanwhile is no other question."""
        data: Mapping[str, str] = (found or {}).get("data") or {}
        return data.get("wave") == self.wave and self.restarts <= {*data.get("restarts", "").split()}


def digest(restart: str) -> str:
    """Short, because a wave may have thousands, and all have to fit into one object."""
    return hashlib.sha256(restart.encode()).hexdigest()[:10]


class GateClosed(Failure):
    """A condition for going on does not hold."""

    code = "gate"


class BadGate(Failure):
    """A gate that can never be passed, whatever the cluster does."""

    code = "rollout"


@dataclass(frozen=True)
class Gate:
    """One condition: a query with a threshold, an address that answers well, or a person who approves."""

    name: str
    query: str = ""
    least: float | None = None
    most: float | None = None
    url: str = ""
    approve_within: float | None = None

    @property
    def is_approval(self) -> bool:
        return self.approve_within is not None

    @property
    def threshold(self) -> str:
        low = f"at least {self.least:g}" if self.least is not None else ""
        high = f"at most {self.most:g}" if self.most is not None else ""
        return " and ".join(filter(None, (low, high)))

    def admits(self, value: float) -> bool:
        """A value that is not a number is within no threshold."""
        low = self.least is None or value >= self.least
        return low and (self.most is None or value <= self.most) and not math.isnan(value)


def checked_gate(gate: Gate) -> Gate:
    """The same, if it can ever be right. Raises BadGate."""
    if gate.query and gate.least is None and gate.most is None:
        raise _bad(gate, "a query needs a threshold", "Say 'min', 'max' or both")
    if not gate.query and (gate.least is not None or gate.most is not None):
        raise _bad(gate, "a threshold is for a query", "Say the 'query'")
    if gate.least is not None and gate.most is not None and gate.least > gate.most:
        raise _bad(gate, f"no value is {gate.threshold}", "Correct 'min' or 'max'")
    if gate.url and not gate.url.startswith(("http://", "https://")):
        raise _bad(gate, f"'{shown(gate.url)}' is no address of a page", "Say 'url' with http:// or https://")
    if gate.approve_within is not None and gate.approve_within <= 0:
        raise _bad(gate, "nobody can approve in no time", "Say 'approve_within' in seconds")
    return gate


def _bad(gate: Gate, reason: str, hint: str) -> BadGate:
    return BadGate(f"The gate '{gate.name}' cannot be used", subject=f"gate {gate.name}", reason=reason, hint=hint)


@dataclass
class Gates:
    """Asks gates; `namespace` is where somebody is asked for approval."""

    run: Run
    namespace: str
    tell: Callable[[str], None]
    prometheus: Prometheus | None = None
    access: Access = field(default_factory=Access)

    def require_sound(self, gates: Iterable[Gate]) -> None:
        """Before the first write: every query is one. Raises BadGate, with the words of Prometheus."""
        for gate in gates:
            if gate.query and self.prometheus is None:
                raise _bad(gate, "nobody says where Prometheus is", "Say it by 'prometheus: {url: ...}'")
            self._try(gate)

    def _try(self, gate: Gate) -> None:
        try:
            if gate.query and self.prometheus:
                self.prometheus.samples(gate.query)
        except NoAnswer as error:
            if error.is_bad_query:
                raise _bad(gate, f"{error} (query: {gate.query})", "Correct the query") from error

    def require(self, gates: Iterable[Gate]) -> None:
        """That conditions hold which a machine can tell. Raises GateClosed at the first that does not."""
        for gate in gates:
            if gate.query:
                self._require_query(gate)
            if gate.url:
                self._require_page(gate)

    def _require_query(self, gate: Gate) -> None:
        try:
            samples = self.prometheus.samples(gate.query) if self.prometheus else []
        except NoAnswer as error:
            raise self._closed(gate, str(error)) from error
        if not samples:
            raise self._closed(gate, "there is no data, so nobody knows")
        for sample in samples:
            if not gate.admits(sample.value):
                raise self._closed(gate, f"the value is {_told(sample)}")
        self.tell(f"gate '{gate.name}' holds: {', '.join(map(_told, samples[:3]))} ({gate.threshold})")

    def _require_page(self, gate: Gate) -> None:
        found = ask(gate.url, self.access)
        if not found.is_good:
            said = f"it answers {found.status}: {found.excerpt}" if found.status else found.excerpt
            raise self._closed(gate, said)
        self.tell(f"gate '{gate.name}' holds: {shown(gate.url)} answers {found.status}")

    def _closed(self, gate: Gate, why: str) -> GateClosed:
        page = f"{shown(gate.url)} has to answer with 2xx"
        asked = f"{gate.query} has to be {gate.threshold}" if gate.query else page
        error = GateClosed(
            f"The gate '{gate.name}' is closed on {self.run.client.name}",
            subject=f"gate {gate.name}",
            reason=f"{asked}: {why}",
            hint="Look into it, then run the task again: it goes on from here",
        )
        theirs = (self.prometheus.access if self.prometheus else Access()).secrets()
        error.hide(theirs | self.access.secrets() | secrets_of(gate.url))
        return error

    def await_approval(self, gates: Iterable[Gate], question: Question) -> None:
        """Until a person has approved a wave. Raises GateClosed when nobody does in time."""
        for gate in gates:
            if gate.approve_within is not None:
                self._ask(question)
                self._await(gate, gate.approve_within, question.wave)

    def _ask(self, question: Question) -> None:
        found = self.run.client.get(CONFIG_MAP, APPROVAL, self.namespace)
        if question.is_asked_by(found):
            return
        if found:
            self.forget_approval()
        wanted = {"wave": question.wave, "what": question.what, "restarts": " ".join(sorted(question.restarts))}
        metadata = {"name": APPROVAL, "namespace": self.namespace}
        content = {"apiVersion": "v1", "kind": CONFIG_MAP.kind, "metadata": metadata, "data": wanted}
        reconcile(self.run, Owner(MANAGER), [Desired(content, "the question for approval")])

    def _await(self, gate: Gate, seconds: float, wave: str) -> None:
        command = f"kubectl annotate configmap {APPROVAL} -n {self.namespace} {APPROVED}='{wave}' --overwrite"
        self.tell(f"gate '{gate.name}': wave '{wave}' waits up to {seconds:g} s for approval: {command}")

        def judge(found: Object | None) -> Verdict:
            approved = annotations_of(found).get(APPROVED) if found else None
            return Verdict(ready=approved == wave, state="")

        try:
            self.run.wait(seconds).until(CONFIG_MAP, APPROVAL, self.namespace, judge)
        except NotReady as error:
            raise GateClosed(
                f"The gate '{gate.name}' is closed on {self.run.client.name}",
                subject=f"ConfigMap {self.namespace}/{APPROVAL}",
                reason=f"nobody has approved wave '{wave}' within {seconds:g} s",
                hint=f"Approve it by '{command}' and run the task again: it goes on from here",
            ) from error
        self.tell(f"gate '{gate.name}' holds: wave '{wave}' is approved")

    def forget_approval(self) -> None:
        """An answer is for one wave of one rollout."""
        reconcile(self.run, Owner(MANAGER), [], [Key("v1", CONFIG_MAP.kind, self.namespace, APPROVAL)])


def _told(sample: Sample) -> str:
    value = "not a number (NaN)" if math.isnan(sample.value) else f"{sample.value:g}"
    return f"{value} for {sample.labels}" if sample.labels else value
