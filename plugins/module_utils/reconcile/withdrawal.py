# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking away what a run has created, as long as it is only that.

Others may have written to it since: what they have put there goes with it, so it is left then. A status is no such
thing, nor are finalizers, which are there to be told of the end, nor fields that controllers maintain anyway.
A Namespace takes along whatever is in it, so it is left when anything is.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from ..kube.client import Client, Object
from ..kube.errors import ApiError, Conflict, Failure
from ..kube.resources import NAMESPACE, Resource
from .objects import Key, Path, is_ending, version_of
from .ownership import entries_of, others_since, unmaintained
from .plan import Action, Owner

_ATTEMPTS = 8
_FINALIZERS: Path = ("metadata", "finalizers")
# Controllers make these in every namespace (Kubernetes, istiod, OpenShift), or beside whatever is in it.
_EVERYWHERE = frozenset(
    (kind, name)
    for kind, names in {
        "ServiceAccount": ("default", "builder", "deployer"),
        "ConfigMap": ("kube-root-ca.crt", "istio-ca-root-cert", "istio-ca-crl", "openshift-service-ca.crt"),
        "RoleBinding": ("system:image-pullers", "system:image-builders", "system:deployers"),
    }.items()
    for name in names
)
# Forbidden; not served; not a kind of which there are lists.
_NOT_TO_BE_SEEN = (403, 404, 405)
_ACCESSORIES = frozenset({"Endpoints", "EndpointSlice", "Event", "Lease"})


def withdraw(client: Client, owner: Owner, action: Action, created: Object) -> None:
    """Delete what was created. Raises Failure where it is not only ours any more."""
    if action.resource == NAMESPACE:
        _require_empty(client, action.key.name)
    seen = created
    for _attempt in range(_ATTEMPTS - 1):
        try:
            _delete(client, action, seen)
            return
        except Conflict:
            now = client.get(action.resource, action.key.name, action.key.namespace or None)
            if now is None or is_ending(now):
                return
            _require_untouched(owner, action, created, now)
            seen = now
    _delete(client, action, seen)


def _delete(client: Client, action: Action, seen: Object) -> None:
    uid, namespace = seen["metadata"]["uid"], action.key.namespace or None
    client.delete(action.resource, action.key.name, namespace, uid=uid, version=version_of(seen), dry_run=False)


def _require_untouched(owner: Owner, action: Action, created: Object, now: Object) -> None:
    if now["metadata"]["uid"] != created["metadata"]["uid"]:
        raise _left(action, "somebody has deleted it and created another one")
    maintained = [*owner.co_owned_of(action.key.group_kind, now), _FINALIZERS]
    was, is_now = unmaintained(created, maintained), unmaintained(now, maintained)
    ours = _managers(owner, action)
    others = others_since(was, is_now, ours)
    if others:
        raise _left(action, f"{', '.join(others)} wrote it as well, after this run had created it")
    if entries_of(was, ours) != entries_of(is_now, ours):
        raise _left(action, "another run of this task wrote it as well")


def _managers(owner: Owner, action: Action) -> Container[str]:
    return (owner.manager_of(action.desired), *action.desired.retires) if action.desired else (owner.manager,)


def _left(action: Action, why: str) -> Failure:
    return Failure(f"{action.key} is not ours alone", subject=str(action.key), reason=why)


def _require_empty(client: Client, namespace: str) -> None:
    """Refuse to delete a namespace with something in it, as far as this user may look."""
    inhabitant = next(_inhabitants(client, namespace), None)
    if inhabitant:
        raise Failure(
            f"Namespace {namespace} is not empty", subject=f"Namespace {namespace}", reason=f"{inhabitant} is in it"
        )


def _inhabitants(client: Client, namespace: str) -> Iterator[Key]:
    """What would go with a namespace and is not going anyway. What belongs to something else here goes with that."""
    resources = [resource for resource in client.known if resource.namespaced]
    seen = {resource.kind for resource in resources}
    for resource in resources:
        if resource.kind in _ACCESSORIES:
            continue
        for found in _listed(client, resource, namespace):
            owners = found["metadata"].get("ownerReferences") or []
            is_owned = any(owner["kind"] in seen for owner in owners)
            key = Key(resource.api_version, resource.kind, namespace, found["metadata"]["name"])
            if not (is_owned or is_ending(found) or (key.kind, key.name) in _EVERYWHERE):
                yield key


def _listed(client: Client, resource: Resource, namespace: str) -> Iterator[Object]:
    try:
        yield from client.list_metadata(resource, namespace)
    except ApiError as error:
        if error.status not in _NOT_TO_BE_SEEN:
            raise
