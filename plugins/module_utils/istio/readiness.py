# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The readiness ladder of a control plane: not slept for, but proved rung by rung.

istiod's replicas are available; the injector has its CA; the validator has
its CA and fails closed; and an object that must be refused is refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from ..kube.client import Object, remaining
from ..kube.errors import ApiError, DeniedByWebhook
from ..kube.resources import DEPLOYMENT, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, Resource
from ..kube.wait import NotReady, Verdict, Wait, deployment_available
from ..reconcile.objects import Key
from .kinds import GATEWAY

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


def await_control_plane(wait: Wait, objects: list[Object], namespace: str) -> None:
    """Climb the ladder. Raises NotReady with the rung that does not hold."""
    await_deployments(wait, objects)
    keys = [Key.of(content) for content in objects]
    for key in keys:
        if key.kind == MUTATING_WEBHOOKS.kind:
            wait.until(MUTATING_WEBHOOKS, key.name, None, webhook_has_ca)
        elif key.kind == VALIDATING_WEBHOOKS.kind:
            wait.until(VALIDATING_WEBHOOKS, key.name, None, validator_fails_closed)
    if any(key.kind == VALIDATING_WEBHOOKS.kind for key in keys):
        _await_refusal(wait, GATEWAY.resource, namespace)


def await_deployments(wait: Wait, objects: Iterable[Object]) -> None:
    """Wait for the Deployments among some objects."""
    for key in map(Key.of, objects):
        if key.kind == DEPLOYMENT.kind:
            wait.until(DEPLOYMENT, key.name, key.namespace, deployment_available)


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


def _await_refusal(wait: Wait, resource: Resource, namespace: str) -> None:
    """A dry run of an object that istiod must refuse, until it does."""
    content = {**_REFUSED, "metadata": {**_REFUSED["metadata"], "namespace": namespace}}
    reason = "it accepted an object that it must refuse"
    while True:
        try:
            wait.client.ask(resource, content, namespace, dry_run=True)
        except DeniedByWebhook:
            return
        except ApiError as error:
            reason = error.reason
        if not remaining(wait.deadline):
            raise NotReady("istiod does not validate configuration", subject="validating webhook", reason=reason)
        time.sleep(min(_PAUSE, remaining(wait.deadline)))
