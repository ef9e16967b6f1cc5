# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of each Pod the little that a rollout needs: what tens of thousands of Pods really differ in is a few templates."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from ..kube.client import Object
from ..kube.pods import stays
from .desired_proxies import DesiredProxies, desired_proxies
from .pods import PROXY
from .rollout_waves import Place
from .snapshot import Snapshot
from .webhooks import annotations_of, labels_of
from .workload_kinds import Owner, owner_of

# Labels that a controller gives its Pods one by one, and nobody's webhook asks for.
_OF_ONE_POD = frozenset(
    {
        "apps.kubernetes.io/pod-index",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
    }
)
_UNIMPORTANT = frozenset({"env", "volumeMounts"})
_OF_OWNER = ("kind", "name", "controller")
Filter = Callable[[Object], bool]


class SeenPod(NamedTuple):
    """A Pod that lives; its essence is shared with all that are alike."""

    place: Place
    name: str
    made: str
    essence: Object


@dataclass
class Essences:
    """Makes one object of all Pods that are alike."""

    known: dict[str, Object] = field(default_factory=dict)

    def seen(self, pod: Object) -> SeenPod | None:
        """None for one that is over or is being deleted: such Pods don't count."""
        metadata = pod["metadata"]
        if not stays(pod):
            return None
        essence = _essence(pod)
        shared = self.known.setdefault(json.dumps(essence, sort_keys=True), essence)
        owner = owner_of(pod)
        place = Place(owner.kind or "Pod", metadata["namespace"], owner.name or metadata["name"])
        return SeenPod(place, metadata["name"], str(metadata.get("creationTimestamp") or ""), shared)


def seen_pods(pods: Iterable[Object], essences: Essences) -> list[SeenPod]:
    return [seen for seen in map(essences.seen, pods) if seen]


def _essence(pod: Object) -> Object:
    metadata = pod["metadata"]
    owners = [{key: one[key] for key in _OF_OWNER if key in one} for one in metadata.get("ownerReferences") or []]
    kept = {
        "namespace": metadata["namespace"],
        "labels": {key: value for key, value in labels_of(pod).items() if key not in _OF_ONE_POD},
        "annotations": annotations_of(pod),
        "ownerReferences": owners,
    }
    return {"metadata": kept, "spec": essential_spec(pod["spec"])}


def essential_spec(spec: Mapping[str, Any]) -> Object:
    """What of a Pod, or of the template that makes it, is the injector's business. Of others, only the names."""
    parts = {part: list(map(_container, spec.get(part) or ())) for part in ("initContainers", "containers")}
    return {"hostNetwork": bool(spec.get("hostNetwork")), **{part: found for part, found in parts.items() if found}}


def _container(container: Mapping[str, Any]) -> Object:
    if container["name"] != PROXY:
        return {"name": container["name"]}
    return {key: value for key, value in container.items() if key not in _UNIMPORTANT}


def _everything(_pod: Object) -> bool:
    return True


@dataclass
class Judge:
    """How the proxy of a Pod differs from the one that it would get.

    `concerns` limits who is restarted to some Pods; what they get then is judged like everybody's. `named` are Pods, by
    namespace and name, that are to be made again whatever their proxies are, and nobody else then.
    """

    desired: DesiredProxies
    templates: dict[tuple[str, Owner], Mapping[str, Any]]
    concerns: Filter = _everything
    named: frozenset[str] = frozenset()

    @classmethod
    def of(cls, snapshot: Snapshot, versions: Mapping[str, str], concerns: Filter = _everything) -> Judge:
        desired = desired_proxies(snapshot, versions)
        templates = dict(desired.templates)
        return cls(replace(desired, templates=templates), templates, concerns)

    def __call__(self, pod: Object) -> str:
        """The difference of a Pod that is concerned in words, or nothing."""
        return self.difference(pod) if self.concerns(pod) and not self.named else ""

    def why_named(self, pod: SeenPod) -> str:
        return "its Pods were named" if f"{pod.place.namespace}/{pod.name}" in self.named else ""

    def difference(self, pod: Object) -> str:
        """The same, whoever it is."""
        return self.desired.difference(pod)

    def learn(self, place: Place, template: Mapping[str, Any]) -> None:
        """A workload's template as it is now. One that says the same stays: decisions are remembered by identity."""
        known = (place.namespace, Owner(place.kind, place.name))
        if self.templates.get(known) != template:
            self.templates[known] = template
