# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The objects of a revision tag, made as Istio itself makes them for the revision that it points to.

They are objects of their own: a Helm release that had them would take them along, and two releases with one tag
would fight for it.
Source: Istio's chart istio-discovery of 1.28 to 1.31 (revision-tags-mwc.yaml, revision-tags-svc.yaml), and istioctl
(pkg/tag), which takes service, path and CA from the webhook of the revision, as is done here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.resources import MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from .facts import REVISION_LABEL, ROOT_NAMESPACE, TAG_LABEL
from .injector import selectors
from .webhooks import DEFAULT_REVISION, DEFAULT_VALIDATOR, SUFFIX

VALIDATED_GROUPS = ("security.istio.io", "networking.istio.io", "telemetry.istio.io", "extensions.istio.io")
_OF_ISTIO = {"app.kubernetes.io/name": "istiod", "app.kubernetes.io/part-of": "istio"}
# What a webhook says beside whom it is for.
_TAKEN = ("clientConfig", "sideEffects", "rules", "failurePolicy", "reinvocationPolicy", "admissionReviewVersions")
_TAKEN_OF_SERVICE = ("type", "externalName", "ports", "selector", "ipFamilyPolicy", "ipFamilies")


@dataclass(frozen=True)
class Revision:
    """A control plane, as far as its tags depend on it. `auto`: it injects what has no label at all."""

    name: str
    injector: Object
    service: Object
    auto: bool = False

    @property
    def hook(self) -> dict[str, Any]:
        """One of its webhooks: they differ only in whom they are for."""
        return next(dict(hook) for hook in self.injector["webhooks"] if hook["name"].endswith(SUFFIX))


def injector_name(tag: str, namespace: str) -> str:
    """Outside of the usual root namespace the chart adds the namespace, because the kind has none."""
    return f"istio-revision-tag-{tag}" + ("" if namespace == ROOT_NAMESPACE else f"-{namespace}")


def service_name(tag: str) -> str:
    return f"istiod-revision-tag-{tag}"


def injector_of_tag(tag: str, revision: Revision, namespace: str) -> Object:
    """The webhooks that send to a revision what is labelled with the tag."""
    taken = {key: value for key, value in revision.hook.items() if key in _TAKEN}
    return {
        "apiVersion": MUTATING_WEBHOOKS.api_version,
        "kind": MUTATING_WEBHOOKS.kind,
        "metadata": {
            "name": injector_name(tag, namespace),
            "labels": {"app": "sidecar-injector", **_labels(tag, revision)},
        },
        "webhooks": [
            {"name": f"{case}{SUFFIX}", **taken, "namespaceSelector": dict(namespaces), "objectSelector": dict(pods)}
            for case, (namespaces, pods) in selectors(tag, revision.auto).items()
        ],
    }


def service_of_tag(tag: str, revision: Revision, namespace: str) -> Object:
    """The name under which a revision's istiod is reached by its tag."""
    spec = {key: value for key, value in revision.service["spec"].items() if key in _TAKEN_OF_SERVICE}
    metadata = {
        "name": service_name(tag),
        "namespace": namespace,
        "labels": {"app": "istiod", "istio": "pilot", **_labels(tag, revision)},
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def validator_of_tag(revision: Revision) -> Object:
    """The validator of the tag `default`, where the base chart has made none: for what names no revision."""
    rule = {
        "operations": ["CREATE", "UPDATE"],
        "apiGroups": list(VALIDATED_GROUPS),
        "apiVersions": ["*"],
        "resources": ["*"],
    }
    client = revision.hook["clientConfig"]
    service = {**client["service"], "path": "/validate"}
    hook = {
        "name": "validation.istio.io",
        "clientConfig": {**client, "service": service},
        "rules": [rule],
        # istiod makes it Fail when it is ready to answer.
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "objectSelector": {"matchExpressions": [{"key": REVISION_LABEL, "operator": "DoesNotExist"}]},
    }
    return {
        "apiVersion": VALIDATING_WEBHOOKS.api_version,
        "kind": VALIDATING_WEBHOOKS.kind,
        "metadata": {
            "name": DEFAULT_VALIDATOR,
            "labels": {"app": "istiod", "istio": "istiod", **_labels(DEFAULT_REVISION, revision)},
        },
        "webhooks": [hook],
    }


def _labels(tag: str, revision: Revision) -> dict[str, str]:
    return {REVISION_LABEL: revision.name, TAG_LABEL: tag, **_OF_ISTIO}
