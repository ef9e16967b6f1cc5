"""Gateways as they shall be: what options mean to the chart, and what can never be right."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.charts import ChartSource
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.desired_control_plane import ConflictingOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.desired_gateway import (
    GatewayDeployment,
    InvalidName,
    InvalidPorts,
    chart_values,
    judged,
    port_warnings,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.port_names import is_readable
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure


def wanted(**more: Any) -> GatewayDeployment:
    place = {"name": "ingress", "namespace": "web", "version": "1.29.1", "charts": ChartSource(directory="charts")}
    return GatewayDeployment(**{**place, **more})


def port(name: str = "http", number: int = 80, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": number, **more}


def refused(kind: type[Failure], **options: Any) -> str:
    with pytest.raises(kind) as refusal:
        judged(wanted(**options))
    return str(refusal.value)


def test_without_options_the_chart_decides() -> None:
    assert chart_values(judged(wanted())) == {}


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ({"replicas": 0}, {"autoscaling": {"enabled": False}, "replicaCount": 0}),
        (
            {"autoscaling": {"min": 2, "max": None, "cpu": 70}},
            {"autoscaling": {"enabled": True, "minReplicas": 2, "targetCPUUtilizationPercentage": 70}},
        ),
        ({"type": "egress"}, {"service": {"type": "ClusterIP"}}),
        ({"type": "egress", "service": {"type": "NodePort"}}, {"service": {"type": "NodePort"}}),
        ({"type": "eastwest", "network": "net1"}, {"networkGateway": "net1"}),
        ({"env": {"DEPTH": 2}, "labels": {"tier": 1}}, {"env": {"DEPTH": "2"}, "labels": {"tier": "1"}}),
        ({"pull_secrets": ("mirror",)}, {"imagePullSecrets": [{"name": "mirror"}]}),
        ({"resources": {"requests": {"cpu": "1"}, "limits": None}}, {"resources": {"requests": {"cpu": "1"}}}),
        (
            {"replicas": 2, "pod_disruption_budget": {"min_available": 1, "max_unavailable": None}},
            {
                "autoscaling": {"enabled": False},
                "replicaCount": 2,
                "podDisruptionBudget": {"minAvailable": 1},
            },
        ),
    ],
)
def test_options_become_values(options: dict[str, Any], values: dict[str, Any]) -> None:
    assert chart_values(judged(wanted(**options))) == values


def test_ports_of_the_service_lead_to_the_same_ports_unless_told() -> None:
    ports = [port(protocol="TCP", node_port=None), port("https", 443, target_port=8443)]
    told = chart_values(judged(wanted(service={"type": None, "load_balancer_ip": "192.0.2.1", "ports": ports})))
    assert told == {
        "service": {
            "loadBalancerIP": "192.0.2.1",
            "ports": [
                {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 80},
                {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 8443},
            ],
        }
    }


def test_values_are_laid_over_the_options() -> None:
    told = chart_values(judged(wanted(replicas=2, values={"replicaCount": 3, "kind": "Deployment"})))
    assert told == {"autoscaling": {"enabled": False}, "replicaCount": 3, "kind": "Deployment"}


@pytest.mark.parametrize("name", ["", "Ingress", "1st", "ingress-", "a.b", "a" * 54])
def test_a_name_must_fit_wherever_it_is_used(name: str) -> None:
    assert "at most 53 lower-case letters" in refused(InvalidName, name=name)


def test_the_longest_name_is_taken() -> None:
    assert judged(wanted(name="a" * 53))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "eastwest"}, "The gateway web/ingress is of type 'eastwest' and names no network"),
        ({"network": "net1"}, "is of type 'ingress' and names a network"),
        ({"type": "eastwest", "network": "n", "service": {"ports": [port()]}}, "has ports of its own"),
        ({"replicas": 1, "autoscaling": {"min": 1}}, "has both 'replicas' and 'autoscaling'"),
        ({"autoscaling": {"min": 3, "max": 2}}, "'min' is 3 and 'max' is 2"),
        ({"pod_disruption_budget": {"min_available": 1}}, "may have a single replica"),
        ({"pod_disruption_budget": {"min_available": 1}, "replicas": 1}, "may have a single replica"),
        (
            {"values": {"networkGateway": "n"}},
            "'networkGateway' of the chart 'gateway' is said by the option 'network'",
        ),
        ({"values": {"revision": "r1"}}, "is said by the option 'revision'"),
    ],
)
def test_options_that_cannot_both_be_meant(options: dict[str, Any], message: str) -> None:
    assert message in refused(ConflictingOptions, **options)


@pytest.mark.parametrize(
    ("ports", "message"),
    [
        ([port(), port(number=81)], "the name http stands there 2 times"),
        ([port(), port("tls")], "the port 80 stands there 2 times"),
        ([port(node_port=30080), port("tls", 443, node_port=30080)], "the node_port 30080 stands there 2 times"),
        ([port(number=0)], "'http' has the port 0, and ports are between 1 and 65535"),
        ([port(target_port=70000)], "'http' has the target_port 70000"),
    ],
)
def test_ports_that_cannot_be_those_of_one_service(ports: list[dict[str, Any]], message: str) -> None:
    assert message in refused(InvalidPorts, service={"ports": ports})


def test_one_number_may_be_that_of_two_protocols() -> None:
    assert judged(wanted(service={"ports": [port("https", 443), port("udp-quic", 443, protocol="UDP")]}))


def test_a_gateway_that_goes_is_not_judged_by_what_it_was() -> None:
    assert judged(wanted(present=False, type="eastwest"))
    with pytest.raises(InvalidName):
        judged(wanted(present=False, name="A"))


@pytest.mark.parametrize(
    ("told", "readable"),
    [
        (port("http"), True),
        (port("http-shop"), True),
        (port("grpc-web"), True),
        (port("https", 8443), True),
        (port("status-port", 15021), True),
        (port("shop"), False),
        (port("httpshop"), False),
        (port("shop", appProtocol="http"), True),
    ],
)
def test_istio_reads_the_name_of_a_port(told: dict[str, Any], readable: bool) -> None:
    assert is_readable(told) == readable


def test_a_port_that_istio_cannot_read_is_told() -> None:
    (warning,) = port_warnings(wanted(service={"ports": [port(), port("shop", 81)]}))
    assert "the port 'shop' (81) of the gateway web/ingress" in warning
    assert "Name it like http-shop or tls-shop" in warning
    assert list(port_warnings(wanted(service={"ports": [port("shop", 81, app_protocol="http")]}))) == []
