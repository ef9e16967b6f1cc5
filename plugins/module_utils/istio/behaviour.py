# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each minor release changes in behaviour, as a table, and which of it a mesh will notice.

Sources: Istio's upgrade notes of 1.27 to 1.31 and of the development towards 1.32, and the compatibility profiles of
its charts (manifests/helm-profiles), which say what keeps the old behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.resources import CONFIG_MAP, DAEMON_SET, DEPLOYMENT, NAMESPACE, NODE, POD, SERVICE, Resource
from . import behaviour_checks as checks
from . import kinds
from .behaviour_checks import RUNNERS, TCP_ROUTES, TLS_ROUTES, ChangeFacts
from .releases import Minor, Version, shown
from .snapshot import Ask

_SHOWN = 20


@dataclass(frozen=True)
class Behaviour:
    """A behaviour that is another one from a minor release on.

    `needs` are the kinds that show who uses it; `kept_by` is an environment variable of istiod, or a value of another
    chart, that keeps the old one.
    """

    code: str
    since: Minor
    sentence: str
    hint: str
    find: Callable[[ChangeFacts], Iterator[tuple[str, str]]]
    needs: tuple[Resource, ...] = ()
    kept_by: tuple[str, str] | None = None


@dataclass(frozen=True)
class Change:
    """A behaviour that changes and that is used; `kept_by` says why it stays as it was for now."""

    code: str
    since: str
    sentence: str
    hint: str
    count: int
    objects: tuple[tuple[str, str], ...]
    kept_by: str = ""

    def told(self) -> dict[str, Any]:
        """For a result."""
        rows = [{"object": name, "reason": reason} for name, reason in self.objects]
        return {**vars(self), "objects": rows}


BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour(
        "native_sidecars",
        (1, 27),
        "on nodes with Kubernetes 1.33 and newer the proxy becomes an init container that keeps running",
        "Remove what stops the proxy at the end of Jobs, and look at preStop hooks; ENABLE_NATIVE_SIDECARS=false or "
        "the annotation sidecar.istio.io/nativeSidecar keep it as it was",
        checks.native_sidecars,
        (NODE, POD),
        ("ENABLE_NATIVE_SIDECARS", "false"),
    ),
    Behaviour(
        "mirror_host",
        (1, 28),
        "mirrored requests no longer get '-shadow' behind their host",
        "Look for it in the receivers of mirrored requests, or set DISABLE_SHADOW_HOST_SUFFIX=false",
        checks.mirrored_hosts,
        (kinds.VIRTUAL_SERVICE.resource,),
        ("DISABLE_SHADOW_HOST_SUFFIX", "false"),
    ),
    Behaviour(
        "stats_compression",
        (1, 29),
        "Envoy compresses its metrics for everybody who accepts it, and an annotation that decided this is gone",
        "Use statsCompression of the proxy's configuration (annotation proxy.istio.io/config)",
        checks.stats_compression,
        (POD,),
    ),
    Behaviour(
        "debug_endpoints",
        (1, 29),
        "istiod's debug endpoints want to know who asks, and tell other namespaces only of their own proxies",
        "Add the namespaces of these tools to DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES",
        checks.debug_endpoints,
        RUNNERS,
        ("ENABLE_DEBUG_ENDPOINT_AUTH", "false"),
    ),
    Behaviour(
        "circuit_breaker_metrics",
        (1, 29),
        "Envoy no longer counts what circuit breakers have left (metrics named remaining_…)",
        "Look for them in dashboards and alerts, or set DISABLE_TRACK_REMAINING_CB_METRICS=false",
        checks.circuit_breakers,
        (kinds.DESTINATION_RULE.resource,),
        ("DISABLE_TRACK_REMAINING_CB_METRICS", "false"),
    ),
    Behaviour(
        "ambient_dns",
        (1, 29),
        "DNS of new ambient Pods goes through the mesh",
        "Set ambient.dnsCapture of the chart cni to say what is meant",
        checks.ambient_dns,
        (CONFIG_MAP,),
    ),
    Behaviour(
        "ambient_iptables",
        (1, 29),
        "a node agent that starts brings the rules of ambient Pods which run already up to date",
        "Set ambient.reconcileIptablesOnStartup of the chart cni to false to keep them",
        checks.ambient_iptables,
        (CONFIG_MAP,),
        ("AMBIENT_RECONCILE_POD_RULES_ON_STARTUP", "false"),
    ),
    Behaviour(
        "tls_routes",
        (1, 30),
        "TLSRoutes are read from version 1.5.0 of the Gateway API on, and by 1.29 only until 1.4.1: between the change "
        "of the CRDs and that of istiod they do not work",
        "Plan for it, or route by a Gateway (PASSTHROUGH) and a VirtualService of Istio's for that time",
        checks.tls_routes,
        TLS_ROUTES,
    ),
    Behaviour(
        "service_namespace",
        (1, 30),
        "of a host that is in several namespaces, sidecars take the Service, then the oldest entry, and no longer "
        "the first namespace of the alphabet",
        "Let each host be in one namespace, or set PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE=false",
        checks.hosts_in_several_namespaces,
        (SERVICE, kinds.SERVICE_ENTRY.resource),
        ("PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE", "false"),
    ),
    Behaviour(
        "plaintext_debug",
        (1, 30),
        "istiod's plaintext port (15010) answers debug questions only to those who say who they are",
        "Ask by the port 15012, or set ENABLE_DEBUG_ENDPOINT_AUTH=false",
        checks.plaintext_debug,
        RUNNERS,
        ("ENABLE_DEBUG_ENDPOINT_AUTH", "false"),
    ),
    Behaviour(
        "cni_file_mode",
        (1, 30),
        "the node agent's configuration file can be read by root alone (mode 0600)",
        "Where other tools of the nodes read it, set env.CNI_CONF_GROUP_READ of the chart cni to true",
        checks.cni_file_mode,
        (DAEMON_SET,),
    ),
    Behaviour(
        "ambient_excluded",
        (1, 30),
        "the node agent takes Pods of excluded namespaces out of the mesh, whatever their labels say",
        "Take the label away, or the namespace out of excludeNamespaces of the chart cni",
        checks.ambient_excluded,
        (CONFIG_MAP, NAMESPACE, POD),
    ),
    Behaviour(
        "unhealthy_endpoints",
        (1, 31),
        "proxies are told of endpoints that are not ready, unless minHealthPercent is set",
        "Set outlierDetection.minHealthPercent where it matters, or PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS=false",
        checks.outlier_detection,
        (kinds.DESTINATION_RULE.resource,),
        ("PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS", "false"),
    ),
    Behaviour(
        "gateway_merging",
        (1, 31),
        "a Gateway no longer adds to a gateway of the Gateway API that istiod has deployed in another namespace",
        "Attach routes to that gateway, move the Gateway, or set PILOT_ENABLE_STRICT_GATEWAY_MERGING=false",
        checks.merged_gateways,
        (DEPLOYMENT, kinds.GATEWAY.resource),
        ("PILOT_ENABLE_STRICT_GATEWAY_MERGING", "false"),
    ),
    Behaviour(
        "upstream_spans",
        (1, 31),
        "gateways always make a span for each upstream request; the variable that turned it off is gone",
        "Expect more spans, and remove PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY",
        checks.upstream_spans,
    ),
    Behaviour(
        "registered_entries",
        (1, 31),
        "workloads that register themselves are reached by HBONE, but those that have registered before are not",
        "Let them register again, or label them networking.istio.io/tunnel=http",
        checks.registered_entries,
        (kinds.WORKLOAD_ENTRY.resource,),
    ),
    Behaviour(
        "large_ambient_mesh",
        (1, 31),
        "ztunnels tell istiod more when they connect again, which in very large meshes exceeds what it receives",
        "Set ISTIO_GPRC_MAXRECVMSGSIZE of istiod (spelled so): some 1 MiB for 10,000 Pods and Services",
        checks.large_ambient_mesh,
        (CONFIG_MAP, POD, SERVICE),
    ),
    Behaviour(
        "tcp_routes",
        (1, 31),
        "TCPRoutes are read from version 1.6.0 of the Gateway API on",
        "Bring the CRDs of the Gateway API to 1.6.0 or newer first",
        checks.tcp_routes,
        TCP_ROUTES,
    ),
    Behaviour(
        "rbac_filter",
        (1, 32),
        "with ENABLE_GATEWAY_API_HTTPROUTE_AUTH gateways call the filter that allows istio.authorization.allow",
        "Let these EnvoyFilters match both names",
        checks.renamed_rbac_filter,
        (kinds.ENVOY_FILTER.resource,),
    ),
)


def asks_of(current: Version, target: Version) -> list[Ask]:
    """What has to be read to know what changes between two versions."""
    return list(dict.fromkeys(Ask(resource) for row in _between(current, target) for resource in row.needs))


def changes_between(current: Version, target: Version, facts: ChangeFacts) -> list[Change]:
    """What a mesh will notice of the step from one version to another, in the order of the releases."""
    return [change for row in _between(current, target) for change in _change(row, facts)]


def _between(current: Version, target: Version) -> Iterable[Behaviour]:
    return [row for row in BEHAVIOURS if current.minor < row.since <= target.minor]


def _change(row: Behaviour, facts: ChangeFacts) -> Iterator[Change]:
    found = list(dict.fromkeys(row.find(facts)))
    if found:
        kept = "=".join(row.kept_by) if row.kept_by and facts.env.get(row.kept_by[0]) == row.kept_by[1] else ""
        yield Change(row.code, shown(row.since), row.sentence, row.hint, len(found), tuple(found[:_SHOWN]), kept)


def environment(objects: Iterable[Object]) -> dict[str, str]:
    """The environment of istiod and of the node agent among rendered or live objects: what keeps old behaviours."""
    found: dict[str, str] = {}
    for content in objects:
        if content["kind"] == DEPLOYMENT.kind and (content["metadata"].get("labels") or {}).get("app") == "istiod":
            for container in content["spec"]["template"]["spec"]["containers"]:
                found |= {entry["name"]: _text(entry) for entry in container.get("env") or []}
        elif content["kind"] == CONFIG_MAP.kind and content["metadata"]["name"] == "istio-cni-config":
            found |= {key: str(value) for key, value in (content.get("data") or {}).items()}
    return found


def _text(entry: Mapping[str, Any]) -> str:
    return str(entry.get("value", ""))
