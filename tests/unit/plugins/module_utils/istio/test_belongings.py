"""Whose an object is: by its chart, its label of the revision, and by its name only where the charts give no label."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.belongings import (
    belongings,
    component_of,
    is_of_revision,
)
from unit.support.clusters import Made, made, snapshot

OURS = "service_mesh.istio/control_plane"


def applied(kind: str, place: str, chart: str = "", manager: str = OURS, **more: Any) -> Made:
    labels = {"helm.sh/chart": chart} if chart else {}
    labels |= more.pop("labels", {})
    entries = [{"manager": manager, "operation": "Apply", "fieldsV1": {"f:metadata": {}}}]
    return made(kind, place, metadata={"labels": labels, "managedFields": entries}, **more)


@pytest.mark.parametrize(
    ("chart", "component"),
    [("istiod-1.30.0-rc.1", "istiod"), ("base-1.0.0", "base"), ("cni-1.29.1", "cni"), ("gateway-1.29.1", ""), ("", "")],
)
def test_a_chart_is_a_component(chart: str, component: str) -> None:
    assert component_of(applied("Service", "istio-system/x", chart)) == component


@pytest.mark.parametrize(
    ("name", "labels", "revision", "is_of"),
    [
        ("istiod-canary", {"istio.io/rev": "canary"}, "canary", True),
        ("istiod-canary", {"istio.io/rev": "canary"}, "", False),
        ("istiod", {"istio.io/rev": "default"}, "", True),
        ("istiod-clusterrole-istio-system", {}, "", True),
        ("istiod-clusterrole-canary-istio-system", {}, "canary", True),
        ("istiod-clusterrole-canary-istio-system", {}, "", False),
        ("istiod-clusterrole-canary-elsewhere", {}, "canary", False),
        ("stable-channel-policy-canary-istio-system.istio.io", {}, "canary", True),
    ],
)
def test_whose_revision_an_object_is(name: str, labels: dict[str, str], revision: str, is_of: bool) -> None:
    assert is_of_revision(applied("ClusterRole", name, labels=labels), "istio-system", revision) == is_of


def test_what_others_apply_stays_whatever_its_name() -> None:
    policy = applied("ValidatingAdmissionPolicy", "stable-channel-policy-istio-system.istio.io", "istiod-1.0.0")
    binding = applied("ValidatingAdmissionPolicyBinding", "b", spec={"policyName": policy["metadata"]["name"]})
    ours = [applied("Service", "istio-system/istiod", "istiod-1.29.1", labels={"istio.io/rev": "default"}), policy]
    cluster = snapshot(
        *ours,
        binding,
        applied("Deployment", "istio-system/istiod", "istiod-1.29.1", "helm", labels={"istio.io/rev": "default"}),
        applied("ValidatingAdmissionPolicyBinding", "theirs", spec={"policyName": "theirs"}),
        applied("Service", "elsewhere/istiod", "istiod-1.29.1", labels={"istio.io/rev": "default"}),
        applied("ServiceAccount", "istio-system/istio-reader-service-account", "base-1.29.1"),
    )
    found = belongings(cluster, OURS, ["istiod"], "istio-system", "")
    assert found == [*ours, binding]
