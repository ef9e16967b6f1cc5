# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The log level of proxies that run: read from each, and changed where it is another one. A restart forgets it.

Source: Envoy's administration interface, /logging; `pilot-agent request` of Istio's images reaches it from within.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.pods import stays
from ..kube.resources import POD
from ..kube.text import did_you_mean
from ..reconcile.objects import Key
from ..reconcile.outcome import Outcome
from ..reconcile.parallel import each
from ..reconcile.plan import Action
from ..reconcile.run import Run
from .pods import PROXY, proxy_of

_ASK = ("pilot-agent", "request", "POST", "logging")
_LEVEL = re.compile(r"^\s*(\S+): (\w+)$", re.MULTILINE)
_FIELD = "proxy.logLevel"


class LogLevelError(Failure):
    """The level of a proxy cannot be read or set."""

    code = "log_level"


@dataclass(frozen=True)
class LogLevel:
    """Which proxies, and the level that they shall have now."""

    namespace: str
    level: str
    pods: tuple[str, ...] = ()
    selector: str = ""
    seconds: float = 30.0


def run_log_level(run: Run, wanted: LogLevel) -> Outcome:
    """Ask every proxy for its levels, and set those that differ."""
    pods = _chosen(run.client, wanted)
    levels = list(each(lambda pod: _asked(run, wanted, pod["metadata"]["name"]), pods))
    actions = [_action(wanted, pod, found) for pod, found in zip(pods, levels, strict=True)]
    if not run.check_mode:
        _set_all(run, wanted, [one.key.name for one in actions if one.writes])
    told = [
        {"pod": action.key.name, "before": dict(Counter(found.values()))}
        for action, found in zip(actions, levels, strict=True)
    ]
    return Outcome(actions, extra={"proxies": told}, warnings=[] if pods else [_nobody(wanted)])


def _chosen(client: Client, wanted: LogLevel) -> list[Object]:
    """Running Pods with a proxy. Raises LogLevelError for one that is named and is not among them."""
    found = list(client.list_objects(POD, wanted.namespace, labels=wanted.selector))
    running = {pod["metadata"]["name"]: pod for pod in found if _runs_a_proxy(pod)}
    for name in wanted.pods:
        if name not in running:
            raise _not_there(client, wanted, name, found, running)
    return [running[name] for name in sorted(wanted.pods or running)]


def _runs_a_proxy(pod: Object) -> bool:
    runs = (pod.get("status") or {}).get("phase") == "Running"
    return runs and stays(pod) and proxy_of(pod) is not None


def _not_there(
    client: Client, wanted: LogLevel, name: str, found: Sequence[Object], running: Iterable[str]
) -> LogLevelError:
    names = [pod["metadata"]["name"] for pod in found]
    what = "runs no sidecar" if name in names else f"does not exist{did_you_mean(name, names)}"
    return LogLevelError(
        f"The Pod '{wanted.namespace}/{name}' on {client.name} {what}",
        subject=f"Pod {wanted.namespace}/{name}",
        reason=f"those that run one: {', '.join(sorted(running)) or 'none'}",
        hint="Correct its name, or choose Pods by 'selector'",
    )


def _nobody(wanted: LogLevel) -> str:
    return f"No Pod with a running sidecar in {wanted.namespace} has the labels {wanted.selector}"


def _asked(run: Run, wanted: LogLevel, pod: str, change: str = "") -> dict[str, str]:
    """The level of each of a proxy's loggers, after a change if there is one."""
    command = [*_ASK[:-1], f"{_ASK[-1]}{change}"]
    printed = run.client.execute(wanted.namespace, pod, PROXY, command, wanted.seconds)
    levels = dict(_LEVEL.findall(printed))
    if not levels:
        raise LogLevelError(
            f"The proxy of {wanted.namespace}/{pod} on {run.client.name} does not tell its log levels",
            subject=f"Pod {wanted.namespace}/{pod}",
            reason=" ".join(printed.split())[:200] or "it said nothing",
            hint="Look at the log of its container istio-proxy",
        )
    return levels


def _action(wanted: LogLevel, pod: Object, levels: Mapping[str, str]) -> Action:
    key = Key.of(pod)
    others = {logger: level for logger, level in levels.items() if level != wanted.level}
    if not others:
        return Action("unchanged", key, POD)
    head = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": key.name, "namespace": key.namespace}}
    before, after = ({**head, "proxy": {"logLevel": level}} for level in (others, dict.fromkeys(others, wanted.level)))
    return Action("update", key, POD, (_FIELD,), "until the Pod is made again", before=before, after=after)


def _set_all(run: Run, wanted: LogLevel, pods: Sequence[str]) -> None:
    """Every one that can be, before the first failure is raised."""
    failures = [failure for failure in each(lambda pod: _trouble(run, wanted, pod), pods) if failure]
    if failures:
        failures[0].changed = len(failures) < len(pods)
        raise failures[0]


def _trouble(run: Run, wanted: LogLevel, pod: str) -> Failure | None:
    try:
        _set(run, wanted, pod)
    except Failure as error:
        return error
    return None


def _set(run: Run, wanted: LogLevel, pod: str) -> None:
    run.before_write()
    left = {level for level in _asked(run, wanted, pod, f"?level={wanted.level}").values() if level != wanted.level}
    if left:
        raise LogLevelError(
            f"The proxy of {wanted.namespace}/{pod} on {run.client.name} has kept the level {', '.join(sorted(left))}",
            subject=f"Pod {wanted.namespace}/{pod}",
            hint="Look at the log of its container istio-proxy",
        )
