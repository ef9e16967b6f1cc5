# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who installed the Istio that is in a cluster, read from what installers leave behind.

Source: labels and annotations of Helm 3 and 4, of istioctl
(operator/pkg/install) and of the Sail operator (pkg/helm/postrenderer.go).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.resources import DEPLOYMENT, MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS
from ..reconcile.objects import Key
from ..reconcile.ownership import managers
from .facts import ISTIOD_SELECTOR, MANAGER_PREFIX, REVISION_LABEL

OURS = "service_mesh.istio"
SAIL, ISTIOCTL, HELM, UNKNOWN = "sail", "istioctl", "helm", "unknown"


@dataclass(frozen=True)
class Owner:
    """The tool behind an object; `name` is a word for playbooks, `description` one for people."""

    name: str
    description: str


class ForeignIstio(Failure):
    """Somebody else's Istio is in the cluster."""

    code = "foreign_istio"


def _helm(found: Object) -> str:
    annotations = found["metadata"].get("annotations") or {}
    release = annotations.get("meta.helm.sh/release-name")
    return f"Helm release {annotations.get('meta.helm.sh/release-namespace', '?')}/{release}" if release else ""


def _sail(found: Object) -> str:
    labels = found["metadata"].get("labels") or {}
    owners = [owner.get("kind", "") for owner in found["metadata"].get("ownerReferences") or []]
    return "the Sail operator" if labels.get("managed-by") == "sail-operator" or "IstioRevision" in owners else ""


def _istioctl(found: Object) -> str:
    managed = (found["metadata"].get("labels") or {}).get("operator.istio.io/managed")
    return "istioctl (or the Istio operator)" if managed or "istio-operator" in managers(found) else ""


# Asked in this order: Sail works through Helm, so its marks are looked for first.
_DETECTORS: tuple[tuple[str, Callable[[Object], str]], ...] = (
    (SAIL, _sail),
    (ISTIOCTL, _istioctl),
    (HELM, _helm),
)


def owner_of(found: Object) -> Owner:
    """Who installed an object."""
    if any(manager.startswith(MANAGER_PREFIX) for manager in managers(found)):
        return Owner(OURS, "the collection service_mesh.istio")
    for name, detect in _DETECTORS:
        description = detect(found)
        if description:
            return Owner(name, description)
    writers = ", ".join(managers(found)) or "unknown"
    return Owner(UNKNOWN, f"an unknown tool (last written by: {writers})")


def control_plane_objects(client: Client) -> Iterator[Object]:
    """What every installed control plane has: istiod's Deployments and its webhooks."""
    yield from client.list_objects(DEPLOYMENT, labels=ISTIOD_SELECTOR)
    yield from client.list_objects(MUTATING_WEBHOOKS, labels=REVISION_LABEL)
    yield from client.list_objects(VALIDATING_WEBHOOKS, labels=REVISION_LABEL)


def refuse_foreign(client: Client, objects: Iterable[Object], adopted: Collection[str] = ()) -> None:
    """Raise ForeignIstio when anything of the control planes in a cluster is neither ours nor to be taken over."""
    for found in objects:
        owner = owner_of(found)
        if owner.name != OURS and owner.name not in adopted:
            raise _foreign(client, found, owner)


def _foreign(client: Client, found: Object, owner: Owner) -> ForeignIstio:
    subject = str(Key.of(found))
    version = (found["metadata"].get("labels") or {}).get("app.kubernetes.io/version", "unknown version")
    return ForeignIstio(
        f"{client.name} already has an Istio that somebody else installed",
        subject=subject,
        reason=f"{subject} ({version}) belongs to {owner.description}",
        hint="Use 'mode: external' (mesh_mode) to work with it as it is, uninstall it with the tool that owns it, "
        f"or take it over with 'adopt: [{owner.name}]'",
    )
