"""The prechecks: each finds what it is for and nothing else; all blockers come at once; what is unread is said."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.permissions import Permission
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.precheck_facts import Facts, Target
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.prechecks import (
    PRECHECKS,
    PrecheckFailed,
    UnknownPrecheck,
    checked,
    known_codes,
    require,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.releases import parsed
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.snapshot import Unread
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import MUTATING_WEBHOOKS, POD
from ansible_collections.service_mesh.istio.plugins.modules.precheck import DOCUMENTATION
from unit.support.certificates import certificate, encoded
from unit.support.clusters import (
    Made,
    api_gateway,
    injector,
    istiod,
    made,
    namespace,
    of_revision,
    pod,
    snapshot,
    validator,
    workload,
)

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=timezone.utc)
ENABLED = namespace("web", istio_injection="enabled")
SERVICE = made("Service", "istio-system/istiod", spec={})
READY = made(
    "EndpointSlice",
    "istio-system/istiod-1",
    metadata={"labels": {"kubernetes.io/service-name": "istiod"}},
    endpoints=[{"conditions": {"ready": True}}],
)
GATEWAY_API = "gateway.networking.k8s.io"


def facts(
    *objects: Made, version: str = "1.30.7", operation: str = "install", now: datetime = NOW, **more: Any
) -> Facts:
    target = {name: more.pop(name) for name in ("revision", "image_hub") if name in more}
    missing = more.pop("missing", ())
    return Facts(Target(operation, parsed(version), **target), snapshot(*objects, **more), now, missing)


def found(code: str, *objects: Made, **more: Any) -> list[str]:
    """What one check says, without what the others do."""
    return [item for finding in checked(facts(*objects, **more)) if finding.code == code for item in finding.objects]


def node(kubelet: str = "v1.34.1", cpu: str = "4", memory: str = "8Gi") -> Made:
    status = {"nodeInfo": {"kubeletVersion": kubelet}, "allocatable": {"cpu": cpu, "memory": memory}}
    return made("Node", "n1", spec={}, status=status)


def limits(place: str, **limit: Any) -> Made:
    return made("LimitRange", f"{place}/limits", spec={"limits": [{"type": "Container", **limit}]})


def crd(plural: str, kind: str, bundle: str, version: str = "v1") -> Made:
    notes = {"gateway.networking.k8s.io/bundle-version": bundle}
    spec = {
        "group": GATEWAY_API,
        "names": {"kind": kind, "plural": plural},
        "versions": [{"name": version, "served": True}],
    }
    return made("CustomResourceDefinition", f"{plural}.{GATEWAY_API}", metadata={"annotations": notes}, spec=spec)


def route(kind: str, version: str = "v1") -> Made:
    return made(kind, "web/r", f"{GATEWAY_API}/{version}", spec={})


def budget(allowed: int, place: str = "istio-system", expected: int = 1) -> Made:
    status = {"expectedPods": expected, "disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1}
    return made("PodDisruptionBudget", f"{place}/b", status=status)


def authority(end: datetime, name: str = "cacerts") -> Made:
    data = {"root-cert.pem": encoded(certificate(end)), "ca-key.pem": encoded("-----BEGIN PRIVATE KEY-----")}
    return made("Secret", f"istio-system/{name}", data=data)


def filter_of(name: str, **patch: Any) -> Made:
    return made("EnvoyFilter", f"web/{name}", spec={"configPatches": [patch]})


def gateway_deployment() -> Made:
    item = workload("Deployment", "web/ingress", inject="true")
    item["spec"]["template"]["metadata"]["annotations"] = {"inject.istio.io/templates": "gateway"}
    item["spec"]["selector"] = {"matchLabels": {"app": "ingress"}}
    return item


def values_of(revision: str, protected: str) -> Made:
    """The ConfigMap with a control plane's values, and what is recorded on it."""
    name = "values" if revision == "default" else f"values-{revision}"
    return made(
        "ConfigMap", f"istio-system/{name}", metadata={"annotations": {"service-mesh-istio/protected": protected}}
    )


def ours(item: Made) -> Made:
    item["metadata"]["managedFields"] = [{"manager": "service_mesh.istio/control_plane", "operation": "Apply"}]
    return item


def door(item: Made) -> Made:
    """A gateway by which a network is entered."""
    item["spec"]["template"]["metadata"].setdefault("labels", {})["topology.istio.io/network"] = "net1"
    return item


def written_in(version: str) -> Made:
    entries = [{"manager": "kubectl", "time": "2026", "apiVersion": version}]
    return made("VirtualService", "web/v", metadata={"managedFields": entries})


def way_in(host: str, port: int = 15012, name: str = "istio-system/istiod-eastwest") -> Made:
    """What leads remote clusters to a control plane, as the role mesh_clusters writes it."""
    to = {"destination": {"host": host, "port": {"number": port}}}
    return made("VirtualService", name, spec={"tls": [{"match": [{"port": port}], "route": [to]}]})


def external(item: Made) -> Made:
    env = [{"name": "LOCAL_CLUSTER_SECRET_WATCHER", "value": "true"}]
    item["spec"]["template"]["spec"]["containers"][0]["env"] = env
    return item


DOOR = made("Service", "istio-system/istiod-external", spec={})
READ_BY_IT = made("Secret", "istio-system/istio-remote-secret-west", data={"west": ""})
RUNS = {"operation": "upgrade"}
GOES = {"operation": "uninstall"}
LEAVES = {"operation": "leave"}
CANARY = {"revision": "canary"}


# code, objects of the cluster, options, and a part of what is said.
FOUND: list[tuple[str, list[Made], Made, str]] = [
    ("kubernetes_version", [], {"kubernetes": "v1.31.0"}, "it is v1.31.0, and Istio 1.30 works with 1.32 to 1.36"),
    ("kubernetes_version", [], {"kubernetes": "v1.37.0+k3s1"}, "API server"),
    ("kubernetes_version", [node("v1.30.2")], {}, "Node n1: it is v1.30.2"),
    ("nothing_installed", [], RUNS, "operation: install"),
    ("downgrade", [istiod("1.31.1")], {}, "it runs 1.31.1, which is newer than 1.30.7"),
    ("downgrade", [istiod("1.30.8")], {}, "The way back: 1.30.7 may come beside it as a revision of its own"),
    ("skipped_minor", [istiod("1.31.1")], {**CANARY, "version": "1.28.10"}, "1.28.10 is too far back"),
    ("skipped_minor", [istiod("1.28.3")], {}, "The way is 1.28.3 -> 1.29.9 -> 1.30.7"),
    ("skipped_minor", [istiod("1.28.3")], {**CANARY, "version": "1.31.0"}, "The way is 1.28.3 -> 1.30.7 -> 1.31.0"),
    ("proxy_skew", [istiod("1.30.7"), pod("web/a", "default", "1.31.1")], {}, "it is newer than the control plane"),
    ("proxy_skew", [istiod("1.30.7"), pod("web/a", "default", "1.27.0")], {}, "3 minor releases older"),
    ("withdrawn_version", [], {"version": "1.31.0"}, "GHSA-qm8v-g4f9-qhjx"),
    ("dead_image_host", [], {"version": "1.31.1", "image_hub": "gcr.io/istio-release"}, "is not published there"),
    (
        "dead_image_host",
        [],
        {"image_hub": "registry.istio.io/release", "now": datetime(2027, 1, 1, tzinfo=timezone.utc)},
        "nothing is pulled from it since 2027-01-01; use docker.io/istio",
    ),
    ("image_host_ends", [], {"image_hub": "gcr.io/istio-release"}, "from 2027-01-01 on"),
    ("image_host_ends", [pod("web/a", "default", hub="gcr.io/istio-release")], {}, "Pod web/a: its image gcr.io"),
    (
        "gateway_api_bundle",
        [crd("tlsroutes", "TLSRoute", "v1.4.1", "v1alpha2"), route("TLSRoute", "v1alpha2")],
        {},
        "its version is v1.4.1, Istio 1.30.7 needs v1.5.0 or newer, and there are 1 objects of it",
    ),
    (
        "gateway_api_bundle",
        [crd("tlsroutes", "TLSRoute", "v1.5.0"), route("TLSRoute")],
        {"version": "1.29.9"},
        "No version serves 1.29 and 1.30 both",
    ),
    (
        "gateway_api_bundle",
        [crd("tcproutes", "TCPRoute", "v1.5.1", "v1alpha2"), route("TCPRoute", "v1alpha2")],
        {"version": "1.31.1"},
        "needs v1.6.0 or newer",
    ),
    (
        "permission_missing",
        [],
        {"missing": (Permission("patch", "apps", "deployments"),)},
        "deployments.apps: the user may not patch them",
    ),
    (
        "limit_range",
        [limits("istio-system", max={"memory": "1Gi"})],
        {},
        "istiod would be refused: it may have memory 1Gi",
    ),
    (
        "limit_range",
        [ENABLED, limits("web", max={"cpu": "1"})],
        {},
        "a sidecar would be refused: it may have cpu 1 and",
    ),
    ("limit_range", [of_revision("web", "x"), limits("web", min={"cpu": "200m"})], {}, "it must ask for cpu 200m"),
    ("webhook_without_service", [injector()], CANARY, "calls the Service istio-system/istiod, which does not exist"),
    ("webhook_without_service", [validator("gone")], {}, "and fails closed"),
    ("webhook_without_endpoints", [injector(), SERVICE], {}, "behind which nothing is ready"),
    (
        "system_namespace_injected",
        [injector(), namespace("kube-system", istio_injection="enabled")],
        {},
        "it is asked for every Pod of kube-system",
    ),
    ("certificate_expired", [authority(NOW - timedelta(days=1))], {}, "Secret istio-system/cacerts (root-cert.pem): a"),
    ("certificate_expires", [authority(NOW + timedelta(days=29), "istio-ca-secret")], {}, "expires on 2026-12-24"),
    ("mesh_protected", [values_of("default", protected="true")], GOES, "run control_plane with 'protected: false'"),
    ("sidecars_left", [istiod("1.29.1"), pod("web/a", "default")], GOES, "Pod web/a: it has a proxy"),
    ("sidecars_left", [pod("web/a", "other")], LEAVES, "Pod web/a: it has a proxy"),
    ("gateways_left", [ENABLED, gateway_deployment()], GOES, "Deployment web/ingress: traffic enters"),
    ("gateways_left", [gateway_deployment()], LEAVES, "Deployment web/ingress: traffic enters"),
    ("gateways_left", [istiod("1.29.1"), api_gateway("web/g")], GOES, "Gateway web/g: istiod deploys it"),
    ("gateways_left", [api_gateway("web/g", "istio-waypoint", "other")], LEAVES, "Gateway web/g"),
    ("revision_in_use", [ENABLED], GOES, "Namespace web: it refers to revision default: label istio-injection"),
    (
        "revision_in_use",
        [istiod("1.29.1"), istiod("1.30.7", "canary"), validator("canary")],
        {**GOES, **CANARY},
        "istiod-default-validator: it refers to revision canary",
    ),
    (
        "serves_others",
        [istiod("1.29.1"), way_in("istiod.istio-system.svc.cluster.local")],
        GOES,
        "VirtualService istio-system/istiod-eastwest: by it remote clusters reach this control plane",
    ),
    ("serves_others", [istiod("1.29.1", "canary"), way_in("istiod-canary", 443)], {**GOES, **CANARY}, "unregister"),
    (
        "serves_others",
        [external(istiod("1.29.1")), DOOR, READ_BY_IT],
        GOES,
        "Service istio-system/istiod-external: by it west reach",
    ),
    ("mesh_protected", [values_of("default", protected="true")], LEAVES, "run control_plane with"),
    ("revision_in_use", [ENABLED], LEAVES, "Namespace web: it refers to revision default"),
    ("gateways_left", [door(gateway_deployment())], LEAVES, "Deployment web/ingress: traffic enters"),
    ("calls_end", [istiod("1.29.1"), pod("web/a", "default")], LEAVES, "Pod web/a: it has a proxy"),
    ("unknown_release", [], {"version": "1.33.0"}, "the table of releases ends with 1.31"),
    ("end_of_life", [], {"version": "1.29.9"}, "1.29 is not supported since 2026-10-15"),
    ("end_of_life", [istiod("1.28.10", "old")], {}, "Deployment istio-system/istiod-old: 1.28 is not supported"),
    ("security_patch_missing", [], {"version": "1.30.3"}, "1.30.7 has them"),
    ("leftovers", [injector("gone")], {}, "it belongs to revision gone, which has no istiod"),
    ("leftovers", [filter_of("stats-filter-1.13")], {}, "an old Istio brought it"),
    (
        "leftovers",
        [
            made(
                "CustomResourceDefinition",
                "istiooperators.install.istio.io",
                spec={"group": "install.istio.io", "versions": []},
            )
        ],
        {},
        "is gone since Istio 1.24",
    ),
    ("capacity", [node(cpu="100m")], {}, "no node has cpu 500m and memory 2048Mi left"),
    ("disruption_budget", [budget(0)], {}, "it allows no disruption now (1 of 1 Pods are healthy, 1 must be)"),
    ("disruption_budget", [ENABLED, budget(0, "web")], {}, "PodDisruptionBudget web/b"),
    ("envoy_filters", [filter_of("mine")], {}, "EnvoyFilter web/mine: it patches"),
    (
        "envoy_filter_renamed",
        [filter_of("mine", match={"context": "GATEWAY", "filter": "envoy.filters.http.rbac"})],
        {"version": "1.32.0"},
        "of which gateways have two from 1.32 on",
    ),
    ("deprecated", [written_in("networking.istio.io/v1beta1")], {}, "it is written in networking.istio.io/v1beta1"),
]

SERVED_FROM_ELSEWHERE = made(
    "Namespace", "istio-system", metadata={"annotations": {"topology.istio.io/controlPlaneClusters": "east"}}
)
# Where the same check has nothing to say.
NOTHING: list[tuple[str, list[Made], Made]] = [
    ("kubernetes_version", [node()], {}),
    ("kubernetes_version", [], {"version": "1.40.0", "kubernetes": "v1.20.0"}),
    ("nothing_installed", [istiod("1.30.6")], RUNS),
    ("downgrade", [istiod("1.30.7")], {}),
    ("downgrade", [istiod("1.29.1"), istiod("1.31.1", "canary")], {}),
    ("downgrade", [istiod("1.31.1")], CANARY),
    ("downgrade", [istiod("latest")], {}),
    ("skipped_minor", [istiod("1.31.1")], CANARY),
    ("skipped_minor", [istiod("1.29.1")], {}),
    ("skipped_minor", [istiod("1.29.1")], {**CANARY, "version": "1.31.0"}),
    ("proxy_skew", [istiod("1.29.1"), pod("web/a", "default", "1.28.3")], {}),
    ("proxy_skew", [istiod("1.29.1"), pod("web/a", "default", "1.28.3")], {**CANARY, "version": "1.31.1"}),
    ("withdrawn_version", [istiod("1.31.0")], {"version": "1.31.0"}),
    ("dead_image_host", [], {"image_hub": "gcr.io/istio-release"}),
    ("dead_image_host", [], {"version": "1.31.1"}),
    ("image_host_ends", [pod("web/a", "default")], {"image_hub": "example.com/istio"}),
    ("gateway_api_bundle", [crd("tlsroutes", "TLSRoute", "v1.4.1", "v1alpha2")], {}),
    ("gateway_api_bundle", [crd("tlsroutes", "TLSRoute", "v1.5.0"), route("TLSRoute")], {}),
    (
        "limit_range",
        [limits("istio-system", max={"memory": "4Gi"}), namespace("b"), limits("b", max={"cpu": "1m"})],
        {},
    ),
    ("webhook_without_service", [injector(), validator(), SERVICE], CANARY),
    ("webhook_without_service", [injector(), validator()], {}),
    ("webhook_without_endpoints", [injector(), SERVICE, READY], {}),
    ("system_namespace_injected", [injector(by_default=True), namespace("kube-system")], {}),
    ("certificate_expired", [authority(NOW + timedelta(days=1))], {}),
    ("certificate_expires", [authority(NOW + timedelta(days=31)), injector()], {}),
    ("mesh_protected", [values_of("default", protected="false"), values_of("canary", protected="true")], GOES),
    ("mesh_protected", [istiod("1.29.1"), values_of("default", protected="true")], LEAVES),
    ("sidecars_left", [pod("web/a", "other"), pod("web/b")], GOES),
    ("gateways_left", [istiod("1.29.1"), of_revision("web", "x"), gateway_deployment()], GOES),
    ("gateways_left", [api_gateway("web/g", "nginx")], LEAVES),
    ("sidecars_left", [istiod("1.29.1"), pod("web/a", "default")], LEAVES),
    ("sidecars_left", [istiod("1.29.1", "canary"), pod("web/a", "canary")], LEAVES),
    ("gateways_left", [istiod("1.29.1"), gateway_deployment()], LEAVES),
    ("gateways_left", [istiod("1.29.1", "canary"), api_gateway("web/g", "istio-waypoint", "canary")], LEAVES),
    ("gateways_left", [door(ours(gateway_deployment()))], LEAVES),
    ("revision_in_use", [ENABLED, istiod("1.29.1")], LEAVES),
    ("permission_missing", [istiod("1.29.1")], {**LEAVES, "missing": (Permission("delete", "", "services"),)}),
    ("calls_end", [pod("web/a", "default")], LEAVES),
    ("revision_in_use", [istiod("1.29.1"), validator(), injector(tag="prod")], GOES),
    (
        "revision_in_use",
        [istiod("1.29.1"), istiod("1.30.7", "canary"), ours(validator("canary"))],
        {**GOES, **CANARY},
    ),
    ("serves_others", [istiod("1.29.1"), way_in("istiod-canary.istio-system.svc.cluster.local")], GOES),
    ("serves_others", [istiod("1.29.1"), way_in("istiod", 15014), way_in("istiod", name="web/istiod")], GOES),
    ("serves_others", [way_in("istiod")], GOES),
    ("serves_others", [istiod("1.29.1"), DOOR, READ_BY_IT], GOES),
    ("serves_others", [external(istiod("1.29.1")), DOOR], GOES),
    ("unknown_release", [], {}),
    ("end_of_life", [], {}),
    ("security_patch_missing", [], {}),
    ("leftovers", [istiod("1.29.1"), injector(), validator()], {}),
    ("leftovers", [SERVED_FROM_ELSEWHERE, injector(), validator()], {}),
    ("capacity", [node()], {}),
    ("capacity", [], {}),
    ("disruption_budget", [budget(1), namespace("b"), budget(0, "b")], {}),
    ("disruption_budget", [budget(0, expected=0)], {}),
    ("envoy_filters", [istiod("1.30.7"), filter_of("mine")], {}),
    ("envoy_filter_renamed", [filter_of("mine", filter="envoy.filters.http.rbac")], {"version": "1.31.1"}),
    ("deprecated", [written_in("networking.istio.io/v1"), pod("web/a", "default")], {}),
]


@pytest.mark.parametrize(("code", "objects", "options", "said"), FOUND)
def test_it_is_found(code: str, objects: list[Made], options: Made, said: str) -> None:
    assert said in "\n".join(found(code, *objects, **options))


@pytest.mark.parametrize(("code", "objects", "options"), NOTHING)
def test_nothing_is_found(code: str, objects: list[Made], options: Made) -> None:
    assert found(code, *objects, **options) == []


def test_every_check_is_proved() -> None:
    assert {row[0] for row in FOUND} == set(PRECHECKS)


def test_an_empty_cluster_is_ready() -> None:
    assert checked(facts(namespace("kube-system"), namespace("default"))) == []


def test_all_blockers_come_at_once_each_with_its_way_out() -> None:
    with pytest.raises(PrecheckFailed) as refused:
        require(*both(injector("gone"), kubernetes="v1.30.0", version="1.31.0"))
    error = refused.value
    assert error.code == "precheck_failed"
    assert "ignore_checks: [kubernetes_version, withdrawn_version, webhook_without_service]" in error.hint
    told = error.extra["precheck"]
    assert [entry["code"] for entry in told["blockers"]] == [
        "kubernetes_version",
        "withdrawn_version",
        "webhook_without_service",
    ]
    assert told["blockers"][2]["count"] == 2
    assert told["blockers"][0]["override"] == "ignore_checks: [kubernetes_version]"
    assert [entry["code"] for entry in told["warnings"]] == ["security_patch_missing", "leftovers"]


def both(*objects: Made, ignored: frozenset[str] = frozenset(), **more: Any) -> tuple[Facts, Any]:
    known = facts(*objects, **more)
    return known, checked(known, ignored)


def test_what_is_ignored_is_still_told() -> None:
    told = require(*both(kubernetes="v1.30.0", ignored=known_codes(["kubernetes_version"])))
    assert (told["blockers"], [entry["code"] for entry in told["warnings"]]) == ([], ["kubernetes_version"])


def test_where_the_version_runs_already_nothing_blocks_but_what_cannot_be_done() -> None:
    """Another run makes nothing worse, and it may be the one that heals."""
    old: Made = {"kubernetes": "v1.20.0", "missing": (Permission("get", "", "services"),)}
    levels = {finding.code: finding.level for finding in checked(facts(istiod("1.30.7"), **old))}
    assert levels == {"permission_missing": "blocker", "kubernetes_version": "warning"}
    levels = {finding.code: finding.level for finding in checked(facts(istiod("1.30.7"), revision="canary", **old))}
    assert levels == {"permission_missing": "blocker", "kubernetes_version": "blocker"}


def test_many_objects_are_counted_and_the_first_are_named() -> None:
    pods = [pod(f"web/p{number}", "default") for number in range(30)]
    with pytest.raises(PrecheckFailed, match="; and 10 more") as refused:
        require(*both(*pods, operation="uninstall"))
    (blocker,) = refused.value.extra["precheck"]["blockers"][:1]
    assert (blocker["code"], blocker["count"], len(blocker["objects"])) == ("sidecars_left", 30, 20)


def test_what_may_not_be_read_is_no_finding() -> None:
    """Without the Services every webhook would seem to point nowhere."""
    unread = (Unread("list", MUTATING_WEBHOOKS, "", "forbidden"), Unread("list", POD, "web", "forbidden"))
    (warning,) = checked(facts(injector(), unread=unread))
    assert (warning.code, warning.level) == ("not_readable", "warning")
    assert "'list' on mutatingwebhookconfigurations: forbidden" in warning.objects
    assert "'list' on pods in web: forbidden" in warning.objects
    assert "so that these were not made:" in warning.sentence
    assert "webhook_without_service" in warning.sentence
    assert warning.told()["override"] == ""


def test_what_is_named_wrongly_is_refused() -> None:
    with pytest.raises(UnknownPrecheck, match="did you mean 'skipped_minor'"):
        known_codes(["skiped_minor"])


def test_the_documentation_says_what_each_check_is() -> None:
    text = " ".join(DOCUMENTATION.split())
    assert [check.code for check in PRECHECKS.values() if f"V({check.code}), {check.sentence}" not in text] == []
