# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Putting an object back as a whole, as an image of it says: who manages which field included.

Equal means: but for uid, resourceVersion, generation, timestamps, and what controllers count with the status.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import IN_DOUBT
from ..kube.resources import Resource
from .objects import comparable

_ASSIGNED = ("uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "deletionTimestamp")
# Counted by the controller of Deployments, with the status, at every renewal of Pods: one that goes back included.
_COUNTED = "deployment.kubernetes.io/revision"
_ATTEMPTS = 8
_Done = Callable[[Object, Object], bool]


def is_same(live: Object, image: Object) -> bool:
    """Whether an object is as the image says, down to its managers."""
    return says_the_same(live, image) and _managers(live) == _managers(image)


def says_the_same(live: Object, image: Object) -> bool:
    """Whether an object is as the image says, whoever manages it."""
    return _content(live) == _content(image)


def _content(found: Object) -> Object:
    content = comparable(found)
    annotations = content["metadata"].get("annotations") or {}
    kept = {key: value for key, value in annotations.items() if key != _COUNTED}
    return {**content, "metadata": {**content["metadata"], "annotations": kept}}


def _touched(found: Object) -> tuple[Object, list[Any]]:
    """What changes when anything but the status is written: by metadata, all that a write is answered with."""
    metadata = _content(found)["metadata"]
    kept = {key: found["metadata"].get(key) for key in ("uid", "generation")}
    entries = found["metadata"].get("managedFields") or []
    return {**metadata, **kept}, [entry for entry in entries if entry.get("subresource") != "status"]


def _managers(found: Object) -> list[str]:
    entries = found["metadata"].get("managedFields") or []
    return sorted(
        json.dumps({key: value for key, value in entry.items() if key != "time"}, sort_keys=True)
        for entry in entries
        if entry.get("subresource") != "status"
    )


def assignable(image: Object) -> Object:
    """An image without what only the server assigns."""
    metadata = {key: value for key, value in image["metadata"].items() if key not in _ASSIGNED}
    return {**image, "metadata": metadata}


def at_version(image: Object, now: Object) -> Object:
    """The image with the identity of the current object, so that a change by somebody else in between is noticed."""
    identity: dict[str, Any] = {key: now["metadata"][key] for key in ("uid", "resourceVersion")}
    content = assignable(image)
    return {**content, "metadata": {**content["metadata"], **identity}}


def put_back(client: Client, resource: Resource, image: Object, now: Object | None, manager: str) -> Object:
    """Content first, then ownership: a write always makes its own manager the owner of what it changes."""
    if now is None:
        written = _created(client, resource, image, manager)
    else:
        written = _replaced(client, resource, image, now, manager, says_the_same)
    return _replaced(client, resource, image, written, manager, is_same)


def _created(client: Client, resource: Resource, image: Object, manager: str) -> Object:
    """The created object; one whose answer was lost has been created when the object is as it shall be."""
    try:
        return client.create(resource, assignable(image), manager)
    except IN_DOUBT:
        there = _read(client, resource, image)
        if there is None or not says_the_same(there, image):
            raise
        return there


def _replaced(client: Client, resource: Resource, image: Object, seen: Object, manager: str, done: _Done) -> Object:
    """The replaced object, also where the answer was lost, or where a controller wrote its status in between.

    What somebody else has changed since it was seen is not replaced.
    """
    for _attempt in range(_ATTEMPTS - 1):
        try:
            return client.replace(resource, at_version(image, seen), manager, dry_run=False)
        except IN_DOUBT:
            there = _read(client, resource, image)
            if there is not None and done(there, image):
                return there
            if there is None or _touched(there) != _touched(seen):
                raise
            seen = there
    return client.replace(resource, at_version(image, seen), manager, dry_run=False)


def _read(client: Client, resource: Resource, image: Object) -> Object | None:
    metadata = image["metadata"]
    return client.get(resource, metadata["name"], metadata.get("namespace"))
