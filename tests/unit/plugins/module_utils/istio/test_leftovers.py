"""What counts as written by istiod: a name that istiod gives, of a kind that it gives it to, and where it does so."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.leftovers import is_leftover
from unit.support.clusters import Made, made

LEASE = "coordination.k8s.io/v1"
CLASS = "gateway.networking.k8s.io/v1"


@pytest.mark.parametrize(
    ("found", "last", "is_left"),
    [
        (made("Lease", "istio-system/istio-gateway-deployment-canary", LEASE), False, True),
        (made("Lease", "istio-system/istio-gateway-deployment-other", LEASE), False, False),
        (made("Lease", "istio-system/istio-gateway-deployment-other", LEASE), True, True),
        (made("Lease", "istio-system/istio-status-leader", LEASE), False, False),
        (made("Lease", "elsewhere/istio-status-leader", LEASE), True, False),
        (made("Lease", "istio-system/shop-routes", LEASE), True, False),
        (made("ConfigMap", "istio-system/istio-leader"), True, True),
        (made("ConfigMap", "istio-system/istio"), True, False),
        (made("ConfigMap", "web/istio-ca-root-cert"), True, True),
        (made("ConfigMap", "web/kube-root-ca.crt"), True, False),
        (made("Secret", "istio-system/istio-ca-secret"), True, True),
        (made("GatewayClass", "istio", CLASS, spec={"controllerName": "istio.io/gateway-controller"}), True, True),
        (made("GatewayClass", "nginx", CLASS, spec={"controllerName": "nginx.org/gateway-controller"}), True, False),
    ],
)
def test_what_is_left_of_istiod(found: Made, last: bool, is_left: bool) -> None:
    assert is_leftover(found, "istio-system", "canary", last) == is_left
