# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Putting an object back as a whole, as an image of it says: who manages which field included.

Equal means: but for uid, resourceVersion, generation and timestamps.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import Conflict, ServerError, TimedOut, Unreachable
from ..kube.resources import Resource
from .objects import comparable

_ASSIGNED = ("uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "deletionTimestamp")


def is_same(live: Object, image: Object) -> bool:
    """Whether an object is as the image says, down to its managers."""
    return comparable(live) == comparable(image) and _managers(live) == _managers(image)


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
        written = _once(client, resource, image, lambda: client.create(resource, assignable(image), manager))
    else:
        content = at_version(image, now)
        written = _once(client, resource, image, lambda: client.replace(resource, content, manager, dry_run=False))
    owned = at_version(image, written)
    return _once(client, resource, image, lambda: client.replace(resource, owned, manager, dry_run=False))


def _once(client: Client, resource: Resource, image: Object, write: Callable[[], Object]) -> Object:
    """The written object; a write whose answer was lost has been done when the object is as it shall be."""
    try:
        return write()
    except (Conflict, Unreachable, TimedOut, ServerError):
        metadata = image["metadata"]
        there = client.get(resource, metadata["name"], metadata.get("namespace"))
        if there is None or comparable(there) != comparable(image):
            raise
        return there
