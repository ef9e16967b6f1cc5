# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Control planes, gateways, node agents and webhooks of a cluster, each with its state in words, and reasons."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from ..kube.client import Object
from ..kube.resources import DAEMON_SET, DEPLOYMENT, MUTATING_WEBHOOKS, POD, VALIDATING_WEBHOOKS
from ..kube.wait import Verdict, condition, daemon_set_rolled_out, deployment_available
from .facts import NETWORK_LABEL, REVISION_LABEL, TAG_LABEL
from .owners import owner_of
from .pods import is_gateway, proxy_version
from .readiness import validator_fails_closed, validator_without_istiod, webhook_has_ca
from .releases import image_tag
from .selectors import matches
from .snapshot import Snapshot
from .usage import istiods
from .webhooks import DEFAULT_REVISION, labels_of

# Node agents by their DaemonSets' names; istioctl and Helm call them the same.
NODE_AGENTS: Mapping[str, str] = {"istio-cni-node": "cni", "ztunnel": "ztunnel"}


def control_planes(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [_control_plane(snapshot, found) for found in istiods(snapshot)]


def gateways(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [_gateway(snapshot, found) for found in gateway_deployments(snapshot)]


def gateway_deployments(snapshot: Snapshot) -> list[Object]:
    """Gateways with an injected proxy."""
    return [found for found in snapshot.of(DEPLOYMENT) if is_gateway(found["spec"]["template"])]


def node_agents(snapshot: Snapshot) -> list[dict[str, Any]]:
    return [_node_agent(snapshot, found) for found in snapshot.of(DAEMON_SET) if _agent(found)]


def webhooks(snapshot: Snapshot, remote: Collection[str] = ()) -> list[dict[str, Any]]:
    """Those of control planes; `remote` are revisions whose istiod is in another cluster."""
    labelled = [
        found
        for resource in (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
        for found in snapshot.of(resource)
        if REVISION_LABEL in labels_of(found)
    ]
    return [_webhook(found, _judge_of(found, remote)(found)) for found in labelled]


def _judge_of(webhooks: Object, remote: Collection[str]) -> Callable[[Object], Verdict]:
    if webhooks["kind"] == MUTATING_WEBHOOKS.kind:
        return webhook_has_ca
    return validator_without_istiod if labels_of(webhooks)[REVISION_LABEL] in remote else validator_fails_closed


def _control_plane(snapshot: Snapshot, found: Object) -> dict[str, Any]:
    return {
        **_component(snapshot, found),
        "version": version_of(found),
        "revision": labels_of(found).get(REVISION_LABEL, DEFAULT_REVISION),
        "owner": owner_of(found).name,
        "image": str(found["spec"]["template"]["spec"]["containers"][0].get("image") or ""),
    }


def version_of(found: Object) -> str:
    """The version of a workload of Istio's, from the image of its first container."""
    return image_tag(found["spec"]["template"]["spec"]["containers"][0])


def _gateway(snapshot: Snapshot, found: Object) -> dict[str, Any]:
    """A gateway's version is that of its Pods: the Deployment leaves the image to the injector."""
    versions = {version for version in map(proxy_version, _pods(snapshot, found)) if version}
    network = labels_of(found["spec"]["template"]).get(NETWORK_LABEL, "")
    told = {"versions": sorted(versions), "network": network, "owner": owner_of(found).name}
    return {**_component(snapshot, found), **told}


def _component(snapshot: Snapshot, found: Object) -> dict[str, Any]:
    verdict, status = _judged(found), found.get("status") or {}
    return {
        "name": found["metadata"]["name"],
        "namespace": found["metadata"]["namespace"],
        "ready": verdict.ready,
        "state": verdict.state,
        "reasons": [] if verdict.ready else _reasons(_pods(snapshot, found)),
        "replicas": found["spec"].get("replicas", 1),
        "available": status.get("availableReplicas", 0),
    }


def is_ready(found: Object) -> bool:
    return _judged(found).ready


def _judged(found: Object) -> Verdict:
    """To wait for no replicas is over at once; to run none is not to work."""
    verdict = deployment_available(found)
    return verdict if found["spec"].get("replicas", 1) else Verdict(state="scaled to zero")


def _agent(found: Object) -> str:
    return NODE_AGENTS.get(found["metadata"]["name"], "")


def _node_agent(snapshot: Snapshot, found: Object) -> dict[str, Any]:
    verdict, status = daemon_set_rolled_out(found), found.get("status") or {}
    return {
        "name": found["metadata"]["name"],
        "namespace": found["metadata"]["namespace"],
        "component": _agent(found),
        "version": version_of(found),
        "ready": verdict.ready,
        "state": verdict.state,
        "reasons": [] if verdict.ready else _reasons(_pods(snapshot, found)),
        "replicas": status.get("desiredNumberScheduled", 0),
        "available": status.get("numberAvailable", 0),
        "owner": owner_of(found).name,
    }


def _pods(snapshot: Snapshot, found: Object) -> list[Object]:
    selector = found["spec"]["selector"]
    return [pod for pod in snapshot.of(POD, found["metadata"]["namespace"]) if matches(selector, labels_of(pod))]


def _reasons(pods: Sequence[Object]) -> list[str]:
    """What keeps Pods from being ready, in the words of kubelet and scheduler, each once."""
    return list(dict.fromkeys(reason for pod in pods for reason in _troubles(pod)))


def _troubles(pod: Object) -> Iterator[str]:
    status = pod.get("status") or {}
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield _sentence(scheduled)
    for one in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        state = one.get("state") or {}
        trouble = state.get("waiting") or state.get("terminated") or {}
        if trouble.get("reason") not in (None, "ContainerCreating", "PodInitializing", "Completed"):
            yield f"{one['name']}: {_sentence(trouble)}"


def _sentence(found: Mapping[str, Any]) -> str:
    return ": ".join(str(found[key]) for key in ("reason", "message") if found.get(key))


def _webhook(found: Object, verdict: Verdict) -> dict[str, Any]:
    return {
        "name": found["metadata"]["name"],
        "kind": found["kind"],
        "revision": labels_of(found).get(REVISION_LABEL, ""),
        "tag": labels_of(found).get(TAG_LABEL, ""),
        "ready": verdict.ready,
        "state": verdict.state,
        "owner": owner_of(found).name,
    }
