# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tag `default` changes in objects that belong to the control plane, and how it is put back.

While the tag exists, the injector without a revision must match nothing (with both, 43 of the 144 combinations of
labels would be injected twice), and the default validator asks the tag's revision. Both objects keep their owner:
whoever applies them applies them so. What they said before stands in an annotation of the tag.
Source: istioctl (pkg/tag, DeactivateIstioInjectionWebhook), which keeps no record of what was there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..kube.client import Object
from ..kube.resources import MUTATING_WEBHOOKS
from .facts import REVISION_LABEL, TAG_LABEL
from .injector import NEVER, selectors
from .webhooks import DEFAULT_REVISION, SUFFIX, annotations_of, labels_of

RECORD = "service-mesh-istio/before-default-tag"
Record = Mapping[str, Any]


def is_default_injector(found: Object) -> bool:
    """Whether it is the injector of the control plane without a revision."""
    labels = labels_of(found)
    of_default = labels.get(REVISION_LABEL) == DEFAULT_REVISION and TAG_LABEL not in labels
    return of_default and str(found["kind"]) == MUTATING_WEBHOOKS.kind


def is_deactivated(injector: Object) -> bool:
    """Whether none of its webhooks matches anything."""
    return all(hook.get("namespaceSelector") == NEVER for hook in injector["webhooks"])


def beside_default_tag(objects: Iterable[Object], tag: Object | None) -> list[Object]:
    """The objects of a control plane as they have to be while a tag `default` is there."""
    return [deactivated(content, content) if tag and is_default_injector(content) else content for content in objects]


def record_of(tag: Object | None, injector: Object | None, validator: Object | None) -> Record:
    """What was there before the tag: what the tag says of it, or for a new tag what is there now."""
    text = annotations_of(tag).get(RECORD) if tag else None
    if text:
        found: Record = json.loads(text)
        return found
    return {
        **({"selectors": _selectors(injector)} if injector else {}),
        **({"validator": validates(validator)} if validator else {}),
    }


def recorded(tag: Object, record: Record) -> Object:
    """The tag's webhooks with the record."""
    annotations = {RECORD: json.dumps(record, sort_keys=True)}
    return {**tag, "metadata": {**tag["metadata"], "annotations": annotations}}


def deactivated(content: Object, live: Object) -> Object:
    """What somebody applies of an injector, so that it matches nothing."""
    return _with_selectors(content, {hook["name"]: (NEVER, NEVER) for hook in live["webhooks"]})


def reactivated(content: Object, live: Object, record: Record) -> Object:
    """The same with the selectors that it had before."""
    before = {**_selectors(live), **record.get("selectors", {})}
    return _with_selectors(content, {hook["name"]: before[hook["name"]] for hook in live["webhooks"]})


def validates(validator: Object) -> dict[str, str]:
    """Who validates what names no revision. A validator that is reached by a URL has no Service."""
    service = validator["webhooks"][0]["clientConfig"].get("service") or {}
    return {"revision": labels_of(validator).get(REVISION_LABEL, DEFAULT_REVISION), "service": service.get("name", "")}


def pointed(content: Object, live: Object, revision: str, service: str) -> Object:
    """What somebody applies of the default validator, so that another revision validates."""
    there = {hook["name"]: hook for hook in content.get("webhooks") or []}
    hooks = []
    for found in live["webhooks"]:
        hook = there.get(found["name"]) or {"name": found["name"]}
        client = hook.get("clientConfig") or {}
        place = {"namespace": found["clientConfig"]["service"]["namespace"], **(client.get("service") or {})}
        hooks.append({**hook, "clientConfig": {**client, "service": {**place, "name": service}}})
    labels = {**labels_of(content), REVISION_LABEL: revision}
    return {**content, "metadata": {**content["metadata"], "labels": labels}, "webhooks": hooks}


def pointed_back(content: Object, live: Object, record: Record, services: Collection[str]) -> Object:
    """The same as it was before the tag; what validated then and is gone now cannot validate again."""
    now, before = validates(live), record.get("validator") or {}
    if not now["service"]:
        return content
    target = before if before.get("service") in services else now
    return pointed(content, live, target["revision"], target["service"])


def _selectors(injector: Object) -> dict[str, Any]:
    """Selectors by the names of the webhooks; where istioctl has taken them away, those that Istio's chart makes."""
    names = [hook["name"] for hook in injector["webhooks"]]
    made = selectors(DEFAULT_REVISION, auto=f"auto.{SUFFIX}" in names)
    return {
        hook["name"]: list(made.get(hook["name"].removesuffix(SUFFIX), (NEVER, NEVER)))
        if hook.get("namespaceSelector") == NEVER
        else [hook.get("namespaceSelector") or {}, hook.get("objectSelector") or {}]
        for hook in injector["webhooks"]
    }


def _with_selectors(content: Object, chosen: Mapping[str, Any]) -> Object:
    there = {hook["name"]: hook for hook in content.get("webhooks") or []}
    hooks = [
        {**there.get(name, {"name": name}), "namespaceSelector": dict(namespaces), "objectSelector": dict(pods)}
        for name, (namespaces, pods) in chosen.items()
    ]
    return {**content, "webhooks": hooks}
