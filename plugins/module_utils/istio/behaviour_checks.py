# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who uses a behaviour that a minor release changes: a detector for each row of behaviour.py.

A detector names what is concerned, an object and why, and is silent where the change is not noticed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Object
from ..kube.resources import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    NAMESPACE,
    NODE,
    POD,
    SERVICE,
    STATEFUL_SET,
    Resource,
)
from . import kinds
from .facts import ROOT_NAMESPACE
from .pods import living, proxy_of
from .snapshot import Snapshot
from .usage import CRON_JOB, JOB
from .webhooks import annotations_of, labels_of
from .world import mapping, mappings, named, spec_of, texts

Found = Iterator[tuple[str, str]]

# Bundles of the Gateway API serve these routes in different versions; what is not served has no objects.
_API = "gateway.networking.k8s.io"
TLS_ROUTES = tuple(Resource(f"{_API}/{version}", "TLSRoute", "tlsroutes") for version in ("v1", "v1alpha3", "v1alpha2"))
TCP_ROUTES = tuple(Resource(f"{_API}/{version}", "TCPRoute", "tcproutes") for version in ("v1", "v1alpha2"))
RUNNERS = (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, JOB, CRON_JOB)
# Kubelets from here on run a sidecar as an init container that keeps running.
_NATIVE: tuple[int, int] = (1, 33)
_KUBELET = re.compile(r"v?(\d+)\.(\d+)")
_CNI = "istio-cni-config"
_CNI_AGENT = "istio-cni-node"
_MODE = "istio.io/dataplane-mode"
_GATEWAY_NAME = f"{_API}/gateway-name"
_STATS_COMPRESSION = "sidecar.istio.io/statsCompression"
_AUTO_REGISTERED = "istio.io/autoRegistrationGroup"
_TUNNEL = "networking.istio.io/tunnel"
_RBAC_FILTER = "envoy.filters.http.rbac"
# Half of the number of workloads from which ztunnels could not reconnect, so that it is said in time.
_MANY_WORKLOADS = 20_000


@dataclass(frozen=True)
class ChangeFacts:
    """What the detectors look at: the cluster, and the environment that istiod will have (and has now)."""

    cluster: Snapshot
    env: Mapping[str, str] = field(default_factory=dict)
    env_now: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ROOT_NAMESPACE


def native_sidecars(facts: ChangeFacts) -> Found:
    """Workloads that end, or that stop the proxy by a hook of their own."""
    kubelets = [_minor(node["status"]["nodeInfo"]["kubeletVersion"]) for node in facts.cluster.of(NODE)]
    if not kubelets or min(kubelets) < _NATIVE:
        return
    for pod in living(facts.cluster):
        proxy = proxy_of(pod)
        if proxy is None or proxy in (pod["spec"].get("initContainers") or []):
            continue
        if "preStop" in (proxy.get("lifecycle") or {}):
            yield named(pod), "its proxy has a preStop hook, which then runs after the application has ended"
        if any(owner["kind"] == JOB.kind for owner in pod["metadata"].get("ownerReferences") or []):
            yield named(pod), "it belongs to a Job, which then ends by itself: nothing has to stop the proxy any more"


def _minor(version: str) -> tuple[int, int]:
    match = _KUBELET.match(version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def mirrored_hosts(facts: ChangeFacts) -> Found:
    for found in facts.cluster.of(kinds.VIRTUAL_SERVICE.resource):
        routes = mappings(spec_of(found).get("http"))
        if any("mirror" in route or route.get("mirrors") for route in routes):
            yield named(found), "it mirrors requests"


def stats_compression(facts: ChangeFacts) -> Found:
    for pod in living(facts.cluster):
        if _STATS_COMPRESSION in annotations_of(pod):
            yield named(pod), f"it bears the annotation {_STATS_COMPRESSION}, which nothing reads any more"


def debug_endpoints(facts: ChangeFacts) -> Found:
    """Tools outside of the root namespace that ask istiod for more than metrics."""
    for found, text in _runners(facts):
        if "istiod" in text and ("/debug/" in text or ":15014/debug" in text):
            yield named(found), "its containers are told of istiod's /debug endpoints"
        elif _is_kiali(found):
            yield named(found), "Kiali reads istiod's debug endpoints"


def plaintext_debug(facts: ChangeFacts) -> Found:
    for found, text in _runners(facts):
        if ":15010" in text or "--plaintext" in text:
            yield named(found), "its containers are told of istiod's plaintext port"


def _runners(facts: ChangeFacts) -> Iterator[tuple[Object, str]]:
    """Workloads outside of the root namespace, with what their containers are told."""
    for resource in RUNNERS:
        for found in facts.cluster.of(resource):
            if found["metadata"]["namespace"] != facts.namespace:
                spec = found["spec"]
                template = spec["jobTemplate"]["spec"]["template"] if resource is CRON_JOB else spec["template"]
                told = [
                    {key: container.get(key) for key in ("command", "args", "env")}
                    for container in (template.get("spec") or {}).get("containers") or []
                ]
                yield found, json.dumps(told)


def _is_kiali(found: Object) -> bool:
    return "kiali" in (labels_of(found).get("app"), labels_of(found).get("app.kubernetes.io/name"))


def circuit_breakers(facts: ChangeFacts) -> Found:
    for found, policy in _policies(facts):
        if "connectionPool" in policy:
            yield named(found), "it has a circuit breaker (connectionPool)"


def _policies(facts: ChangeFacts) -> Iterator[tuple[Object, Mapping[str, Any]]]:
    """Every traffic policy of every DestinationRule: for the host, for subsets, for ports."""
    for found in facts.cluster.of(kinds.DESTINATION_RULE.resource):
        spec = spec_of(found)
        holders = [spec, *mappings(spec.get("subsets"))]
        for policy in (mapping(holder.get("trafficPolicy")) for holder in holders):
            yield found, policy
            for of_port in mappings(policy.get("portLevelSettings")):
                yield found, of_port


def _cni(facts: ChangeFacts) -> Iterator[tuple[Object, Mapping[str, str]]]:
    """The configuration of the node agent, where it serves ambient workloads."""
    for found in facts.cluster.of(CONFIG_MAP):
        data = found.get("data") or {}
        if found["metadata"]["name"] == _CNI and data.get("AMBIENT_ENABLED") == "true":
            yield found, data


def ambient_dns(facts: ChangeFacts) -> Found:
    for found, data in _cni(facts):
        if data.get("AMBIENT_DNS_CAPTURE") != "true":
            yield named(found), "ambient workloads ask DNS directly until now"


def ambient_iptables(facts: ChangeFacts) -> Found:
    for found, data in _cni(facts):
        if data.get("AMBIENT_RECONCILE_POD_RULES_ON_STARTUP") != "true":
            yield named(found), "rules of ambient Pods stay as they are until now when the node agent is renewed"


def ambient_excluded(facts: ChangeFacts) -> Found:
    for _found, data in _cni(facts):
        excluded = {name.strip() for name in data.get("EXCLUDE_NAMESPACES", "").split(",")}
        for item in (*facts.cluster.of(NAMESPACE), *facts.cluster.of(POD)):
            place = item["metadata"].get("namespace") or item["metadata"]["name"]
            if place in excluded and labels_of(item).get(_MODE) == "ambient":
                yield named(item), "it is labelled for ambient mode in a namespace that the node agent excludes"


def cni_file_mode(facts: ChangeFacts) -> Found:
    for found in facts.cluster.of(DAEMON_SET):
        if found["metadata"]["name"] == _CNI_AGENT:
            yield named(found), "it writes the configuration of the node's network"


def hosts_in_several_namespaces(facts: ChangeFacts) -> Found:
    """Hosts that a Service and a ServiceEntry, or ServiceEntries of several namespaces, are for."""
    places: dict[str, dict[str, Object]] = {}
    for found in facts.cluster.of(SERVICE):
        host = f"{found['metadata']['name']}.{found['metadata']['namespace']}.svc.cluster.local"
        places[host] = {found["metadata"]["namespace"]: found}
    entries: dict[str, dict[str, Object]] = {}
    for found in facts.cluster.of(kinds.SERVICE_ENTRY.resource):
        for host in texts(spec_of(found).get("hosts")):
            entries.setdefault(host, {})[found["metadata"]["namespace"]] = found
    for host, found_in in entries.items():
        there = {**places.get(host, {}), **found_in}
        if len(there) > 1:
            for item in found_in.values():
                yield named(item), f"{host} is in the namespaces {', '.join(sorted(there))}"


def tls_routes(facts: ChangeFacts) -> Found:
    for found in facts.cluster.of(TLS_ROUTES[0]):
        yield named(found), "it is a TLSRoute"


def tcp_routes(facts: ChangeFacts) -> Found:
    for found in facts.cluster.of(TCP_ROUTES[0]):
        yield named(found), "it is a TCPRoute"


def outlier_detection(facts: ChangeFacts) -> Found:
    for found, policy in _policies(facts):
        detection = mapping(policy.get("outlierDetection"))
        if "outlierDetection" in policy and not detection.get("minHealthPercent"):
            yield named(found), "it detects outliers without minHealthPercent"


def merged_gateways(facts: ChangeFacts) -> Found:
    """Gateways of Istio that select the Pods of a gateway which istiod has deployed in another namespace."""
    pods = [(found, labels_of({"metadata": {}, **found["spec"]["template"]})) for found in facts.cluster.of(DEPLOYMENT)]
    managed = [(found["metadata"]["namespace"], labels) for found, labels in pods if _GATEWAY_NAME in labels]
    for gateway in facts.cluster.of(kinds.GATEWAY.resource):
        selector = mapping(spec_of(gateway).get("selector"))
        selected = [place for place, labels in managed if selector.items() <= dict(labels).items()]
        if selected and gateway["metadata"]["namespace"] not in selected:
            yield named(gateway), f"it selects a gateway of the Gateway API in {selected[0]}"


def upstream_spans(facts: ChangeFacts) -> Found:
    name = "PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY"
    if facts.env_now.get(name) == "false" or facts.env.get(name) == "false":
        yield f"istiod in {facts.namespace}", f"{name} is false"


def registered_entries(facts: ChangeFacts) -> Found:
    if facts.env.get("PILOT_ENABLE_AMBIENT") != "true":
        return
    for found in facts.cluster.of(kinds.WORKLOAD_ENTRY.resource):
        if _AUTO_REGISTERED in annotations_of(found) and labels_of(found).get(_TUNNEL) != "http":
            yield named(found), f"it was registered by itself and lacks the label {_TUNNEL}"


def large_ambient_mesh(facts: ChangeFacts) -> Found:
    count = len(facts.cluster.of(POD)) + len(facts.cluster.of(SERVICE))
    if count >= _MANY_WORKLOADS and any(True for _agent in _cni(facts)):
        yield facts.cluster.cluster, f"it has {count} Pods and Services"


def renamed_rbac_filter(facts: ChangeFacts) -> Found:
    for found in facts.cluster.of(kinds.ENVOY_FILTER.resource):
        for patch in mappings(spec_of(found).get("configPatches")):
            match = mapping(patch.get("match"))
            if match.get("context") == "GATEWAY" and _RBAC_FILTER in json.dumps(match):
                yield named(found), f"it finds {_RBAC_FILTER} by name on gateways"
