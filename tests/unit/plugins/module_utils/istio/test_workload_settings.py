"""Settings of sidecars as annotations, and what of them can never be right."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.workload_settings import (
    InvalidSetting,
    Settings,
    annotations_for,
)

PLACE = "Deployment shop/orders"
FULL = {"cpu_request": "100m", "cpu_limit": "2", "memory_request": "128Mi", "memory_limit": "1Gi"}


def made(**settings: Any) -> dict[str, str]:
    return annotations_for(Settings(**settings), PLACE)


def test_all_settings() -> None:
    assert made(
        resources=FULL,
        pass_through={
            "inbound_ports": [9090, 80],
            "outbound_ports": [3306, 3306],
            "outbound_ranges": ["10.2.0.0/16", "10.1.2.3"],
        },
        lifecycle={"hold_application": True, "drain_duration": "30s"},
        log_level="debug",
    ) == {
        "sidecar.istio.io/proxyCPU": "100m",
        "sidecar.istio.io/proxyCPULimit": "2",
        "sidecar.istio.io/proxyMemory": "128Mi",
        "sidecar.istio.io/proxyMemoryLimit": "1Gi",
        "traffic.sidecar.istio.io/excludeInboundPorts": "80,9090",
        "traffic.sidecar.istio.io/excludeOutboundPorts": "3306",
        "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.1.2.3/32,10.2.0.0/16",
        "proxy.istio.io/config": '{"holdApplicationUntilProxyStarts": true, "terminationDrainDuration": "30s"}',
        "sidecar.istio.io/logLevel": "debug",
    }
    assert made() == {}
    assert made(pass_through={"inbound_ports": [], "outbound_ports": None}) == {}


def test_nothing_is_unlimited_by_the_limits_of_the_mesh() -> None:
    """An annotation has to be there, or istiod takes the mesh's amounts; a request of 0 asks for nothing."""
    assert made(resources=dict.fromkeys(FULL, "0")) == {
        "sidecar.istio.io/proxyCPU": "0",
        "sidecar.istio.io/proxyMemory": "0",
    }


def test_the_two_ways_to_end() -> None:
    by_count = {"exit_on_zero_connections": True, "minimum_drain_duration": "5s"}
    text = '{"proxyMetadata": {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true", "MINIMUM_DRAIN_DURATION": "5s"}}'
    assert made(lifecycle=by_count) == {"proxy.istio.io/config": text}
    assert made(lifecycle={"hold_application": None}) == {}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"resources": {**FULL, "memory_limit": "500"}},
            "resources.memory_limit: '500' has no unit: .*500 bytes.*500Mi",
        ),
        ({"resources": {**FULL, "memory_request": "128m"}}, "'128m' are parts of a byte.*128Mi"),
        ({"resources": {**FULL, "cpu_request": "a lot"}}, "'a lot' is no amount"),
        ({"resources": {**FULL, "cpu_request": "-1"}}, "'-1' is no amount"),
        ({"resources": {**FULL, "cpu_request": "3"}}, "the cpu request is larger than the limit"),
        ({"pass_through": {"inbound_ports": [0]}}, "0 is no port"),
        ({"pass_through": {"outbound_ports": [65536]}}, "65536 is no port"),
        ({"pass_through": {"outbound_ranges": ["10.1.2.3/16"]}}, "is no range of addresses: 10.1.2.3/16 has host bits"),
        ({"lifecycle": {"drain_duration": "30"}}, "'30' is no duration"),
        (
            {"lifecycle": {"exit_on_zero_connections": True, "drain_duration": "9s"}},
            "'drain_duration' would do nothing: with .*Say 'minimum_drain_duration'",
        ),
        ({"lifecycle": {"minimum_drain_duration": "9s"}}, "'minimum_drain_duration' would do nothing: without"),
    ],
)
def test_what_can_never_be_right(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSetting, match=said) as raised:
        made(**settings)
    assert re.match(re.escape(PLACE), raised.value.what)
