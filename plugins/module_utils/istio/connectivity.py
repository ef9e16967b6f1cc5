# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether clusters really reach each other: probes are set up, asked, and taken away without a trace."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, replace
from typing import Any

from ..kube.client import Object, remaining
from ..kube.errors import ApiError, Failure, WebhookUnavailable
from ..kube.exec import CommandFailed
from ..kube.pods import Pods, is_ready
from ..kube.resources import DEPLOYMENT, POD
from ..kube.wait import Events, NotReady, Verdict, deployment_available, newest
from ..reconcile.engine import reconcile
from ..reconcile.objects import Desired
from ..reconcile.outcome import Outcome
from ..reconcile.parallel import each
from ..reconcile.plan import Owner
from ..reconcile.run import Run
from .facts import MANAGER_PREFIX
from .hops import Way, endpoints_of, hop_of, knocked
from .pods import PROXY, authority_of, proxy_of
from .probe_objects import CONTAINER, Probe, service_of

_OWNER = Owner(f"{MANAGER_PREFIX}connectivity_probe")
_ASK = ("pilot-agent", "request", "GET")
_KNOCK = ("pilot-agent", "wait", "--timeoutSeconds", "2", "--requestTimeoutMillis", "1500", "--url")
# Only for the question which image an injector gives: nothing is ever pulled by this name.
_NO_IMAGE = "probe"
# Who knocks knows neither the root of the mesh nor what to ask; whoever says so has been reached.
_HAS_ANSWERED = re.compile(r"x509|certificate|status code|HTTP response")
# The name of a Service with the prefix of ours.
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,50}[a-z0-9])?")
_PAUSE = 1.0


class ProbeError(Failure):
    """A probe cannot be set up."""

    code = "probe"


@dataclass(frozen=True)
class Other:
    """A cluster that is asked."""

    cluster: str
    network: str = ""


@dataclass(frozen=True)
class Check:
    """The probe of a cluster, and whom it asks: nobody, until all of them are set up."""

    probe: Probe
    network: str = ""
    others: tuple[Other, ...] = ()
    times: int = 3
    wait_timeout: float = 60.0


def checked(wanted: Check) -> Check:
    """The same, if its names can be. Raises ProbeError."""
    for name in (wanted.probe.cluster, *(one.cluster for one in wanted.others)):
        if not _LABEL.fullmatch(name):
            raise ProbeError(
                f"'{name}' cannot be the name of a cluster with a probe",
                subject="cluster_name",
                reason="it becomes a part of a Service's name: at most 52 lower-case letters, digits and dashes",
                hint="Correct it; it has to be the cluster name that its control plane was installed with",
            )
    return wanted


def run_present(run: Run, wanted: Check) -> Outcome:
    """The probe answers; and if others are named, each has been asked."""
    probe = wanted.probe
    outcome = reconcile(run, _OWNER, [Desired(content) for content in probe.objects(_image_in_time(run, wanted))])
    outcome.extra = {"connectivity": []}
    if run.check_mode:
        return outcome
    _await_ready(run, wanted)
    if wanted.others:
        pod = _pod(run, probe)
        outcome.extra["connectivity"] = list(each(lambda other: _asked(run, wanted, pod, other), wanted.others))
    return outcome


def _await_ready(run: Run, wanted: Check) -> None:
    probe = wanted.probe
    wait = run.wait(wanted.wait_timeout)
    try:
        wait.until(DEPLOYMENT, probe.name, probe.namespace, deployment_available, Pods(run.client))
    except NotReady as error:
        raise _not_ready(run, wanted, error) from error


def _not_ready(run: Run, wanted: Check, error: NotReady) -> Failure:
    """The same, with what the sidecar meets where it asks for its certificate and configuration."""
    try:
        pods = run.client.list_objects(POD, wanted.probe.namespace, labels=wanted.probe.selector)
        place, pod = next(((authority_of(pod), pod) for pod in pods if _proxy_runs(pod)), ("", {}))
        said = _knock(run, wanted, pod["metadata"]["name"], f"https://{place}") if place else ""
    except ApiError:  # what was found out already is worth more
        return error
    if not place:
        return error
    met = "answers there" if _HAS_ANSWERED.search(said) else f"is not reached there: {knocked(said) or said}"
    return ProbeError(
        error.what,
        subject=error.subject,
        reason=f"{error.reason}; its sidecar asks the control plane at {place}, which {met}",
        hint="Look at what leads to the control plane from here, and at the log of the probe's istio-proxy",
    )


def _proxy_runs(pod: Object) -> bool:
    status = pod.get("status") or {}
    told = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
    return any(one["name"] == PROXY and "running" in (one.get("state") or {}) for one in told)


def run_absent(run: Run, wanted: Check) -> Outcome:
    """Nothing of the probe is left, its Pods included."""
    outcome = reconcile(run, _OWNER, [], wanted.probe.keys())
    outcome.extra = {"connectivity": []}
    if outcome.changed and not run.check_mode:
        _await_gone(run, wanted)
    return outcome


def _await_gone(run: Run, wanted: Check) -> None:
    place, labels = wanted.probe.namespace, wanted.probe.selector
    pods: list[Object] = []

    def judge(_deployment: Object | None) -> Verdict:
        pods[:] = run.client.list_objects(POD, place, labels=labels)
        return Verdict(
            ready=not pods, state=", ".join(f"Pod {pod['metadata']['name']} is still ending" for pod in pods)
        )

    def next_change(_deployment: Object | None, verdict: Verdict) -> tuple[Verdict, Events]:
        return verdict, Events(POD, place, labels=labels, since=newest(pods))

    run.wait(wanted.wait_timeout).until(DEPLOYMENT, wanted.probe.name, place, judge, next_change)


def _image_in_time(run: Run, wanted: Check) -> str:
    """A gateway in between takes a moment to learn of a control plane that was restarted."""
    deadline = time.monotonic() + (0 if run.check_mode else wanted.wait_timeout)
    while True:
        try:
            return _image(run, wanted.probe)
        except WebhookUnavailable:
            if not remaining(deadline):
                raise
        run.before_write()
        time.sleep(min(_PAUSE, remaining(deadline)))


def _image(run: Run, probe: Probe) -> str:
    """The image of the proxy that the probe would get, which is the probe's own, too. Raises ProbeError."""
    answer = run.client.ask(POD, probe.pod(_NO_IMAGE), probe.namespace, dry_run=True)
    proxy = proxy_of(answer)
    if proxy is None:
        raise ProbeError(
            f"No control plane would inject a probe in {probe.namespace} on {run.client.name}",
            subject=f"Pod {probe.namespace}/{probe.name}",
            reason="a probe asks through its sidecar, and the Pod would have none",
            hint="Install or join the cluster first; correct 'revision'; or name another 'namespace' if this one "
            "carries istio-injection=disabled",
        )
    return str(proxy["image"])


def _pod(run: Run, probe: Probe) -> str:
    """The Pod that asks."""
    found = run.client.list_objects(POD, probe.namespace, labels=probe.selector)
    ready = (pod for pod in found if is_ready(pod))
    return str(next(ready)["metadata"]["name"])


def _asked(run: Run, wanted: Check, pod: str, other: Other) -> dict[str, Any]:
    """How requests from here to there went; a first answer is waited for, since control planes take their time."""
    deadline = time.monotonic() + wanted.wait_timeout
    while (failed := _request(run, wanted, pod, other.cluster)) and remaining(deadline):
        run.before_write()
        time.sleep(min(_PAUSE, remaining(deadline)))
    more = 0 if failed else wanted.times - 1
    answers = [failed, *(_request(run, wanted, pod, other.cluster) for _time in range(more))]
    wrong = [answer for answer in answers if answer]
    return _row(run, wanted, pod, other, len(answers) - len(wrong), wrong[0] if wrong else "")


def _request(run: Run, wanted: Check, pod: str, cluster: str) -> str:
    """What a request was answered if not as it has to; empty if it was."""
    try:
        said = _printed(run, wanted, pod, *_ASK, f"ask/{service_of(cluster)}").strip()
    except CommandFailed as error:
        return error.reason
    return "" if said == cluster else f"it was answered by '{said[:100]}'" if said else "nobody has answered"


def _printed(run: Run, wanted: Check, pod: str, *command: str, container: str = CONTAINER) -> str:
    seconds = run.client.connection.options.request_timeout
    return run.client.execute(wanted.probe.namespace, pod, container, command, seconds)


def _row(run: Run, wanted: Check, pod: str, other: Other, answered: int, said: str) -> dict[str, Any]:
    way = _way(run, wanted, pod, other)
    hop = hop_of(_felt_out(run, wanted, pod, way), said) if said else None
    return {
        "from": way.asker,
        "to": way.asked,
        "ok": hop is None,
        "answered": answered,
        "endpoints": [str(one) for one in way.endpoints],
        "hop": hop.name if hop else "",
        "reason": hop.reason if hop else "",
        "hint": hop.hint if hop else "",
    }


def _way(run: Run, wanted: Check, pod: str, other: Other) -> Way:
    """Where the proxy sends what is for another cluster."""
    service = service_of(other.cluster)
    endpoints = endpoints_of(_printed(run, wanted, pod, *_ASK, "clusters"), service, wanted.probe.namespace)
    same = other.network == wanted.network
    return Way(wanted.probe.cluster, other.cluster, other.network, same, endpoints)


def _felt_out(run: Run, wanted: Check, pod: str, way: Way) -> Way:
    """The same, with what a connection to each endpoint meets."""
    statistics = _printed(run, wanted, pod, *_ASK, f"stats?usedonly&filter={service_of(way.asked)}")
    knocks = {str(one): _knock(run, wanted, pod, f"http://{one}") for one in way.endpoints}
    return replace(way, knocks=knocks, statistics=statistics)


def _knock(run: Run, wanted: Check, pod: str, url: str) -> str:
    """What the agent says of an address. It asks as the sidecar does, whose own requests are not captured."""
    try:
        return _printed(run, wanted, pod, *_KNOCK, url, container=PROXY)
    except CommandFailed as error:
        return error.reason
