# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking over what Helm, istioctl or somebody else has installed, without a change to what it says.

Objects are rendered as for any installation and compared with what is there. What may differ is who manages a field,
our records, and the marks by which the other tool knows its own. Anything else is a change: it is named, and refused
unless it is meant. The other tool's managers are retired from the objects, so that no field has two owners; what istiod
writes into its webhooks stays istiod's. A Helm release is retired by the label by which Helm finds it: all else of the
Secret stays as it was, so it is put back by that label.
Source of the marks: Helm 3 and 4 (pkg/action, pkg/storage/driver/secrets.go), istioctl (operator/pkg/install).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.resources import NAMESPACE
from ..reconcile.objects import Desired, Key, annotation_paths, changed_fields, comparable, label_paths
from ..reconcile.ownership import managers
from ..reconcile.plan import Action, Owner, Plan
from ..reconcile.read import read
from .facts import MANAGER_PREFIX
from .helm_releases import HelmRelease, releases_of, retired_release
from .owners import HELM, ISTIOCTL, OURS, SAIL, UNKNOWN, owner_of

ADOPTABLE = (HELM, ISTIOCTL, SAIL, UNKNOWN)
# The field managers of each tool; an unknown one is whoever has written, but for Istio and Kubernetes themselves.
_WRITERS: Mapping[str, tuple[str, ...]] = {
    HELM: ("helm", "Helm"),
    ISTIOCTL: ("istio-operator", "istioctl"),
    SAIL: ("sail-operator", "manager", "helm", "Helm"),
}
_RUNTIME = ("pilot-discovery", "kube-controller-manager", "kube-apiserver", "kubelet", "istio.io/gateway-controller")
# By these a tool knows its own, or prunes what it does not render any more.
_LABELS = ("operator.istio.io/managed", "operator.istio.io/version", "managed-by")
_ANNOTATIONS = ("meta.helm.sh/release-name", "meta.helm.sh/release-namespace")
_MAY_CHANGE = (
    "metadata.managedFields",
    *(f"metadata.annotations.[{name}]" for name in _ANNOTATIONS),
    "metadata.annotations.[service-mesh-istio/",
    "metadata.labels.[service-mesh-istio/",
    *(f"metadata.labels.[{name}]" for name in _LABELS),
    "metadata.labels.managed-by",
)
_SHOWN = 20


class WouldChange(Failure):
    """Taking over would change what is there."""

    code = "would_change"


@dataclass
class Adoption:
    """What is taken over from whom; filled while the objects are looked at."""

    client: Client
    owners: frozenset[str]
    changes: bool
    found: dict[Key, str] = field(default_factory=dict)
    releases: list[HelmRelease] = field(default_factory=list)

    def desired(self, objects: Iterable[Desired]) -> list[Desired]:
        """The objects, those of another owner with everything that takes them over; and the Helm releases of these."""
        wanted = list(objects)
        if not self.owners:
            return wanted
        live = read(
            self.client,
            {one.key: self.client.resource(one.key.api_version, one.key.kind) for one in wanted},
            lambda _key, _live: True,
        )
        taken = [self._taken(one, live.get(one.key)) for one in wanted]
        self.releases = releases_of(self.client, live.values())
        return [*taken, *map(retired_release, self.releases)]

    def _taken(self, desired: Desired, live: Object | None) -> Desired:
        is_ground = desired.key.kind == NAMESPACE.kind  # others have things in it, whoever made it
        writers = writers_of(live, self.owners) if live and not is_ground else ()
        if not writers:
            return desired
        self.found[desired.key] = ", ".join(writers)
        kept = desired.content["metadata"]
        return replace(
            desired,
            retires=writers,
            drops=(
                *label_paths(*(name for name in _LABELS if name not in (kept.get("labels") or {}))),
                *annotation_paths(*(name for name in _ANNOTATIONS if name not in (kept.get("annotations") or {}))),
            ),
        )

    def owner(self, owner: Owner) -> Owner:
        """Who applies, with what is taken over; known when the objects have been looked at.

        A release is retired first: killed after that, the next run still finds by the objects what to take over.
        """
        stages = {**owner.stages, **{release.key: -1 for release in self.releases}}
        return replace(owner, take_ownership_from=(*owner.take_ownership_from, *self.writers), stages=stages)

    @property
    def writers(self) -> tuple[str, ...]:
        return tuple(sorted({name for writers in self.found.values() for name in writers.split(", ")}))

    def review(self, plan: Plan) -> list[str]:
        """Warnings of what changes. Raises WouldChange unless that is meant."""
        said = [*self._changes(plan), *self._forgotten(plan)]
        if said and not self.changes:
            more = f"; and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
            raise WouldChange(
                f"Taking over what is on {self.client.name} would change it",
                subject=said[0].partition(":")[0],
                reason="; ".join(said[:_SHOWN]) + more,
                hint="Say in the inventory what the cluster has (the ConfigMap 'values' of the control plane holds its "
                "'original-values'), or if these changes are meant: 'adopt_changes: true'. Nothing has been written",
            )
        return [f"Taking over changes {line}" for line in said]

    def _changes(self, plan: Plan) -> Iterator[str]:
        for action in plan.writes:
            fields = [name for name in _fields(action) if not name.startswith(_MAY_CHANGE)]
            if action.verb == "create" and self.found:
                yield f"{action.key}: it does not exist"
            elif action.key in self.found and fields:
                yield f"{action.key}: {', '.join(fields[:_SHOWN])}"
            elif action.verb == "delete" and self.owners:
                yield f"{action.key}: it is not wanted"

    def _forgotten(self, plan: Plan) -> Iterator[str]:
        """What the Helm release has beside that: nobody would manage it any more."""
        ours = {(action.key.group_kind, action.key.namespace, action.key.name) for action in plan.actions}
        for release in self.releases:
            for key in release.objects:
                place = (key.group_kind, key.namespace, key.name)
                if place not in ours and (key.group_kind, "", key.name) not in ours:
                    yield f"{key}: it is in the Helm release {release.name}, and this task does not want it"

    def told(self) -> dict[str, Any]:
        """For a result, where it was asked for: how much, from whom, and how a Helm release is put back."""
        taken = {
            "objects": len(self.found),
            "managers": list(self.writers),
            "releases": [release.told() for release in self.releases],
        }
        return {"adopted": taken} if self.owners else {}


def _fields(action: Action) -> Iterator[str]:
    """The fields that change; of labels and annotations each by itself, when the last of them goes, too."""
    before, after = (_with_maps(comparable(found)) for found in (action.before, action.after))
    return changed_fields(before, after)


def _with_maps(found: Object) -> Object:
    return {**found, "metadata": {"labels": {}, "annotations": {}, **found.get("metadata", {})}}


def writers_of(live: Object, owners: frozenset[str]) -> tuple[str, ...]:
    """The managers that are retired from an object, when its owner may be taken over from."""
    owner = owner_of(live).name
    there = [name for name in managers(live) if not name.startswith(MANAGER_PREFIX) and name not in _RUNTIME]
    if owner == OURS:  # a run that was killed may have left their part beside ours
        known = {name for tool in owners for name in _WRITERS.get(tool, ())}
        return tuple(name for name in there if name in known)
    if owner not in owners:
        return ()
    return tuple(name for name in there if owner == UNKNOWN or name in _WRITERS[owner])
