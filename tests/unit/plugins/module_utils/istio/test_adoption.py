"""From whom fields are taken over, and what a Helm release says of itself."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.adoption import writers_of
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.helm_releases import decoded, objects_of

HELM = {"annotations": {"meta.helm.sh/release-name": "istiod", "meta.helm.sh/release-namespace": "istio-system"}}
SAIL = {**HELM, "labels": {"managed-by": "sail-operator"}}
OURS = "service_mesh.istio/control_plane"


def written(*managers: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "managedFields": [{"manager": name} for name in managers], **metadata}}


@pytest.mark.parametrize(
    ("found", "owners", "writers"),
    [
        (written("helm", "pilot-discovery", **HELM), {"helm"}, ("helm",)),
        (written("helm", "kubectl-edit", **HELM), {"helm"}, ("helm",)),
        (written("helm", **HELM), {"istioctl"}, ()),
        (written("helm", **SAIL), {"helm"}, ()),
        (written("helm", **SAIL), {"sail"}, ("helm",)),
        (written("istio-operator", "pilot-discovery"), {"istioctl"}, ("istio-operator",)),
        (written("kubectl", "argocd", "kubelet", "pilot-discovery"), {"unknown"}, ("kubectl", "argocd")),
        (written("kubectl"), {"helm", "istioctl"}, ()),
        (written("helm", OURS), {"helm"}, ("helm",)),
        (written(OURS), {"helm"}, ()),
    ],
)
def test_whose_fields_are_taken_over(found: dict[str, Any], owners: set[str], writers: tuple[str, ...]) -> None:
    assert writers_of(found, frozenset(owners)) == writers


def test_a_release_names_its_objects() -> None:
    documents = (
        "kind: Service\napiVersion: v1\nmetadata: {name: a}",
        "# nothing",
        "kind: Role\napiVersion: v1\nmetadata: {name: b, namespace: other}",
    )
    manifest = "\n---\n".join(documents)
    packed = gzip.compress(json.dumps({"manifest": manifest}).encode())
    secret = {"data": {"release": base64.b64encode(base64.b64encode(packed)).decode()}}
    assert [str(key) for key in objects_of(decoded(secret), "place")] == ["Service place/a", "Role other/b"]


@pytest.mark.parametrize("data", [{}, {"release": "!"}, {"release": base64.b64encode(b"bm90").decode()}])
def test_a_release_that_cannot_be_read_names_none(data: dict[str, str]) -> None:
    assert list(objects_of(decoded({"data": data}), "place")) == []
