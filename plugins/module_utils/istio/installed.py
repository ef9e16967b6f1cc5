# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster has of our control planes: the facts that an installation is compared with.

Each component that we install carries a record in annotations of one of its
objects: the version, the inventory that keeps it, and for what the revisions of
a cluster share, the revision with which it was installed. What was installed by
a version of this collection that wrote no records is known by its Deployment.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Client, Object
from ..kube.resources import CONFIG_MAP, DAEMON_SET, DEPLOYMENT, SERVICE_ACCOUNT, VALIDATING_WEBHOOKS, Resource
from .desired_control_plane import BASE, CNI, ISTIOD, ZTUNNEL, ControlPlane
from .facts import REVISION_LABEL
from .owners import OURS, control_plane_objects, owner_of, refuse_foreign
from .releases import image_tag
from .revisions import named, shown
from .values import Tree

_PREFIX = "service-mesh-istio"
VERSION, INVENTORY, REVISION = f"{_PREFIX}/version", f"{_PREFIX}/inventory", f"{_PREFIX}/revision"
PROTECTED = f"{_PREFIX}/protected"  # on the record of istiod: it may not be removed
# On what was taken over: the name of the Helm release that stands in the labels of all its objects.
RELEASE = f"{_PREFIX}/release"
_INSTANCE = "app.kubernetes.io/instance"
_SAID = (VERSION, INVENTORY, REVISION, RELEASE)
# Which object of a component carries its record: one that every version and every set of values renders.
_RECORDS: Mapping[str, tuple[Resource, str]] = {
    BASE: (SERVICE_ACCOUNT, "istio-reader-service-account"),
    ISTIOD: (CONFIG_MAP, "values"),
    CNI: (DAEMON_SET, "istio-cni-node"),
    ZTUNNEL: (DAEMON_SET, "ztunnel"),
}
DEFAULT_VALIDATOR = "istiod-default-validator"


@dataclass(frozen=True)
class Record:
    """What a component says of itself; what it does not say is empty."""

    version: str = ""
    inventory: str = ""
    revision: str = ""
    release: str = ""


@dataclass(frozen=True)
class Istiod:
    """A control plane that is there, with the values of its chart."""

    revision: str
    namespace: str
    record: Record
    values: Tree = field(default_factory=dict)


@dataclass(frozen=True)
class Installed:
    """Control planes by revision, and the records of what they share."""

    istiods: Mapping[str, Istiod]
    shared: Mapping[str, Record]
    default_revision: str = ""

    def release(self, component: str, revision: str) -> str:
        """The Helm release whose name the objects bear, where that is not ours."""
        istiod = self.istiods.get(revision)
        record = (istiod.record if istiod else None) if component == ISTIOD else self.shared.get(component)
        return record.release if record else ""


def installed(client: Client, wanted: ControlPlane) -> Installed:
    """What is there. Raises ForeignIstio when anything of it is not ours."""
    found = list(control_plane_objects(client))
    refuse_foreign(client, found, wanted.adopt)
    istiods = [_istiod(client, content) for content in found if content["kind"] == DEPLOYMENT.kind]
    if wanted.config_cluster:
        # The cluster runs control planes for meshes elsewhere, which have nothing to do with each other.
        istiods = [istiod for istiod in istiods if istiod.namespace == wanted.namespace]
    shared = {name: _record_of(client, name, wanted) for name in wanted.components if name != ISTIOD}
    return Installed(
        {istiod.revision: istiod for istiod in istiods},
        {name: record for name, record in shared.items() if record is not None},
        _default_revision(found),
    )


def recorded(objects: Iterable[Object], component: str, wanted: ControlPlane, release: str) -> list[Object]:
    """The objects of a component, with its record on the one that carries it."""
    resource, name = _RECORDS[component]
    name = named(name, wanted.revision) if component == ISTIOD else name
    record = {VERSION: wanted.version, REVISION: shown(wanted.revision)}
    record |= {INVENTORY: wanted.inventory} if wanted.inventory else {}
    record |= {RELEASE: release} if release else {}
    record |= {PROTECTED: "true"} if wanted.protected and component == ISTIOD else {}
    return [
        _annotated(content, record)
        if (content["kind"], content["metadata"]["name"]) == (resource.kind, name)
        else content
        for content in objects
    ]


def _annotated(content: Object, annotations: Mapping[str, str]) -> Object:
    metadata = content["metadata"]
    return {**content, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), **annotations}}}


def _istiod(client: Client, found: Object) -> Istiod:
    labels = found["metadata"].get("labels") or {}
    revision, namespace = str(labels.get(REVISION_LABEL) or ""), str(found["metadata"]["namespace"])
    revision = "" if revision == shown("") else revision
    values = client.get(CONFIG_MAP, named("values", revision), namespace) or {}
    record = record_of(values)
    return Istiod(
        revision,
        namespace,
        Record(record.version or _version(found), record.inventory, revision, record.release),
        values_in(values),
    )


def _version(found: Object) -> str:
    """Of an istiod without a record: its image's tag."""
    return image_tag(found["spec"]["template"]["spec"]["containers"][0])


def values_in(config_map: Mapping[str, Any]) -> Tree:
    """The chart's values with its defaults, as it leaves them for tools like this one."""
    try:
        found = json.loads((config_map.get("data") or {}).get("merged-values") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _record_of(client: Client, component: str, wanted: ControlPlane) -> Record | None:
    resource, name = _RECORDS[component]
    found = client.get(resource, name, wanted.namespace)
    return record_of(found) if found and owner_of(found).name in {OURS, *wanted.adopt} else None


def record_of(found: Mapping[str, Any]) -> Record:
    """What an object of a component says of it."""
    metadata = found.get("metadata") or {}
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    theirs = labels.get(_INSTANCE, "") if metadata and owner_of({**found, "metadata": metadata}).name != OURS else ""
    version, inventory, revision, release = (str(annotations.get(name) or "") for name in _SAID)
    return Record(version, inventory, revision, release or theirs)


def _default_revision(found: Iterable[Object]) -> str:
    """The revision that judges configuration without a revision of its own, as a label calls it."""
    names = (VALIDATING_WEBHOOKS.kind, DEFAULT_VALIDATOR)
    validators = (content for content in found if (content["kind"], content["metadata"]["name"]) == names)
    return next((str(content["metadata"]["labels"][REVISION_LABEL]) for content in validators), "")
