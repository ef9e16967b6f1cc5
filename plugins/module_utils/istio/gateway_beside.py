# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A gateway whose Pods are selected by other labels: Kubernetes refuses that, so a new Deployment comes beside the old.

`spec.selector` of a Deployment is immutable. The new one bears another name,
which follows from its selector, so that every run finds it again. The Service
keeps its name and its address; it moves when the new Pods are ready, and the
old Deployment goes when no request is sent to its Pods any more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..kube.client import Object
from ..kube.errors import Failure
from ..kube.resources import AUTOSCALER, DISRUPTION_BUDGET, NETWORK_POLICY, SERVICE
from ..reconcile.objects import Key
from .desired_gateway import BESIDE
from .gateway_objects import There, selector_of, workload_of
from .kinds import GATEWAY
from .selectors import matches

MOVED, GONE = 1, 2
# What leads to the Pods, guards or scales them: it belongs to the old Pods until the new ones are ready.
_MOVES = frozenset(resource.kind for resource in (SERVICE, AUTOSCALER, DISRUPTION_BUDGET, NETWORK_POLICY))
_DIGITS = 6

Served = tuple[Any, str]


class ImmutableSelector(Failure):
    """The labels by which a running Deployment selects its Pods would change."""

    code = "immutable_selector"


class GatewayLeftBehind(Failure):
    """Objects that say what the gateway serves select the old Pods only."""

    code = "gateway_left_behind"


def placed(objects: Sequence[Object], there: There) -> list[Object]:
    """The rendered objects with the name that their workload has, or gets beside another one."""
    workload = workload_of(objects)
    name = _name(workload, there)
    if name == workload["metadata"]["name"]:
        return list(objects)
    return [_renamed(content, workload, name, there) for content in objects]


def _name(workload: Object, there: There) -> str:
    alike = [found for found in there.workloads if found["kind"] == workload["kind"]]
    same = [found for found in alike if selector_of(found) == selector_of(workload)]
    name, names = str(workload["metadata"]["name"]), {found["metadata"]["name"] for found in alike}
    if same:
        return str(same[0]["metadata"]["name"])
    if alike and there.wanted.replace != BESIDE:
        raise _immutable(there, alike[0], workload)
    return f"{name}-{_digest(selector_of(workload))}" if name in names else name


def _immutable(there: There, live: Object, workload: Object) -> ImmutableSelector:
    subject = str(Key.of(live))
    return ImmutableSelector(
        f"{subject} on {there.client.name} cannot select its Pods by other labels",
        subject=subject,
        reason=f"it selects {_shown(selector_of(live))}, the options ask for {_shown(selector_of(workload))}, and "
        "Kubernetes answers to that: spec.selector: field is immutable",
        hint="Keep the labels 'app' and 'istio', or set 'replace: beside': a new one comes beside it, the Service "
        "moves when the new Pods are ready, and the old one goes then",
    )


def _shown(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))


def _digest(selector: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(selector, sort_keys=True).encode()).hexdigest()[:_DIGITS]


def _renamed(content: Object, workload: Object, name: str, there: There) -> Object:
    """The workload under its name, and whatever refers to it."""
    if content is workload:
        return {**content, "metadata": {**content["metadata"], "name": name}, "spec": _begun(content, name, there)}
    target = (content.get("spec") or {}).get("scaleTargetRef")
    if target:
        return {**content, "spec": {**content["spec"], "scaleTargetRef": {**target, "name": name}}}
    return content


def _begun(workload: Object, name: str, there: There) -> Any:
    """A new one that an autoscaler will scale begins with as many replicas as there are."""
    old = [found for found in there.workloads if found["metadata"]["name"] != name]
    replicas = max((found["spec"].get("replicas") or 1 for found in old), default=1)
    is_new = len(old) == len(there.workloads)
    begins = is_new and "replicas" not in workload["spec"] and replicas > 1
    return {**workload["spec"], **({"replicas": replicas} if begins else {})}


def old_workloads(objects: Sequence[Object], there: There) -> list[Object]:
    """What has Pods of this gateway and is not the one that is wanted."""
    wanted = Key.of(workload_of(objects))
    return [found for found in there.workloads if Key.of(found) != wanted]


def stages_of(objects: Iterable[Object], old: Sequence[Object], leaving: Iterable[Key]) -> dict[Key, int]:
    """What waits for the new Pods, and what waits until no request reaches the old ones; nothing without old ones."""
    if not old:
        return {}
    moved = {Key.of(content): MOVED for content in objects if content["kind"] in _MOVES}
    return {**moved, **dict.fromkeys(leaving, GONE)}


def refuse_left_behind(there: There, workload: Object, old: Sequence[Object]) -> None:
    """Raise GatewayLeftBehind when the new Pods would not serve what the old ones serve."""
    gateways = there.snapshot.of(GATEWAY.resource)
    new = _served(gateways, _pod_labels(workload))
    for found in old:
        missing = sorted(_served(gateways, _pod_labels(found)).items(), key=str)
        for served, gateway in missing:
            if served not in new:
                raise _left_behind(there, gateway, served, workload)


def _pod_labels(workload: Object) -> Mapping[str, str]:
    return workload["spec"]["template"]["metadata"].get("labels") or {}


def _served(gateways: Iterable[Object], labels: Mapping[str, str]) -> dict[Served, Object]:
    """Ports and hosts that Pods with these labels serve, each with the object that says so."""
    return {
        served: gateway
        for gateway in gateways
        if matches({"matchLabels": gateway["spec"].get("selector") or {}}, labels)
        for served in _ports_and_hosts(gateway)
    }


def _ports_and_hosts(gateway: Object) -> Iterator[Served]:
    for server in gateway["spec"].get("servers") or []:
        for host in server.get("hosts") or []:
            yield (server.get("port") or {}).get("number"), host


def _left_behind(there: There, gateway: Object, served: Served, workload: Object) -> GatewayLeftBehind:
    subject = str(Key.of(gateway))
    selector = gateway["spec"]["selector"]
    return GatewayLeftBehind(
        f"The new Pods of {there.wanted} on {there.client.name} would not serve {served[1]} on port {served[0]}",
        subject=subject,
        reason=f"{subject} says so only for Pods with {_shown(selector)}, and the new ones have "
        f"{_shown(selector_of(workload))}",
        hint="Apply a Gateway for the new labels first, with its VirtualServices bound to it, or select by a label "
        "that both have",
    )


def selecting(there: There, workloads: Iterable[Object]) -> Iterator[str]:
    """Objects that would have nobody left to serve them, each in a sentence."""
    labels = [_pod_labels(found) for found in workloads]
    for gateway in there.snapshot.of(GATEWAY.resource):
        selector = gateway["spec"].get("selector") or {}
        if selector and any(matches({"matchLabels": selector}, found) for found in labels):
            yield f"{Key.of(gateway)} selects {there.wanted}: what only that one served is served by nobody then"
