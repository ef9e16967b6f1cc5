"""At which hop a request fails, by what Envoy and the agent say in each case (what they say here, they have said)."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.hops import Endpoint, Way, endpoints_of, hop_of

DOOR, POD = "203.0.113.7:15443", "10.242.0.9:8080"
FAILED = (
    "Error: received unsuccessful status code 503: upstream connect error or disconnect/reset before headers. retried "
    "and the latest reset reason: remote connection failure 2026-11-28T08:21:56.298070Z\terror\treceived"
)
STATISTICS = "cluster.outbound|80||mesh-probe-west.istio-system.svc.cluster.local.ssl."
ENVOY = """\
outbound|80||mesh-probe-west.istio-system.svc.cluster.local::observability_name::outbound|80||mesh-probe-west.istio
outbound|80||mesh-probe-west.istio-system.svc.cluster.local::203.0.113.7:15443::cx_connect_fail::3
outbound|80||mesh-probe-west.istio-system.svc.cluster.local::203.0.113.7:15443::rq_total::2
outbound|80||mesh-probe-west.istio-system.svc.cluster.local::[fd00::7]:15443::rq_total::0
outbound|80||mesh-probe-west2.istio-system.svc.cluster.local::203.0.113.8:15443::rq_total::0
outbound|80||mesh-probe-west.other.svc.cluster.local::203.0.113.9:15443::rq_total::0
"""


def knocked(said: str) -> str:
    return f'Error: timeout waiting for Envoy proxy to become ready. Last error: Get "http://{DOOR}": {said}'


def way(endpoint: str = DOOR, knock: str = "EOF", statistics: str = "", same: bool = False, requests: int = 0) -> Way:
    address, _colon, port = endpoint.rpartition(":")
    endpoints = [Endpoint(address, int(port), requests)] if endpoint else []
    return Way("east", "west", "net2", same, endpoints, {endpoint: knocked(knock)}, statistics)


CASES: dict[str, tuple[Way, str, str, str]] = {
    "not read": (way(""), "it was answered by ''", "registry", "the control plane of east knows no endpoint of west"),
    "no gateway known": (way(POD), FAILED, "address", f"east sends it to {POD}, a Pod's own address"),
    "refused": (way(knock="dial tcp: connect: connection refused"), FAILED, "address", f"{DOOR} (dial tcp: connect"),
    "black hole": (way(knock="context deadline exceeded (Client.Timeout"), FAILED, "address", "network 'net2' of west"),
    "no route": (way(POD, "dial tcp: no route to host", same=True), FAILED, "address", "at the Pod of west"),
    "other root": (way(statistics=f"{STATISTICS}fail_verify_error: 3"), FAILED, "trust", "fail_verify_error"),
    "no TLS": (way(statistics=f"{STATISTICS}connection_error: 3"), FAILED, "trust", "does not speak mTLS"),
    "not exposed": (way(statistics=f"{STATISTICS}handshake: 0"), FAILED, "gateway", "it does not know the service"),
    "policy": (way(requests=1), "unsuccessful status code 403: RBAC: access denied", "policy", "RBAC: access denied"),
    "the Pod": (way(requests=1), FAILED, "pod", "remote connection failure)"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_hop_is_named(case: str) -> None:
    found, said, name, reason = CASES[case]
    hop = hop_of(found, said)
    assert (hop.name, reason in hop.reason, bool(hop.hint)) == (name, True, True), hop


def test_endpoints_are_those_of_the_service_alone() -> None:
    found = endpoints_of(ENVOY, "mesh-probe-west", "istio-system")
    assert found == [Endpoint("203.0.113.7", 15443, 2), Endpoint("[fd00::7]", 15443, 0)]
