# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How labels, tags and webhooks were before an upgrade, and what they have to become to be so again.

Of a namespace that is two labels and who manages them: everything else in it has nothing to do with an upgrade, and
may change meanwhile. Of tags and webhooks it is the whole object, without the CA that istiod writes into it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..kube.client import Object
from ..kube.resources import MUTATING_WEBHOOKS, NAMESPACE, SERVICE, VALIDATING_WEBHOOKS
from ..reconcile.images import assignable
from ..reconcile.objects import Key, overlaid
from .facts import INJECTION_LABEL, REVISION_LABEL, TAG_LABEL
from .snapshot import Snapshot
from .webhooks import is_istio, labels_of

LABELS = (INJECTION_LABEL, REVISION_LABEL)
_WEBHOOKS = (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS)
# What the server gives a Service once; a Service that is made anew is given others.
_ASSIGNED = ("clusterIP", "clusterIPs")
_IDENTITY = ("manager", "operation", "apiVersion", "subresource")


def objects_before(snapshot: Snapshot) -> list[Object]:
    """Images of Istio's webhooks and of the Services of tags."""
    return [_without_ca(assignable(found)) for found in _concerned(snapshot)]


def namespaces_before(snapshot: Snapshot) -> list[dict[str, Any]]:
    """The labels of every namespace that decide about injection; most have none."""
    return [
        {
            "name": found["metadata"]["name"],
            "labels": {label: value for label, value in labels_of(found).items() if label in LABELS},
            "managers": [
                {**entry, "fieldsV1": _labels_of_entry(entry)} for entry in _entries(found) if _labels_of_entry(entry)
            ],
        }
        for found in snapshot.of(NAMESPACE)
    ]


def _concerned(snapshot: Snapshot) -> Iterator[Object]:
    yield from (found for resource in _WEBHOOKS for found in snapshot.of(resource) if is_istio(found))
    yield from (found for found in snapshot.of(SERVICE) if TAG_LABEL in labels_of(found))


def _without_ca(image: Object) -> Object:
    if "webhooks" not in image:
        return image
    return {**image, "webhooks": [_hook_with(hook, {}) for hook in image["webhooks"]]}


def _hook_with(hook: Mapping[str, Any], ca: Mapping[str, Any]) -> dict[str, Any]:
    client = {key: value for key, value in hook["clientConfig"].items() if key != "caBundle"}
    return {**hook, "clientConfig": {**client, **ca}}


def objects_again(snapshot: Snapshot, images: Iterable[Object]) -> list[Object]:
    """The images, each with what only the cluster of today can give it."""
    authorities = {_target(hook): _ca(hook) for found in _concerned(snapshot) for hook in _hooks(found) if _ca(hook)}
    there = {Key.of(found): found for found in _concerned(snapshot)}
    return [_completed(image, there.get(Key.of(image)), authorities) for image in images]


def new_tags(snapshot: Snapshot, images: Iterable[Object], revision: str) -> list[Object]:
    """What belongs to tags that were not there before and lead to the new revision."""
    before = {Key.of(image) for image in images}
    return [
        found
        for found in _concerned(snapshot)
        if labels_of(found).get(TAG_LABEL)
        and labels_of(found).get(REVISION_LABEL) == revision
        and Key.of(found) not in before
    ]


def _completed(image: Object, live: Object | None, authorities: Mapping[str, Mapping[str, Any]]) -> Object:
    if image["kind"] == SERVICE.kind:
        kept = {key: value for key, value in image["spec"].items() if key not in _ASSIGNED}
        given = {key: value for key, value in (live or {"spec": {}})["spec"].items() if key in _ASSIGNED}
        return {**image, "spec": {**kept, **given}}
    own = {hook["name"]: _ca(hook) for hook in _hooks(live or {})}
    # A webhook that is there has the CA that it has; one that is gone has that of another one of its Service.
    hooks = [
        _hook_with(hook, own.get(hook["name"], {}) if live else authorities.get(_target(hook), {}))
        for hook in _hooks(image)
    ]
    return {**image, "webhooks": hooks}


def _hooks(found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return found.get("webhooks") or []


def _ca(hook: Mapping[str, Any]) -> dict[str, Any]:
    bundle = hook["clientConfig"].get("caBundle")
    return {"caBundle": bundle} if bundle else {}


def _target(hook: Mapping[str, Any]) -> str:
    service = hook["clientConfig"].get("service") or {}
    return f"{service.get('namespace')}/{service.get('name')}"


def namespaces_again(snapshot: Snapshot, before: Iterable[Mapping[str, Any]]) -> list[Object]:
    """The namespaces of before that are still there, as they are, with the labels of before."""
    there = {found["metadata"]["name"]: found for found in snapshot.of(NAMESPACE)}
    return [_relabelled(there[one["name"]], one) for one in before if one["name"] in there]


def _relabelled(live: Object, before: Mapping[str, Any]) -> Object:
    kept = {label: value for label, value in labels_of(live).items() if label not in LABELS}
    metadata = {**live["metadata"], "labels": {**kept, **before["labels"]}}
    metadata["managedFields"] = _managed(live, before["managers"])
    return {**live, "metadata": metadata}


def _managed(live: Object, before: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Who manages what: of the two labels as before, of everything else as it is."""
    entries = {_who(entry): {**entry, "fieldsV1": _without_labels(entry)} for entry in _entries(live)}
    for entry in before:
        there = entries.get(_who(entry), entry)
        entries[_who(entry)] = {**there, "fieldsV1": overlaid(there["fieldsV1"], entry["fieldsV1"])}
    return [entry for entry in entries.values() if entry["fieldsV1"]]


def _who(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry.get(part) or "") for part in _IDENTITY)


def _entries(found: Object) -> list[dict[str, Any]]:
    return found["metadata"].get("managedFields") or []


def _labels_of_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an entry that is about the two labels; nothing where it has none of them."""
    fields = (entry.get("fieldsV1") or {}).get("f:metadata", {}).get("f:labels", {})
    ours = {key: value for key, value in fields.items() if key.removeprefix("f:") in (*LABELS, ".")}
    return {"f:metadata": {"f:labels": ours}} if set(ours) - {"."} else {}


def _without_labels(entry: Mapping[str, Any]) -> dict[str, Any]:
    """An entry's fields but for the two labels; a mapping of which nothing is left goes, too."""
    fields = copy.deepcopy(dict(entry.get("fieldsV1") or {}))
    metadata = fields.get("f:metadata", {})
    labels = metadata.get("f:labels", {})
    named = [label for label in LABELS if f"f:{label}" in labels]
    for label in named:
        del labels[f"f:{label}"]
    if named and not set(labels) - {"."}:
        del metadata["f:labels"]
    if named and not set(metadata) - {"."}:
        del fields["f:metadata"]
    return fields
