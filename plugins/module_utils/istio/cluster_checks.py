# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prechecks of the cluster: what would refuse, crowd out or block a control plane and its proxies.

Sources: istio-discovery's values (requests of istiod and of proxies), the Kubernetes API (LimitRange,
PodDisruptionBudget), pkg/kube/inject, and the annotations that Istio's reference calls deprecated.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from ..kube.client import Object
from ..kube.resources import CONFIG_MAP, CRD, DEPLOYMENT, LIMIT_RANGE, NAMESPACE, NODE, SECRET
from .certificates import NotACertificate, certificates
from .facts import INJECTION_LABEL, REVISION_LABEL, SERVED_BY
from .injector_config import chart_globals
from .kinds import ENVOY_FILTER, KINDS
from .pods import is_gateway, living
from .precheck_facts import (
    BUDGET,
    CLUSTER_ROLE,
    OPERATOR_CRD,
    Facts,
    istio_webhooks,
)
from .quantities import quantity
from .trust import AUTHORITIES
from .usage import revisions
from .webhooks import annotations_of, labels_of
from .world import mapping, named

Trouble = Iterator[tuple[str, str]]
Amounts = Mapping[str, Any]

_ISTIOD: Amounts = {"requests": {"cpu": "500m", "memory": "2048Mi"}}
_PROXY: Amounts = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2000m", "memory": "1024Mi"}}
_CERTIFICATES = (".crt", ".pem")
_KEYS = ("key.pem", "tls.key")
_SOON = timedelta(days=30)
_CURRENT = "/v1"
_DEPRECATED_VERSIONS = ("/v1alpha3", "/v1beta1")
# What is deprecated on Pods, and what to write instead.
_DEPRECATED_ANNOTATIONS: Mapping[str, str] = {
    "sidecar.istio.io/inject": "the label of the same name",
    "traffic.sidecar.istio.io/kubevirtInterfaces": "istio.io/reroute-virtual-interfaces",
}
# EnvoyFilters that Istio up to 1.2x brought for each of its versions.
_OLD_FILTERS = ("stats-filter-1.", "tcp-stats-filter-1.", "metadata-exchange-1.", "tcp-metadata-exchange-1.")


def permissions(facts: Facts) -> Trouble:
    verbs: dict[str, list[str]] = {}
    for permission in facts.missing:
        verbs.setdefault(permission.where, []).append(permission.verb)
    for resource, lacking in verbs.items():
        yield resource, f"the user may not {', '.join(lacking)} them (examples/rbac/lifecycle.yaml allows it)"


def limit_ranges(facts: Facts) -> Trouble:
    """Limits that would refuse istiod or a sidecar; the Pods would simply never appear."""
    for found in facts.cluster.of(LIMIT_RANGE):
        place = found["metadata"]["namespace"]
        for limit in found["spec"].get("limits") or []:
            if limit["type"] in ("Container", "Pod"):
                wanted = [("istiod", _istiod_resources(facts))] if place == facts.target.namespace else []
                wanted += [("a sidecar", _proxy_resources(facts))] if _is_injected(facts, place) else []
                for what, amounts in wanted:
                    for why in _refusals(limit, amounts):
                        yield named(found), f"{what} would be refused: {why}"


def _is_injected(facts: Facts, place: str) -> bool:
    labels = labels_of(facts.cluster.named(NAMESPACE, place) or {"metadata": {}})
    return labels.get(INJECTION_LABEL) == "enabled" or (INJECTION_LABEL not in labels and REVISION_LABEL in labels)


def _istiod_resources(facts: Facts) -> Amounts:
    for found in facts.same_revision:
        return mapping(found["spec"]["template"]["spec"]["containers"][0].get("resources"))
    return _ISTIOD


def _proxy_resources(facts: Facts) -> Amounts:
    """What the injector that is there was told, or else the charts' own."""
    for found in facts.cluster.of(CONFIG_MAP):
        resources = mapping(mapping(chart_globals(found).get("proxy")).get("resources"))
        if resources and facts.is_target(found):
            return resources
    return _PROXY


def _refusals(limit: Mapping[str, Any], wanted: Amounts) -> Iterator[str]:
    requests, limits = mapping(wanted.get("requests")), mapping(wanted.get("limits"))
    for name in ("cpu", "memory"):
        most, least = (limit.get("max") or {}).get(name), (limit.get("min") or {}).get(name)
        largest = limits.get(name) or requests.get(name)
        if most and largest and quantity(largest) > quantity(most):
            yield f"it may have {name} {most} and wants {largest}"
        smallest = requests.get(name)
        if least and smallest and quantity(smallest) < quantity(least):
            yield f"it must ask for {name} {least} and asks for {smallest}"


def capacity(facts: Facts) -> Trouble:
    """Room for a second istiod: during any upgrade there are two for a while."""
    nodes = [node for node in facts.cluster.of(NODE) if not node["spec"].get("unschedulable")]
    wanted = mapping(_istiod_resources(facts).get("requests"))
    if nodes and not facts.is_running and not any(_fits(node, facts, wanted) for node in nodes):
        needs = " and ".join(f"{name} {amount}" for name, amount in wanted.items())
        yield f"{len(nodes)} nodes", f"no node has {needs} left for one more istiod; the new one would wait for room"


def _fits(node: Object, facts: Facts, wanted: Amounts) -> bool:
    name = node["metadata"]["name"]
    there = [pod for pod in living(facts.cluster) if pod["spec"].get("nodeName") == name]
    room = node["status"].get("allocatable") or {}
    return all(
        quantity(room.get(resource, 0)) - sum((_asked(pod, resource) for pod in there), Decimal(0)) >= quantity(amount)
        for resource, amount in wanted.items()
    )


def _asked(pod: Object, resource: str) -> Decimal:
    """What a Pod has reserved; a native sidecar is an init container that stays."""
    stay = [one for one in pod["spec"].get("initContainers") or [] if one.get("restartPolicy") == "Always"]
    containers = [*pod["spec"]["containers"], *stay]
    requests = (mapping(mapping(one.get("resources")).get("requests")).get(resource, 0) for one in containers)
    return sum(map(quantity, requests), Decimal(0))


def disruption_budgets(facts: Facts) -> Trouble:
    """Budgets that let no Pod go, which a restart for new proxies or a drained node would wait for."""
    gateways = {
        found["metadata"]["namespace"]
        for found in facts.cluster.of(DEPLOYMENT)
        if is_gateway(found["spec"]["template"])
    }
    for found in facts.cluster.of(BUDGET):
        place, status = found["metadata"]["namespace"], found.get("status") or {}
        ours = place == facts.target.namespace or place in gateways or _is_injected(facts, place)
        if ours and status.get("expectedPods", 0) > 0 and status.get("disruptionsAllowed", 0) == 0:
            healthy = f"{status.get('currentHealthy', 0)} of {status['expectedPods']} Pods are healthy"
            yield named(found), f"it allows no disruption now ({healthy}, {status.get('desiredHealthy', 0)} must be)"


def _is_served_from_elsewhere(facts: Facts) -> bool:
    """Whether the istiods of other clusters serve this one."""
    place = facts.cluster.named(NAMESPACE, facts.target.namespace)
    return SERVED_BY in annotations_of(place or {"metadata": {}})


def leftovers(facts: Facts) -> Trouble:
    """Parts of an Istio that is gone, which would act on the new one's objects or be taken for it."""
    there = revisions(facts.cluster)
    for found in [*istio_webhooks(facts.cluster), *facts.cluster.of(CLUSTER_ROLE)]:
        revision = labels_of(found).get(REVISION_LABEL)
        if revision and revision not in there and not _is_served_from_elsewhere(facts):
            yield named(found), f"it belongs to revision {revision}, which has no istiod: delete it"
    for found in facts.cluster.of(CRD):
        if found["metadata"]["name"] == OPERATOR_CRD:
            yield named(found), "the operator inside the cluster is gone since Istio 1.24: its objects do nothing"
    for found in facts.cluster.of(ENVOY_FILTER.resource):
        if found["metadata"]["name"].startswith(_OLD_FILTERS):
            yield named(found), "an old Istio brought it for proxies of its own version: delete it"


def deprecated(facts: Facts) -> Trouble:
    """Versions of the API and annotations that a later release may not have any more."""
    for kind in KINDS:
        for found in facts.cluster.of(kind.resource):
            version = _written_in(found)
            if version and kind.resource.api_version.endswith(_CURRENT):
                yield named(found), f"it is written in {version}: write {kind.resource.api_version}"
    for pod in living(facts.cluster):
        for annotation, instead in _DEPRECATED_ANNOTATIONS.items():
            if annotation in annotations_of(pod) and not is_gateway(pod):
                yield named(pod), f"the annotation {annotation} is deprecated: use {instead}"


def _written_in(found: Object) -> str:
    """The deprecated version in which somebody has written an object last, or nothing."""
    entries = [entry for entry in found["metadata"].get("managedFields") or [] if not entry.get("subresource")]
    newest: Mapping[str, Any] = max(entries, key=lambda entry: str(entry.get("time")), default={})
    version = str(newest.get("apiVersion") or "")
    return version if version.endswith(_DEPRECATED_VERSIONS) else ""


def expired_certificates(facts: Facts) -> Trouble:
    for what, end in _certificates(facts):
        if end <= facts.today:
            yield (
                what,
                f"a certificate in it has expired on {end.date().isoformat()}: proxies and webhooks trust it no more",
            )


def ending_certificates(facts: Facts) -> Trouble:
    for what, end in _certificates(facts):
        if facts.today < end <= facts.today + _SOON:
            yield what, f"a certificate in it expires on {end.date().isoformat()}: renew it before or with this change"


def _certificates(facts: Facts) -> Iterator[tuple[str, datetime]]:
    """Where certificates are, and when the first of each place ends. What cannot be read is no certificate of ours."""
    for name in AUTHORITIES:
        found = facts.cluster.named(SECRET, name, facts.target.namespace)
        for key, text in ((found or {}).get("data") or {}).items():
            if key.endswith(_CERTIFICATES) and not key.endswith(_KEYS):
                yield from _first_end(f"Secret {facts.target.namespace}/{name} ({key})", text)
    for found in istio_webhooks(facts.cluster):
        for hook in found.get("webhooks") or []:
            yield from _first_end(f"{named(found)} ({hook['name']})", (hook.get("clientConfig") or {}).get("caBundle"))


def _first_end(what: str, encoded: str | None) -> Iterator[tuple[str, datetime]]:
    try:
        yield what, min(one.ends for one in certificates(base64.b64decode(encoded or "").decode()))
    except (NotACertificate, ValueError):
        return
