"""Who installed an object, read from what each installer leaves behind."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.owners import OURS, owner_of


def written(*managers: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"managedFields": [{"manager": manager} for manager in managers], **metadata}}


RELEASE = {"meta.helm.sh/release-name": "istiod", "meta.helm.sh/release-namespace": "istio-system"}
SAIL = {"managed-by": "sail-operator"}


@pytest.mark.parametrize(
    ("found", "name", "description"),
    [
        (written("service_mesh.istio/control_plane"), OURS, "the collection service_mesh.istio"),
        (written("helm", annotations=RELEASE), "helm", "Helm release istio-system/istiod"),
        (written("helm", annotations=RELEASE, labels=SAIL), "sail", "the Sail operator"),
        (written("x", ownerReferences=[{"kind": "IstioRevision"}]), "sail", "the Sail operator"),
        (written("istio-operator"), "istioctl", "istioctl (or the Istio operator)"),
        (written("x", labels={"operator.istio.io/managed": "R"}), "istioctl", "istioctl (or the Istio operator)"),
        (written("kubectl", "argocd"), "unknown", "an unknown tool (last written by: kubectl, argocd)"),
        (written(), "unknown", "an unknown tool (last written by: unknown)"),
    ],
)
def test_who_installed_an_object_is_read_from_what_they_left(
    found: dict[str, Any], name: str, description: str
) -> None:
    owner = owner_of(found)
    assert (owner.name, owner.description) == (name, description)
