"""Each detector on the case that it is for, and silent on what is right."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.behaviour import (
    BEHAVIOURS,
    asks_of,
    changes_between,
    environment,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.behaviour_checks import ChangeFacts
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.releases import parsed
from unit.support.clusters import Made, istiod, made, namespace, snapshot, workload

MINOR = {row.code: row.since for row in BEHAVIOURS}
GATEWAY_API = "gateway.networking.k8s.io"


def node(kubelet: str) -> Made:
    return made("Node", "n", status={"nodeInfo": {"kubeletVersion": kubelet}})


def sidecar(place: str, owner: str = "", annotation: str = "", native: bool = False, **proxy: Any) -> Made:
    container = {"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.26.8", **proxy}
    app: list[Made] = [{"name": "app"}]
    spec = {"containers": app, "initContainers": [container]} if native else {"containers": [*app, container]}
    metadata: Made = {"annotations": {annotation: "true"} if annotation else {}, "labels": {}}
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "name": "o"}]
    return made("Pod", place, metadata=metadata, spec=spec, status={"phase": "Running"})


def told(place: str, *arguments: str, **labels: str) -> Made:
    found = workload("Deployment", place)
    found["metadata"]["labels"] = labels
    found["spec"]["template"]["spec"]["containers"][0]["args"] = list(arguments)
    return found


def rule(**policy: Any) -> Made:
    return made("DestinationRule", "web/rule", spec={"host": "a", "trafficPolicy": policy})


def cni(**data: str) -> Made:
    return made("ConfigMap", "istio-system/istio-cni-config", data={"AMBIENT_ENABLED": "true", **data})


def entry(place: str, host: str) -> Made:
    return made("ServiceEntry", place, spec={"hosts": [host]})


def ambient(name: str) -> Made:
    return made("Namespace", name, metadata={"labels": {"istio.io/dataplane-mode": "ambient"}})


def managed(place: str) -> Made:
    found = workload("Deployment", place)
    found["spec"]["template"]["metadata"]["labels"] = {f"{GATEWAY_API}/gateway-name": "edge", "app": "edge"}
    return found


def gateway(place: str, **selector: str) -> Made:
    return made("Gateway", place, spec={"selector": selector})


def registered(place: str, **labels: str) -> Made:
    metadata = {"annotations": {"istio.io/autoRegistrationGroup": "g"}, "labels": labels}
    return made("WorkloadEntry", place, metadata=metadata, spec={})


def patch(context: str, name: str) -> Made:
    match = {"context": context, "listener": {"filterChain": {"filter": {"subFilter": {"name": name}}}}}
    return made("EnvoyFilter", "web/patch", spec={"configPatches": [{"match": match}]})


def mirroring(route: Made) -> Made:
    return made("VirtualService", "web/mirrors", spec={"http": [route]})


OUTLIERS = {"outlierDetection": {"consecutive5xxErrors": 3}}
RBAC = "envoy.filters.http.rbac"
WITH_AMBIENT = {"PILOT_ENABLE_AMBIENT": "true"}
NO_SPANS = {"PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY": "false"}
PER_PORT = {"portLevelSettings": [{"port": {"number": 80}, **OUTLIERS}]}

USED: list[tuple[str, list[Made], dict[str, str], str]] = [
    ("native_sidecars", [node("v1.33.1"), sidecar("web/a", "Job")], {}, "Pod web/a"),
    ("native_sidecars", [node("v1.34.0"), sidecar("web/a", lifecycle={"preStop": {}})], {}, "Pod web/a"),
    ("mirror_host", [mirroring({"mirror": {"host": "b"}})], {}, "VirtualService web/mirrors"),
    ("mirror_host", [mirroring({"mirrors": [{"destination": {}}]})], {}, "VirtualService web/mirrors"),
    ("stats_compression", [sidecar("web/a", annotation="sidecar.istio.io/statsCompression")], {}, "Pod web/a"),
    ("debug_endpoints", [told("tools/t", "http://istiod.istio-system:15014/debug/syncz")], {}, "Deployment tools/t"),
    ("debug_endpoints", [told("tools/kiali", app="kiali")], {}, "Deployment tools/kiali"),
    ("circuit_breaker_metrics", [rule(connectionPool={"tcp": {}})], {}, "DestinationRule web/rule"),
    ("ambient_dns", [cni(AMBIENT_DNS_CAPTURE="false")], {}, "ConfigMap istio-system/istio-cni-config"),
    ("ambient_iptables", [cni()], {}, "ConfigMap istio-system/istio-cni-config"),
    ("tls_routes", [made("TLSRoute", "web/t", f"{GATEWAY_API}/v1alpha3")], {}, "TLSRoute web/t"),
    ("service_namespace", [entry("a/e", "x.io"), entry("b/e", "x.io")], {}, "ServiceEntry a/e"),
    (
        "service_namespace",
        [made("Service", "b/s", spec={}), entry("a/e", "s.b.svc.cluster.local")],
        {},
        "ServiceEntry a/e",
    ),
    ("plaintext_debug", [told("tools/t", "--xds-address=istiod:15010")], {}, "Deployment tools/t"),
    (
        "cni_file_mode",
        [workload("DaemonSet", "kube-system/istio-cni-node")],
        {},
        "DaemonSet kube-system/istio-cni-node",
    ),
    ("ambient_excluded", [cni(EXCLUDE_NAMESPACES="kube-system,ops"), ambient("ops")], {}, "Namespace ops"),
    ("unhealthy_endpoints", [rule(**OUTLIERS)], {}, "DestinationRule web/rule"),
    ("unhealthy_endpoints", [rule(**PER_PORT)], {}, "DestinationRule web/rule"),
    ("gateway_merging", [managed("edge/edge"), gateway("web/g", app="edge")], {}, "Gateway web/g"),
    ("upstream_spans", [], NO_SPANS, "istiod in istio-system"),
    ("registered_entries", [registered("vm/a")], WITH_AMBIENT, "WorkloadEntry vm/a"),
    ("tcp_routes", [made("TCPRoute", "web/t", f"{GATEWAY_API}/v1alpha2")], {}, "TCPRoute web/t"),
    ("rbac_filter", [patch("GATEWAY", RBAC)], {}, "EnvoyFilter web/patch"),
]

SILENT: list[tuple[str, list[Made], dict[str, str]]] = [
    ("native_sidecars", [node("v1.33.1"), node("v1.32.9"), sidecar("web/a", "Job")], {}),
    ("native_sidecars", [node("v1.33.1"), sidecar("web/a", "Job", native=True), sidecar("web/b", "ReplicaSet")], {}),
    ("mirror_host", [mirroring({"route": []})], {}),
    ("stats_compression", [sidecar("web/a")], {}),
    ("debug_endpoints", [told("istio-system/t", "http://istiod:15014/debug/syncz"), told("web/t", "/debug/x")], {}),
    ("circuit_breaker_metrics", [rule(**OUTLIERS)], {}),
    ("ambient_dns", [cni(AMBIENT_DNS_CAPTURE="true")], {}),
    ("ambient_dns", [made("ConfigMap", "istio-system/istio-cni-config", data={"AMBIENT_ENABLED": "false"})], {}),
    ("ambient_iptables", [cni(AMBIENT_RECONCILE_POD_RULES_ON_STARTUP="true")], {}),
    ("service_namespace", [entry("a/e", "x.io"), entry("a/f", "x.io"), entry("b/e", "y.io")], {}),
    ("plaintext_debug", [told("tools/t", "--xds-address=istiod:15012")], {}),
    ("cni_file_mode", [workload("DaemonSet", "kube-system/other")], {}),
    ("ambient_excluded", [cni(EXCLUDE_NAMESPACES="kube-system"), ambient("ops"), namespace("kube-system")], {}),
    ("unhealthy_endpoints", [rule(outlierDetection={"minHealthPercent": 50}), rule(connectionPool={})], {}),
    ("gateway_merging", [managed("edge/edge"), gateway("edge/g", app="edge"), gateway("web/g", app="other")], {}),
    ("upstream_spans", [], {}),
    ("registered_entries", [registered("vm/a")], {}),
    ("registered_entries", [registered("vm/a", **{"networking.istio.io/tunnel": "http"})], WITH_AMBIENT),
    ("large_ambient_mesh", [cni(), sidecar("web/a")], {}),
    ("rbac_filter", [patch("SIDECAR_INBOUND", RBAC), patch("GATEWAY", "envoy.filters.http.router")], {}),
]


def found(code: str, objects: list[Made], env: dict[str, str]) -> list[Any]:
    """What the step over the release of a behaviour finds of it."""
    major, minor = MINOR[code]
    before, after = parsed(f"{major}.{minor - 1}.0"), parsed(f"{major}.{minor}.0")
    facts = ChangeFacts(snapshot(*objects), env)
    return [change for change in changes_between(before, after, facts) if change.code == code]


@pytest.mark.parametrize(("code", "objects", "env", "concerned"), USED)
def test_what_is_used_is_found(code: str, objects: list[Made], env: dict[str, str], concerned: str) -> None:
    (change,) = found(code, objects, env)
    assert concerned in [name for name, _reason in change.objects]
    assert change.count == len(change.objects)
    assert not change.kept_by


@pytest.mark.parametrize(("code", "objects", "env"), SILENT)
def test_what_is_right_is_silent(code: str, objects: list[Made], env: dict[str, str]) -> None:
    assert found(code, objects, env) == []


def test_every_behaviour_is_proved_to_be_found() -> None:
    """The very large mesh has a test of its own."""
    assert {code for code, *_rest in USED} | {"large_ambient_mesh"} == set(MINOR)
    assert len(MINOR) == len(BEHAVIOURS)
    assert [row.since for row in BEHAVIOURS] == sorted(MINOR.values())


def test_a_very_large_ambient_mesh() -> None:
    pods = [made("Pod", f"web/p{number}", metadata={}) for number in range(20_000)]
    (change,) = found("large_ambient_mesh", [cni(), *pods], {})
    assert change.objects == (("east", "it has 20000 Pods and Services"),)


def test_what_the_environment_keeps_is_said_to_be_kept() -> None:
    kept = {row.code: row.kept_by for row in BEHAVIOURS if row.kept_by}
    for code, objects, env, _concerned in USED:
        if code in kept:
            name, value = kept[code]
            (change,) = found(code, objects, {**env, name: value})
            assert change.kept_by == f"{name}={value}"


def test_only_the_releases_of_the_step_count() -> None:
    facts = ChangeFacts(snapshot(rule(**OUTLIERS, connectionPool={})))
    steps = {
        ("1.28.3", "1.29.1"): ["circuit_breaker_metrics"],
        ("1.29.1", "1.29.9"): [],
        ("1.29.1", "1.31.0"): ["unhealthy_endpoints"],
        ("1.28.3", "1.31.0"): ["circuit_breaker_metrics", "unhealthy_endpoints"],
        ("1.31.0", "1.29.1"): [],
    }
    for (before, after), codes in steps.items():
        assert [change.code for change in changes_between(parsed(before), parsed(after), facts)] == codes


def test_only_what_the_step_needs_is_read() -> None:
    kinds = {ask.resource.kind for ask in asks_of(parsed("1.31.0"), parsed("1.32.0"))}
    assert kinds == {"EnvoyFilter"}
    assert asks_of(parsed("1.31.0"), parsed("1.31.1")) == []


def test_the_environment_is_that_of_istiod_and_of_the_node_agent() -> None:
    plane = istiod("1.29.1")
    plane["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": "A", "value": "false"},
        {"name": "B", "valueFrom": {"fieldRef": {}}},
    ]
    assert environment([plane, cni(), workload("Deployment", "web/a")]) == {
        "A": "false",
        "B": "",
        "AMBIENT_ENABLED": "true",
    }


def test_a_change_is_told_in_plain_data() -> None:
    (change,) = found("unhealthy_endpoints", [rule(**OUTLIERS)], {})
    row = {"object": "DestinationRule web/rule", "reason": "it detects outliers without minHealthPercent"}
    assert change.told() == {
        "code": "unhealthy_endpoints",
        "since": "1.31",
        "sentence": change.sentence,
        "hint": change.hint,
        "count": 1,
        "objects": [row],
        "kept_by": "",
    }
