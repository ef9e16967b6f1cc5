# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio's webhooks as a cluster has them: which would inject a Pod, which tag is which revision's, where they point to.

Evaluated from the webhooks' own selectors, so it is right for whoever installed them.
Source: istio-discovery, mutatingwebhook.yaml and revision-tags-mwc.yaml; pkg/webhooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..kube.client import Object
from .facts import REVISION_LABEL, TAG_LABEL
from .selectors import Labels, matches

DEFAULT_VALIDATOR = "istiod-default-validator"
DEFAULT_REVISION = "default"  # what labels call the control plane that has no revision
_BY_DEFAULT = "auto."  # the webhook that injects where no label says anything
_ISTIOD = "istiod"


def labels_of(found: Mapping[str, Any]) -> Labels:
    return found["metadata"].get("labels") or {}


def annotations_of(found: Mapping[str, Any]) -> Labels:
    return found["metadata"].get("annotations") or {}


def is_injector(configuration: Object) -> bool:
    return REVISION_LABEL in labels_of(configuration) and any(
        "sidecar-injector.istio.io" in hook["name"] for hook in configuration.get("webhooks") or []
    )


def is_istio(configuration: Object) -> bool:
    """Whether webhooks are Istio's, by label or by name."""
    hooks = configuration.get("webhooks") or []
    return REVISION_LABEL in labels_of(configuration) or any(hook["name"].endswith("istio.io") for hook in hooks)


def injecting_revisions(configurations: Iterable[Object], namespace: Labels, pod: Labels) -> list[str]:
    """The revisions whose webhooks match a Pod; more than one is a fault that Istio warns of."""
    found = [
        labels_of(configuration)[REVISION_LABEL]
        for configuration in configurations
        if is_injector(configuration) and any(_selects(hook, namespace, pod) for hook in configuration["webhooks"])
    ]
    return list(dict.fromkeys(found))


def _selects(hook: Mapping[str, Any], namespace: Labels, pod: Labels) -> bool:
    return matches(hook.get("namespaceSelector"), namespace) and matches(hook.get("objectSelector"), pod)


def injects_by_default(configuration: Object) -> bool:
    """Whether it injects where no label says anything (enableNamespacesByDefault)."""
    return is_injector(configuration) and any(
        hook["name"].startswith(_BY_DEFAULT) for hook in configuration["webhooks"]
    )


def tags_of(configurations: Iterable[Object]) -> dict[str, set[str]]:
    """Tags, each with the revision that it stands for."""
    tags: dict[str, set[str]] = {}
    for configuration in configurations:
        labels = labels_of(configuration)
        if labels.get(TAG_LABEL) and REVISION_LABEL in labels:
            tags.setdefault(labels[TAG_LABEL], set()).add(labels[REVISION_LABEL])
    return tags


def services_of(configuration: Object) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """Each webhook that calls a Service, with the Service's namespace and name."""
    for hook in configuration.get("webhooks") or []:
        service = (hook.get("clientConfig") or {}).get("service")
        if service:
            yield hook, service["namespace"], service["name"]


def revision_of_service(name: str) -> str:
    """The revision, or the tag, whose istiod a Service of that name leads to, or nothing."""
    if name == _ISTIOD:
        return DEFAULT_REVISION
    return name.removeprefix(f"{_ISTIOD}-").removeprefix("revision-tag-") if name.startswith(f"{_ISTIOD}-") else ""
