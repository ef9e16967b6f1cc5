# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readiness ladder of a control plane: not slept for, but proved rung by rung.

istiod's replicas are available; its Service has an endpoint; the injector has
its CA; the validator has its CA and fails closed; and an object that must be
refused is refused. The node agents are on every node that shall have them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from ..kube.client import Object, remaining
from ..kube.errors import ApiError, DeniedByWebhook
from ..kube.pods import Pods
from ..kube.resources import (
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    MUTATING_WEBHOOKS,
    SERVICE,
    STATEFUL_SET,
    VALIDATING_WEBHOOKS,
    Resource,
)
from ..kube.wait import (
    Events,
    Judge,
    NotReady,
    Verdict,
    Wait,
    daemon_set_rolled_out,
    deployment_available,
    newest,
    stateful_set_rolled_out,
)
from ..reconcile.objects import Key
from .desired_control_plane import ISTIOD, ControlPlane
from .facts import REVISION_LABEL
from .kinds import GATEWAY
from .revisions import shown

_PAUSE = 0.3
# Every version of istiod refuses a Gateway with this annotation; its own readiness check
# uses it (Istio: pkg/webhooks/validation/controller, alwaysReject).
_REFUSED: Object = {
    "apiVersion": GATEWAY.resource.api_version,
    "kind": GATEWAY.resource.kind,
    "metadata": {
        "name": "service-mesh-istio-must-be-refused",
        "annotations": {"internal.istio.io/webhook-always-reject": "true"},
    },
    "spec": {},
}


def await_control_plane(wait: Wait, objects: list[Object], wanted: ControlPlane) -> None:
    """Climb the ladder. Raises NotReady with the rung that does not hold.

    The webhooks of a remote cluster get their CA when its primary reads it, which comes after this.
    """
    if wanted.remote:
        return
    await_workloads(wait, [content for content in objects if content["kind"] == DEPLOYMENT.kind])
    if ISTIOD in wanted.components:
        _await_endpoint(wait, wanted.istiod, wanted.namespace)
    judged = _webhooks_of(objects, shown(wanted.revision))
    for key in judged:
        resource, judge = _WEBHOOKS[key.kind]
        wait.until(resource, key.name, None, judge)
    if ISTIOD in wanted.components and any(key.kind == VALIDATING_WEBHOOKS.kind for key in judged):
        _await_refusal(wait, GATEWAY.resource, wanted)
    await_workloads(wait, [content for content in objects if content["kind"] == DAEMON_SET.kind])


def await_workloads(wait: Wait, objects: Iterable[Object]) -> None:
    """Wait for the Deployments, DaemonSets and StatefulSets among some objects."""
    for key in map(Key.of, objects):
        if key.kind in WORKLOADS:
            resource, judge = WORKLOADS[key.kind]
            wait.until(resource, key.name, key.namespace, judge, Pods(wait.client))


def _webhooks_of(objects: Iterable[Object], revision: str) -> list[Key]:
    """Those that this revision's istiod fills in: the default validator may be another's."""
    return [
        Key.of(content)
        for content in objects
        if content["kind"] in _WEBHOOKS and (content["metadata"].get("labels") or {}).get(REVISION_LABEL) == revision
    ]


def _await_endpoint(wait: Wait, service: str, namespace: str) -> None:
    """Until the Service leads somewhere: an available Pod is no endpoint yet."""
    labels = f"kubernetes.io/service-name={service}"
    slices: list[Object] = []

    def judge(_service: Object | None) -> Verdict:
        slices[:] = wait.client.list_objects(ENDPOINT_SLICE, namespace, labels=labels)
        ready = any(has_ready_endpoint(found) for found in slices)
        return Verdict(ready=ready, state="" if ready else "no endpoint is ready yet")

    def next_change(_service: Object | None, verdict: Verdict) -> tuple[Verdict, Events]:
        return verdict, Events(ENDPOINT_SLICE, namespace, labels=labels, since=newest(slices))

    wait.until(SERVICE, service, namespace, judge, next_change)


def has_ready_endpoint(found: Object) -> bool:
    """Whether a slice leads somewhere; readiness that is not said is readiness (the API says so)."""
    endpoints = found.get("endpoints") or []
    return any((endpoint.get("conditions") or {}).get("ready") is not False for endpoint in endpoints)


def webhook_has_ca(found: Object | None) -> Verdict:
    if found is None:
        return Verdict(state="it does not exist")
    without = [hook["name"] for hook in found.get("webhooks") or [] if _needs_ca(hook)]
    return Verdict(ready=not without, state=f"no CA yet for {', '.join(without)}" if without else "")


def _needs_ca(hook: Object) -> bool:
    client = hook.get("clientConfig") or {}
    return "service" in client and not client.get("caBundle")


def validator_fails_closed(found: Object | None) -> Verdict:
    verdict = webhook_has_ca(found)
    if found is None or not verdict.ready:
        return verdict
    open_hooks = [hook["name"] for hook in found.get("webhooks") or [] if hook.get("failurePolicy") == "Ignore"]
    return Verdict(
        ready=not open_hooks, state=f"{', '.join(open_hooks)} still lets everything pass" if open_hooks else ""
    )


def validator_without_istiod(found: Object | None) -> Verdict:
    """That of a remote cluster, which nobody fills in: configuration is judged where its control plane has its own."""
    verdict = validator_fails_closed(found)
    hooks = (found or {}).get("webhooks") or []
    if verdict.ready or not hooks or any(hook.get("failurePolicy") != "Ignore" for hook in hooks):
        return verdict
    return Verdict(ready=True, state="lets everything pass, as its control plane is in another cluster")


_WEBHOOKS: Mapping[str, tuple[Resource, Judge]] = {
    MUTATING_WEBHOOKS.kind: (MUTATING_WEBHOOKS, webhook_has_ca),
    VALIDATING_WEBHOOKS.kind: (VALIDATING_WEBHOOKS, validator_fails_closed),
}
WORKLOADS: Mapping[str, tuple[Resource, Judge]] = {
    DEPLOYMENT.kind: (DEPLOYMENT, deployment_available),
    DAEMON_SET.kind: (DAEMON_SET, daemon_set_rolled_out),
    STATEFUL_SET.kind: (STATEFUL_SET, stateful_set_rolled_out),
}


def _await_refusal(wait: Wait, resource: Resource, wanted: ControlPlane) -> None:
    """A dry run of an object that istiod must refuse, until it does; its label asks this revision's."""
    namespace, labels = wanted.namespace, {REVISION_LABEL: shown(wanted.revision)}
    content = {**_REFUSED, "metadata": {**_REFUSED["metadata"], "namespace": namespace, "labels": labels}}
    reason = "it accepted an object that it must refuse"
    while True:
        wait.guard()
        try:
            wait.client.ask(resource, content, namespace, dry_run=True)
        except DeniedByWebhook:
            return
        except ApiError as error:
            reason = error.reason
        if not remaining(wait.deadline):
            raise NotReady("istiod does not validate configuration", subject="validating webhook", reason=reason)
        time.sleep(min(_PAUSE, remaining(wait.deadline)))
