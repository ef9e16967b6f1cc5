# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One workload: restarted if that is still due, waited for until its Pods have the proxy, and put back."""

from __future__ import annotations

from dataclasses import dataclass

from ..kube.client import Object
from ..kube.errors import Failure, ServerError, TimedOut, Unreachable
from ..kube.pods import Pods, container_statuses, selector_of, stays
from ..kube.resources import DISRUPTION_BUDGET, POD
from ..kube.wait import Verdict
from ..reconcile.engine import reconcile
from ..reconcile.run import Run
from .disruption import lacks, takes_down
from .pods import PROXY
from .readiness import WORKLOADS
from .restart_marker import mark_of, marked, next_mark, owner_of_mark
from .rollout_plan import Item, due, held_back
from .rollout_pods import Essences, Judge, SeenPod, seen_pods
from .rollout_world import slim


class StillDifferent(Failure):
    """A workload has restarted, and its Pods have another proxy than they should."""

    code = "still_different"


class LeftAlone(Failure):
    """Nothing is wrong, and nothing is to be done: `how` is a word for playbooks."""

    code = "left_alone"

    def __init__(self, item: Item, how: str, why: str) -> None:
        super().__init__(f"{item.place} is left alone", subject=str(item.place), reason=why)
        self.how = how


# After these nobody knows whether the server has written.
_UNKNOWN = (TimedOut, Unreachable, ServerError)


@dataclass(frozen=True)
class Restarter:
    """Restarts single workloads; `judge` says which Pods differ."""

    run: Run
    judge: Judge
    wait_timeout: float
    allow_downtime: bool = False

    def restart(self, item: Item) -> None:
        """Until every Pod has the proxy. Raises Failure, LeftAlone where somebody has removed it or holds it back.

        A rollout of somebody else's is waited for first.
        """
        for _look in range(3):
            live, differing = self._look(item)
            if live is None:
                raise _gone(item)
            if due(slim(live), differing):
                if item.written:
                    raise self._still_different(item, differing)
                self._mark(item, live)
            self._await(item)
            if not differing:
                return
        raise self._still_different(item, self._look(item)[1])

    def _look(self, item: Item) -> tuple[Object | None, list[SeenPod]]:
        """The workload as it is now, and its Pods that differ."""
        resource, _judge = WORKLOADS[item.place.kind]
        live = self.run.client.get(resource, item.place.name, item.place.namespace)
        if live is None:
            return None, []
        self.judge.learn(item.place, slim(live)["spec"]["template"])
        found = self.run.client.list_objects(POD, item.place.namespace, labels=selector_of(live))
        pods = (pod for pod in seen_pods(found, Essences()) if pod.place == item.place)
        return live, [pod for pod in pods if self._differs(item, pod)]

    def _differs(self, item: Item, pod: SeenPod) -> bool:
        """Pods that come after a restart bear the names of those before, where they are of a StatefulSet."""
        if item.written:
            return bool(self.judge.difference(pod.essence))
        return bool(self.judge(pod.essence) or self.judge.why_named(pod))

    def _mark(self, item: Item, live: Object) -> None:
        how, why = held_back(live)  # since the plan
        if how:
            raise LeftAlone(item, how, why)
        if not self.allow_downtime:
            self._await_budgets(item)
        item.before = mark_of(live)
        try:
            self._write(live, next_mark(live))
        except Failure as error:
            item.written = error.changed or isinstance(error, _UNKNOWN)
            raise
        item.written = True
        self.run.progress(f"{self.run.client.name}: {item.place}: restarted, because {item.reason}")

    def _write(self, live: Object, mark: str) -> None:
        reconcile(self.run, owner_of_mark(live), [marked(live, mark)])

    def _await_budgets(self, item: Item) -> None:
        """Until a disruption budget allows as many Pods to be away as the update takes down."""
        down = takes_down(item.workload)

        def judge(found: Object | None) -> Verdict:
            why = lacks(found, down) if found else ""
            return Verdict(ready=not why, state=why)

        for name in item.budgets:
            self.run.wait(self.wait_timeout).until(DISRUPTION_BUDGET, name, item.place.namespace, judge)

    def _await(self, item: Item) -> None:
        """The controller has seen the change, and every Pod of it is there and ready, proxies included."""
        resource, judge = WORKLOADS[item.place.kind]
        client = self.run.client

        def proxies_too(found: Object | None) -> Verdict:
            if found is None:
                raise _gone(item)
            verdict = judge(found)
            return self._proxies(found, verdict) if verdict.ready else verdict

        place = item.place
        self.run.wait(self.wait_timeout).until(resource, place.name, place.namespace, proxies_too, Pods(client))

    def _proxies(self, found: Object, verdict: Verdict) -> Verdict:
        pods = self.run.client.list_objects(POD, found["metadata"]["namespace"], labels=selector_of(found))
        waiting = [pod["metadata"]["name"] for pod in pods if _lacks_proxy(pod)]
        return Verdict(state=f"the proxy of Pod {waiting[0]} is not ready") if waiting else verdict

    def _still_different(self, item: Item, differing: list[SeenPod]) -> StillDifferent:
        why = self.judge.difference(differing[0].essence) if differing else "somebody else keeps restarting it"
        return StillDifferent(
            f"{item.place} on {self.run.client.name} has restarted, and {len(differing)} of its Pods still differ",
            subject=str(item.place),
            reason=f"{differing[0].name if differing else item.place.name}: {why}",
            hint="Look at the injector: its istiod, and whether its webhook fails open; then run the task again",
        )

    def undo(self, item: Item) -> None:
        """With the mark of before, so that the controller goes back to the Pods that it still has. Raises Failure."""
        resource, _judge = WORKLOADS[item.place.kind]
        live = self.run.client.get(resource, item.place.name, item.place.namespace)
        if live is None:
            return
        self._write(live, item.before)
        self._await(item)


def _gone(item: Item) -> LeftAlone:
    return LeftAlone(item, "gone", "it is not there any more")


def _lacks_proxy(pod: Object) -> bool:
    """Whether a Pod that stays has a proxy that is not ready; a native sidecar is an init container."""
    return stays(pod) and any(one["name"] == PROXY and not one.get("ready") for one in container_statuses(pod))
