# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio's webhooks as a cluster has them: which would inject a Pod, which tag is which revision's, where they point to.

Evaluated from the webhooks' own selectors, so it is right for whoever installed them.
Source: istio-discovery, mutatingwebhook.yaml and revision-tags-mwc.yaml; pkg/webhooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from .facts import REVISION_LABEL, TAG_LABEL
from .selectors import Labels, matches

DEFAULT_VALIDATOR = "istiod-default-validator"
DEFAULT_REVISION = "default"  # what labels call the control plane that has no revision
SUFFIX = "sidecar-injector.istio.io"
_BY_DEFAULT = "auto."  # the webhook that injects where no label says anything
_ISTIOD = "istiod"


@dataclass(frozen=True)
class Hook:
    """One webhook of an injector: which Pods it is for, and whose istiod it asks."""

    configuration: str
    name: str
    revision: str
    tag: str
    place: str  # the namespace of the istiod, empty where it is reached by a URL
    namespaces: Mapping[str, Any]
    pods: Mapping[str, Any]

    @property
    def named(self) -> str:
        """What labels call it: the tag, or else the revision."""
        return self.tag or self.revision

    @property
    def case(self) -> str:
        """Which of the chart's cases it is: `rev.namespace`, `auto`, …."""
        return self.name.removesuffix(SUFFIX).rstrip(".")

    def selects(self, namespace: Labels, pod: Labels) -> bool:
        return matches(self.namespaces, namespace) and matches(self.pods, pod)

    def __str__(self) -> str:
        return f"{self.configuration}/{self.name}"


def labels_of(found: Mapping[str, Any]) -> Labels:
    return found["metadata"].get("labels") or {}


def annotations_of(found: Mapping[str, Any]) -> Labels:
    return found["metadata"].get("annotations") or {}


def is_injector(configuration: Object) -> bool:
    return REVISION_LABEL in labels_of(configuration) and any(
        SUFFIX in hook["name"] for hook in configuration.get("webhooks") or []
    )


def is_istio(configuration: Object) -> bool:
    """Whether webhooks are Istio's, by label or by name."""
    hooks = configuration.get("webhooks") or []
    return REVISION_LABEL in labels_of(configuration) or any(hook["name"].endswith("istio.io") for hook in hooks)


def hooks_of(configurations: Iterable[Object]) -> list[Hook]:
    """The webhooks of all injectors, in the order in which the API server asks them: by the configuration's name."""
    ordered = sorted(filter(is_injector, configurations), key=lambda found: str(found["metadata"]["name"]))
    return [_hook(found, hook) for found in ordered for hook in found["webhooks"]]


def _hook(configuration: Object, hook: Mapping[str, Any]) -> Hook:
    labels, service = labels_of(configuration), (hook.get("clientConfig") or {}).get("service") or {}
    return Hook(
        configuration=configuration["metadata"]["name"],
        name=hook["name"],
        revision=labels[REVISION_LABEL],
        tag=labels.get(TAG_LABEL, ""),
        place=service.get("namespace", ""),
        namespaces=hook.get("namespaceSelector") or {},
        pods=hook.get("objectSelector") or {},
    )


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
