# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a gateway: its Pods are injected and available, and the Service leads to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..kube.client import Client, Object
from ..kube.pods import Pods
from ..kube.resources import ENDPOINT_SLICE, SERVICE
from ..kube.wait import Events, Verdict, Wait, newest
from ..reconcile.objects import Key
from .gateway_injection import MADE_FOR, pods_of
from .pods import proxy_of
from .readiness import WORKLOADS
from .webhooks import annotations_of

# The image of the chart, which the injector replaces.
_NOT_INJECTED = "auto"


class GatewayPods:
    """Looks behind a gateway's workload: Pods that were not injected never start, and say so in words of their own."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pods = Pods(client)

    def __call__(self, found: Object | None, verdict: Verdict) -> tuple[Verdict, Events | None]:
        bare = [] if found is None else not_injected(found, pods_of(self._client, found))
        if bare:
            reason = "was not injected: its image is still 'auto', which is the name of no image"
            return Verdict(hopeless=True, state=f"Pod {bare[0]['metadata']['name']} {reason}"), None
        return self._pods(found, verdict)


def not_injected(workload: Object, pods: Sequence[Object]) -> list[Object]:
    """Pods of the present template without a proxy; those of an earlier one are on their way out."""
    made_for = annotations_of(workload["spec"]["template"]).get(MADE_FOR)
    return [
        pod
        for pod in pods
        if annotations_of(pod).get(MADE_FOR) == made_for and (proxy_of(pod) or {}).get("image") == _NOT_INJECTED
    ]


def await_workload(wait: Wait, workload: Object) -> None:
    """Until every Pod is injected and available. Raises NotReady with what keeps them."""
    key = Key.of(workload)
    resource, judge = WORKLOADS[key.kind]
    wait.until(resource, key.name, key.namespace, judge, GatewayPods(wait.client))


def await_moved(wait: Wait, service: str, workload: Object) -> None:
    """Until the Service leads to Pods of this workload, and to no others."""
    namespace = workload["metadata"]["namespace"]
    labels = f"kubernetes.io/service-name={service}"
    slices: list[Object] = []

    def judge(_service: Object | None) -> Verdict:
        slices[:] = wait.client.list_objects(ENDPOINT_SLICE, namespace, labels=labels)
        ours = {pod["metadata"]["name"] for pod in pods_of(wait.client, workload)}
        return leads_to(slices, ours)

    def next_change(_service: Object | None, verdict: Verdict) -> tuple[Verdict, Events]:
        return verdict, Events(ENDPOINT_SLICE, namespace, labels=labels, since=newest(slices))

    wait.until(SERVICE, service, namespace, judge, next_change)


def leads_to(slices: Sequence[Object], ours: set[str]) -> Verdict:
    """Whether the endpoints of a Service are ready ones of these Pods alone."""
    targets = [(str((endpoint.get("targetRef") or {}).get("name")), endpoint) for endpoint in _endpoints(slices)]
    others = sorted({name for name, _endpoint in targets if name not in ours})
    if others:
        return Verdict(state=f"it still leads to {', '.join(others)}")
    ready = any((endpoint.get("conditions") or {}).get("ready") is not False for _name, endpoint in targets)
    return Verdict(ready=ready, state="" if ready else "no endpoint is ready yet")


def _endpoints(slices: Sequence[Object]) -> Iterator[Object]:
    return (endpoint for found in slices for endpoint in found.get("endpoints") or [])
