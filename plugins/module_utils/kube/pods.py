# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a workload's Pods do not come up, in the words of the kubelet and the scheduler.

A Deployment that waits for an image says nothing of it: its Pods do. So a wait
for a workload watches the Pods while there are any that are not ready, and the
workload itself while there are none.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from .client import Client, Object
from .resources import POD
from .wait import Events, Verdict, condition, newest

# What an image's registry says may be different in a moment; after this time nobody is kept waiting any longer.
_PATIENCE = 20.0
_NO_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
# What a container that is only on its way says.
_ON_ITS_WAY = frozenset({"ContainerCreating", "PodInitializing"})


class Pods:
    """Looks behind one Deployment or DaemonSet; it remembers since when an image is missing."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._since: float | None = None

    def __call__(self, found: Object | None, verdict: Verdict) -> tuple[Verdict, Events | None]:
        """What its Pods add to a verdict that is not yet 'ready', and where to look for the next change."""
        if found is None or verdict.hopeless:
            return verdict, None
        namespace, labels = found["metadata"]["namespace"], selector_of(found)
        pods = [pod for pod in self._client.list_objects(POD, namespace, labels=labels) if _is_awaited(pod)]
        if not pods:
            self._since = None
            return verdict, None
        troubles = sorted({trouble for pod in pods for trouble in troubles_of(pod)})
        lacks_image = any(_lacks_image(pod) for pod in pods)
        self._since = (self._since or time.monotonic()) if lacks_image else None
        left = _PATIENCE - (time.monotonic() - self._since) if self._since is not None else 0.0
        verdict = Verdict(hopeless=lacks_image and left <= 0, state="; ".join([verdict.state, *troubles]))
        events = Events(POD, namespace, labels=labels, since=newest(pods))
        return verdict, replace(events, seconds=max(left, 1.0)) if lacks_image else events


def troubles_of(pod: Mapping[str, Any]) -> Iterator[str]:
    """Everything that keeps a Pod from running, each in a sentence."""
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield f"Pod {pod['metadata']['name']} has no node: {scheduled.get('message') or scheduled.get('reason')}"
    for container in container_statuses(pod):
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        if reason and reason not in _ON_ITS_WAY:
            said = f": {waiting['message']}" if waiting.get("message") else ""
            yield f"Pod {pod['metadata']['name']}, container {container['name']}: {reason}{said}"


def _lacks_image(pod: Mapping[str, Any]) -> bool:
    states = (container.get("state") or {} for container in container_statuses(pod))
    return any((state.get("waiting") or {}).get("reason") in _NO_IMAGE for state in states)


def container_statuses(pod: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _is_awaited(pod: Mapping[str, Any]) -> bool:
    return stays(pod) and not is_ready(pod)


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether a Pod that is there to stay answers."""
    return stays(pod) and condition(pod, "Ready").get("status") == "True"


def is_over(pod: Mapping[str, Any]) -> bool:
    """Whether all its containers have ended, for good."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def stays(pod: Mapping[str, Any]) -> bool:
    """Whether a Pod is there to stay: neither over nor being deleted."""
    return not is_over(pod) and not pod["metadata"].get("deletionTimestamp")


def selector_of(found: Object) -> str:
    """The selector of a workload's Pods, as a LIST takes it."""
    selector = found["spec"]["selector"]
    exact = (f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items())
    return ",".join([*exact, *map(_condition, selector.get("matchExpressions") or [])])


def _condition(one: Mapping[str, Any]) -> str:
    operator, key, values = one["operator"], one["key"], ",".join(one.get("values") or [])
    unary = {"Exists": key, "DoesNotExist": f"!{key}"}
    return unary.get(operator) or f"{key} {operator.lower()} ({values})"
