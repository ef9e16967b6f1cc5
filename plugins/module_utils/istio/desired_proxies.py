# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each Pod would get if it were made again today, or after a planned change, against what it has.

A restart makes Pods from the template of their workload, so that is what decides where it is known; and the Pod itself
where nobody has told who made it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Object
from ..kube.pods import stays
from ..kube.resources import DEPLOYMENT, LIMIT_RANGE, MUTATING_WEBHOOKS, NAMESPACE, POD
from .decision import Decision, Injectors, decision_asks, injectors_of
from .facts import ISTIOD_SELECTOR
from .pods import injected_by, living, proxy_of, proxy_version
from .proxy_settings import setting_differences, wish_of
from .releases import image_tag
from .second_filter import subject_of
from .selectors import Labels
from .snapshot import Ask, Snapshot
from .webhooks import annotations_of, hooks_of, labels_of
from .workload_kinds import KUBERNETES_KINDS, Owner, WorkloadKind, owner_of

_IMAGE = "sidecar.istio.io/proxyImage"
_VARIANTS = ("-distroless", "-debug")
_SHOWN = 100


@dataclass(frozen=True)
class Pending:
    """A Pod that a restart would change, and how."""

    namespace: str
    name: str
    owner: str
    reason: str


@dataclass(frozen=True)
class DesiredProxies:
    """The proxies that Pods of a cluster would get. `versions` are those of the revisions."""

    injectors: Injectors
    versions: Mapping[str, str]
    namespaces: Mapping[str, Labels]
    templates: Mapping[tuple[str, Owner], Mapping[str, Any]]
    limit_ranges: Mapping[str, Sequence[Object]]
    kinds: Sequence[WorkloadKind] = KUBERNETES_KINDS
    _decided: dict[int, tuple[Mapping[str, Any], Decision]] = field(default_factory=dict, compare=False)

    def source_of(self, pod: Object) -> Mapping[str, Any]:
        """What a Pod would be made from: the template of its workload, or else the Pod itself."""
        return self.templates.get((pod["metadata"]["namespace"], owner_of(pod, self.kinds))) or pod

    def decision_of(self, source: Mapping[str, Any], namespace: str) -> Decision:
        """Who would inject what is made from a template. Templates have many Pods, so an answer is remembered.

        It is found by the identity of the template, so the template is kept with it: no other gets the same.
        """
        key = id(source)
        if key not in self._decided:
            subject = subject_of(source, namespace, self.namespaces.get(namespace, {}))
            self._decided[key] = source, self.injectors.decide(subject)
        return self._decided[key][1]

    def version_of(self, decision: Decision, source: Mapping[str, Any]) -> str:
        """The version of the proxy that would come."""
        return (_pinned(source) or self.versions.get(decision.revision, "")) if decision.injected else ""

    def difference(self, pod: Object) -> str:
        """How a Pod differs from a new one, or nothing."""
        source, namespace = self.source_of(pod), pod["metadata"]["namespace"]
        decision = self.decision_of(source, namespace)
        found = difference(pod, decision.revisions, self.version_of(decision, source))
        if found or not decision.hook or not decision.injected or proxy_of(pod) is None:
            return found
        config, limits = self.injectors.config_of(decision.hook), self.limit_ranges.get(namespace, ())
        wish = wish_of(source if source is not pod else _own(pod), config, limits)
        return next((f"its proxy {text}" for text in setting_differences(pod, wish)), "")


def istiod_asks(first: Snapshot) -> list[Ask]:
    """The istiods behind the webhooks, whose versions new proxies have: where they are, and nowhere else."""
    places = sorted({hook.place for hook in hooks_of(first.of(MUTATING_WEBHOOKS)) if hook.place})
    return [Ask(DEPLOYMENT, place, labels=ISTIOD_SELECTOR) for place in places]


def desired_asks(first: Snapshot) -> list[Ask]:
    """What has to be read besides webhooks, which have to be there already, namespaces and workloads."""
    return [Ask(LIMIT_RANGE), *decision_asks(first)]


def desired_proxies(
    snapshot: Snapshot, versions: Mapping[str, str], kinds: Sequence[WorkloadKind] = KUBERNETES_KINDS
) -> DesiredProxies:
    """What the Pods of a snapshot would get, as far as it has webhooks, namespaces, workloads and limits."""
    templates = {
        (found["metadata"]["namespace"], Owner(kind.kind, found["metadata"]["name"])): kind.template_of(found)
        for kind in kinds
        for found in snapshot.of(kind.resource)
    }
    limits: dict[str, list[Object]] = {}
    for found in snapshot.of(LIMIT_RANGE):
        limits.setdefault(found["metadata"]["namespace"], []).append(found)
    namespaces = {found["metadata"]["name"]: labels_of(found) for found in snapshot.of(NAMESPACE)}
    return DesiredProxies(injectors_of(snapshot), versions, namespaces, templates, limits, kinds)


def pending(
    snapshot: Snapshot, versions: Mapping[str, str], kinds: Sequence[WorkloadKind] = KUBERNETES_KINDS
) -> Iterator[Pending]:
    """Pods that stay and whose proxy is not the one that they would get today."""
    desired = desired_proxies(snapshot, versions, kinds)
    for pod in snapshot.of(POD):
        reason = desired.difference(pod) if stays(pod) else ""
        if reason:
            yield Pending(pod["metadata"]["namespace"], pod["metadata"]["name"], str(owner_of(pod)), reason)


def pods_told(snapshot: Snapshot, versions: Mapping[str, str]) -> dict[str, Any]:
    """Injected and pending Pods in numbers, and the first of those that wait for a restart."""
    pods = list(living(snapshot))
    injected = [pod for pod in pods if proxy_of(pod)]
    waiting = list(pending(snapshot, versions))
    return {
        "total": len(pods),
        "injected": len(injected),
        "versions": dict(sorted(Counter(proxy_version(pod) or "unknown" for pod in injected).items())),
        "revisions": dict(sorted(Counter(injected_by(pod) or "unknown" for pod in injected).items())),
        "pending": len(waiting),
        "pending_pods": [vars(pod) for pod in waiting[:_SHOWN]],
    }


def difference(pod: Object, wanted: Sequence[str], newest: str) -> str:
    """How the proxy of a Pod differs from one of these revisions, the first of which has this version, or nothing."""
    has, revision, version = proxy_of(pod) is not None, injected_by(pod), proxy_version(pod)
    if not wanted:
        # A proxy without the mark of an injector was written by hand, or is a gateway that istiod deploys.
        return f"it has a proxy of revision {revision} and would get none" if has and revision else ""
    if not has:
        return f"it has no proxy and would get one of revision {wanted[0]}"
    if revision and revision not in wanted:
        return f"its proxy is of revision {revision}, and would be of {wanted[0]}"
    differs = version and newest and _plain(version) != _plain(newest)
    return f"its proxy is {version}, and would be {newest}" if differs else ""


def _plain(version: str) -> str:
    """A version without the variant of its image."""
    for variant in _VARIANTS:
        version = version.removesuffix(variant)
    return version


def _pinned(source: Mapping[str, Any]) -> str:
    """The version of an image that the template names whole."""
    image = annotations_of({"metadata": {}, **source}).get(_IMAGE, "")
    return image_tag({"image": image}) if "/" in image else ""


def _own(pod: Object) -> Mapping[str, Any]:
    """A Pod as the template that it may have been made from: without what the injector has added."""
    return {"metadata": pod["metadata"], "spec": {}}
