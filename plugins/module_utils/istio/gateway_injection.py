# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which control plane gives a gateway its proxy, and when the proxy has to be renewed.

A gateway has no image of its own: its Pods get their proxy by injection, when
they are made. So a new version of the control plane reaches a gateway by a
restart, and a restart is a change of the Pod template like any other: an
annotation says for which proxy the Pods were last made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.pods import stays
from ..kube.resources import MUTATING_WEBHOOKS, NAMESPACE, POD
from ..reconcile.objects import Key
from .decision import Decision, injectors_of
from .desired_gateway import GatewayDeployment
from .desired_proxies import difference
from .facts import INJECTION_LABEL, REVISION_LABEL
from .gateway_objects import There, selector_of
from .remote_record import remotes_of
from .restarts import Restart
from .second_filter import subject_of
from .status import proxy_versions
from .webhooks import annotations_of, labels_of, tags_of

MADE_FOR = "service-mesh-istio/proxy"


class NotInjected(Failure):
    """No control plane, or another one, would give the gateway its proxy."""

    code = "not_injected"


@dataclass(frozen=True)
class Injector:
    """The control plane that injects the Pods, as webhooks and labels are now; unknown while there is none."""

    revision: str = ""
    version: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def proxy(self) -> str:
        """The proxy that a Pod would get today, in a word."""
        return f"{self.revision}/{self.version}" if self.revision else ""


def injector_of(there: There, workload: Object, check_mode: bool) -> Injector:
    """Who injects the Pods of a workload. Raises NotInjected, but not where the control plane is only planned."""
    webhooks = there.snapshot.of(MUTATING_WEBHOOKS)
    if not webhooks and check_mode:
        return Injector(warnings=[f"No control plane is there yet that could inject {there.wanted}"])
    # The chart's own label asks for injection, so what else an istiod is told about it does not matter.
    subject = subject_of(workload["spec"]["template"], there.wanted.namespace, _namespace_labels(there))
    revision = _meant(there, injectors_of(there.snapshot).decide(subject))
    version = proxy_versions(there.snapshot).get(revision, "")
    unknown = [one.uncompared for one in remotes_of(there.snapshot) if one.revision == revision and not version]
    return Injector(revision, version, unknown or _warnings(there.wanted, revision, version))


def _warnings(wanted: GatewayDeployment, revision: str, version: str) -> list[str]:
    if version and version.partition("-")[0] != wanted.version.partition("-")[0]:
        return [
            f"{wanted} gets its proxy from the control plane '{revision}', which is {version}: "
            f"so is its proxy, although 'version' says {wanted.version}"
        ]
    return []


def _namespace_labels(there: There) -> dict[str, str]:
    namespace = there.snapshot.named(NAMESPACE, there.wanted.namespace)
    return dict(labels_of(namespace)) if namespace else {}


def _meant(there: There, decision: Decision) -> str:
    """The revision that injects, if it is the one that is asked for."""
    asked, found = there.wanted.revision, decision.revisions
    possible = {asked, *tags_of(there.snapshot.of(MUTATING_WEBHOOKS)).get(asked, ())} if asked else set(found)
    meant = [revision for revision in found if revision in possible]
    if meant:
        return meant[0]
    if found:
        raise _injected_by_another(there, found[0])
    raise _injected_by_nobody(there, decision)


def _injected_by_another(there: There, revision: str) -> NotInjected:
    label = _deciding_label(there)
    return NotInjected(
        f"The revision '{there.wanted.revision}' would not inject {there.wanted} on {there.client.name}",
        subject="revision",
        reason=f"the label {label} of its namespace wins, and gives it a proxy of '{revision}'",
        hint="Take that label from the namespace, set it to the revision that you mean, or give the gateway a "
        "namespace of its own",
    )


def _injected_by_nobody(there: There, decision: Decision) -> NotInjected:
    return NotInjected(
        f"No control plane would inject {there.wanted} on {there.client.name}",
        subject="revision",
        reason=decision.because,
        hint="A gateway gets its proxy by injection and would never start. Install the control plane first, correct "
        "'revision', or correct the label of the namespace",
    )


def _deciding_label(there: There) -> str:
    labels = _namespace_labels(there)
    return next((f"{name}={labels[name]}" for name in (INJECTION_LABEL, REVISION_LABEL) if name in labels), "")


def made_for(workload: Object, live: Object | None, pods: Sequence[Object], injector: Injector) -> Object:
    """The workload with the proxy named for which its Pods are made; another name than before renews them.

    Pods that have that proxy already, whoever restarted them, are left alone.
    """
    name = injector.proxy if live is None or outdated(pods, injector) else _made_for(live)
    if not name:
        return workload
    template = workload["spec"]["template"]
    metadata = template["metadata"]
    annotations = {**(metadata.get("annotations") or {}), MADE_FOR: name}
    template = {**template, "metadata": {**metadata, "annotations": annotations}}
    return {**workload, "spec": {**workload["spec"], "template": template}}


def outdated(pods: Sequence[Object], injector: Injector) -> dict[str, str]:
    """Pods with another proxy than they would get today, and why, by name."""
    reasons = {pod["metadata"]["name"]: difference(pod, [injector.revision], injector.version) for pod in pods}
    return {name: reason for name, reason in reasons.items() if reason} if injector.revision else {}


def restart_of(
    live: Object | None, planned: Object, pods: Sequence[Object], injector: Injector
) -> list[dict[str, Any]]:
    """The restart that a plan brings, for a result: none when nothing runs, or what runs is right."""
    reasons = outdated(pods, injector)
    if live is None or not reasons or _made_for(live) == _made_for(planned):
        return []
    key, reason = Key.of(live), next(iter(reasons.values()))
    return [Restart(key.kind, key.namespace, key.name, len(reasons), reason, "restart", gateway=True).told()]


def _made_for(workload: Object) -> str:
    return annotations_of(workload["spec"]["template"]).get(MADE_FOR, "")


def pods_of(client: Client, workload: Object) -> list[Object]:
    """The Pods of a workload that are there to stay."""
    labels = ",".join(f"{name}={value}" for name, value in selector_of(workload).items())
    found = client.list_objects(POD, workload["metadata"]["namespace"], labels=labels)
    return list(filter(stays, found))
