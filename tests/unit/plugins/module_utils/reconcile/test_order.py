"""What others need comes first."""

from __future__ import annotations

from itertools import pairwise

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import RANKS
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import KUBERNETES
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Key
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.order import is_foundation, rank

BEFORE_ALL_ELSE = {"Namespace", "CustomResourceDefinition"}
IN_ORDER = [
    ("v1", "Namespace"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("apps/v1", "Deployment"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("example.com/v1", "Widget"),
    ("networking.istio.io/v1", "ServiceEntry"),
    ("networking.istio.io/v1", "DestinationRule"),
    ("networking.istio.io/v1", "VirtualService"),
    ("security.istio.io/v1", "AuthorizationPolicy"),
]


def ranked(api_version: str, kind: str) -> int:
    return rank(Key(api_version, kind, "web", "a"), RANKS)


GATEWAY_API = "gateway.networking.k8s.io/v1"
IN_ORDER_OF_GATEWAYS = [
    ("v1", "Service"),
    (GATEWAY_API, "GatewayClass"),
    (GATEWAY_API, "Gateway"),
    (GATEWAY_API, "HTTPRoute"),
    ("security.istio.io/v1", "AuthorizationPolicy"),
]


@pytest.mark.parametrize(("first", "second"), [*pairwise(IN_ORDER), *pairwise(IN_ORDER_OF_GATEWAYS)])
def test_each_stands_before_the_next(first: tuple[str, str], second: tuple[str, str]) -> None:
    assert ranked(*first) < ranked(*second)


def test_namespaces_and_crds_are_the_foundation_and_nothing_else_is() -> None:
    founding = {kind for api_version, kind in KUBERNETES if is_foundation(Key(api_version, kind, "", "a"))}
    assert founding == BEFORE_ALL_ELSE


def test_the_version_of_a_kind_does_not_matter() -> None:
    assert ranked("networking.istio.io/v1alpha3", "Gateway") == ranked("networking.istio.io/v1", "Gateway")


def test_a_kind_of_the_same_name_in_another_group_is_another_kind() -> None:
    assert ranked("gateway.example.com/v1", "Gateway") == ranked("example.com/v1", "Widget")


def test_without_an_upper_layers_ranks_its_kinds_are_like_any_other() -> None:
    key = Key("networking.istio.io/v1", "Gateway", "web", "a")
    assert rank(key) == rank(Key("example.com/v1", "Widget", "", "a"))
