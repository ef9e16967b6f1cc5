# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is installed and whether it works, read from the cluster alone.

The short form costs a handful of requests; what reads every Pod or object of a cluster has to be asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timezone
from typing import Any

from ..kube.client import Client, Object
from ..kube.resources import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    POD,
    SECRET,
    VALIDATING_WEBHOOKS,
)
from . import components, modes
from .desired_proxies import desired_asks, pods_told
from .drift import drift_asks, drift_told, managers_told
from .facts import REVISION_LABEL, ROOT_NAMESPACE
from .injector_config import chart_globals, name_of
from .owners import OURS
from .remote_record import (
    Remote,
    recorded_globals,
    recorded_versions,
    remote_asks,
    remotes_of,
    trust_domain_in,
    values_asks,
)
from .remote_status import clusters_asks, clusters_told
from .snapshot import Ask, Snapshot, read, read_more
from .support import support_of
from .trust import AUTHORITIES, DISTRIBUTED, trust_of
from .usage import USAGE_ASKS, Use, counted, istiods, told, uses
from .webhooks import DEFAULT_REVISION, labels_of, tags_of

REVISIONS, PODS, OWNERS, DRIFT = "revisions", "pods", "owners", "drift"
TRUST, CLUSTERS = "trust", "clusters"
GATHER = (REVISIONS, PODS, OWNERS, DRIFT, TRUST, CLUSTERS)
_BASE_ASKS = (
    Ask(DEPLOYMENT, required=True),
    Ask(MUTATING_WEBHOOKS, required=True),
    Ask(VALIDATING_WEBHOOKS, required=True),
    Ask(DAEMON_SET),
)


def mesh_status(
    client: Client, gather: Collection[str] = (), today: date | None = None, namespace: str = ROOT_NAMESPACE
) -> tuple[dict[str, Any], list[str]]:
    """The mesh as a cluster has it, and warnings about what could not be read.

    `ready` is true when a control plane exists, here or in the cluster that serves this one, and every component is
    ready.
    """
    snapshot = read_mesh(client, gather, namespace)
    status = {**_short(snapshot, today or date.today(), namespace), **_gathered(snapshot, gather, namespace)}
    if CLUSTERS in gather:
        status[CLUSTERS] = clusters_told(snapshot, _roots(snapshot, namespace), client.connection.url)
    return status, [
        f"Without the permission to {unread} the result lacks what these would tell" for unread in snapshot.unread
    ]


def read_mesh(client: Client, gather: Collection[str] = (), namespace: str = ROOT_NAMESPACE) -> Snapshot:
    """Everything that will be told: what there is first, then what belongs to it."""
    first = read(client, _BASE_ASKS)
    more = [*_belonging(first, gather), *remote_asks(first, namespace), *_more(first, gather, namespace)]
    return read_more(client, first, more)


def _belonging(snapshot: Snapshot, gather: Collection[str]) -> list[Ask]:
    """Pods where there is something of Istio's, one LIST for a namespace; and what the charts were told."""
    places = {found["metadata"]["namespace"] for found in _workloads(snapshot)}
    whole = {REVISIONS, PODS} & set(gather)
    return [
        *(Ask(POD, place, required=True) for place in sorted(places) if not whole),
        *(Ask(CONFIG_MAP, found["metadata"]["namespace"], name=_injector(found)) for found in istiods(snapshot)),
    ]


def _more(first: Snapshot, gather: Collection[str], namespace: str) -> list[Ask]:
    places = {found["metadata"]["namespace"] for found in _workloads(first)}
    return [
        *(USAGE_ASKS if REVISIONS in gather else ()),
        *((Ask(NAMESPACE), Ask(POD), *desired_asks(first)) if PODS in gather else ()),
        *(drift_asks(places) if DRIFT in gather else ()),
        *(_trust_asks(_roots(first, namespace)) if TRUST in gather else ()),
        *((*clusters_asks(_roots(first, namespace)), *values_asks(istiods(first))) if CLUSTERS in gather else ()),
    ]


def _roots(snapshot: Snapshot, namespace: str) -> list[str]:
    """The namespaces of control planes, and the one in which one shall be."""
    return sorted({namespace, *(found["metadata"]["namespace"] for found in istiods(snapshot))})


def _trust_asks(places: Sequence[str]) -> list[Ask]:
    return [
        *(Ask(SECRET, place, name=name) for place in places for name in AUTHORITIES),
        *(Ask(CONFIG_MAP, place, name=DISTRIBUTED) for place in places),
    ]


def _trusts(snapshot: Snapshot, places: Sequence[str]) -> list[dict[str, Any]]:
    now = datetime.now(timezone.utc)
    return [
        {
            "namespace": place,
            **trust_of([*snapshot.of(SECRET, place), *snapshot.of(CONFIG_MAP, place)]).told(now),
        }
        for place in places
    ]


def _workloads(snapshot: Snapshot) -> list[Object]:
    agents = [found for found in snapshot.of(DAEMON_SET) if found["metadata"]["name"] in components.NODE_AGENTS]
    return [*istiods(snapshot), *components.gateway_deployments(snapshot), *agents]


def _injector(istiod: Object) -> str:
    return name_of(labels_of(istiod).get(REVISION_LABEL, DEFAULT_REVISION))


def _short(snapshot: Snapshot, today: date, namespace: str) -> dict[str, Any]:
    served = [remote for remote in remotes_of(snapshot, namespace) if remote.primary]
    planes = components.control_planes(snapshot)
    webhooks = components.webhooks(snapshot, _elsewhere(served, planes))
    gateways, agents = components.gateways(snapshot), components.node_agents(snapshot)
    parts: list[Mapping[str, Any]] = [*planes, *webhooks, *gateways, *agents]
    versions = sorted({*(plane["version"] for plane in planes), *(one.version for one in served if one.version)})
    tags = tags_of(snapshot.of(MUTATING_WEBHOOKS))
    return {
        "cluster": snapshot.cluster,
        "kubernetes": snapshot.kubernetes,
        "versions": versions,
        "ready": bool(planes or served) and all(part["ready"] for part in parts),
        "mode": _mode(planes, served),
        **_identity(snapshot, namespace),
        "control_planes": planes,
        "served_by": list(map(vars, served)),
        "gateways": gateways,
        "node_agents": agents,
        "webhooks": webhooks,
        "tags": [{"name": tag, "revisions": sorted(revisions)} for tag, revisions in sorted(tags.items())],
        "support": [support_of(version, today) for version in versions],
    }


def _mode(planes: Sequence[Mapping[str, Any]], served: Sequence[Remote]) -> str:
    """The mode that fits what is there: an Istio that we have not installed is external to us."""
    if not planes and not served:
        return ""
    ours = all(plane["owner"] == OURS for plane in planes) and all(one.version for one in served)
    return modes.EXTERNAL if not ours else modes.HOSTED if served else modes.DEDICATED


def _elsewhere(served: Sequence[Remote], planes: Sequence[Mapping[str, Any]]) -> set[str]:
    """Revisions that have their istiod in another cluster, and none of that name here."""
    return {one.revision for one in served} - {plane["revision"] for plane in planes}


def _identity(snapshot: Snapshot, namespace: str) -> dict[str, str]:
    """The names of mesh, cluster and network, as the charts were told them, of this mesh where there are several.

    The trust domain is known where the values of the charts are read.
    """
    found = (*snapshot.of(CONFIG_MAP, namespace), *snapshot.of(CONFIG_MAP))
    given = next(filter(None, map(_globals, found)), {})
    cluster = (given.get("multiCluster") or {}).get("clusterName")
    return {
        "mesh_id": str(given.get("meshID") or ""),
        "cluster_name": str(cluster or ""),
        "network": str(given.get("network") or ""),
        "trust_domain": next(filter(None, map(trust_domain_in, found)), ""),
    }


def _globals(found: Object) -> Mapping[str, Any]:
    """An istiod has them from the ConfigMap of its injector, which a remote cluster does not have."""
    return chart_globals(found) or recorded_globals(found)


def _gathered(snapshot: Snapshot, gather: Collection[str], namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if REVISIONS in gather:
        found[REVISIONS] = _revisions(snapshot)
    if PODS in gather:
        found[PODS] = pods_told(snapshot, proxy_versions(snapshot))
    if OWNERS in gather:
        parts = [*istiods(snapshot), *components.gateway_deployments(snapshot), *_labelled_webhooks(snapshot)]
        found[OWNERS] = managers_told(parts)
    if DRIFT in gather:
        found[DRIFT] = drift_told(snapshot)
    if TRUST in gather:
        found[TRUST] = _trusts(snapshot, _roots(snapshot, namespace))
    return found


def versions_of(snapshot: Snapshot) -> dict[str, str]:
    """The version of each revision."""
    planes = istiods(snapshot)
    return {labels_of(found).get(REVISION_LABEL, DEFAULT_REVISION): components.version_of(found) for found in planes}


def proxy_versions(snapshot: Snapshot) -> dict[str, str]:
    """The version of the proxies that each revision injects, also by an istiod in another cluster."""
    return {**recorded_versions(snapshot), **versions_of(snapshot)}


def _labelled_webhooks(snapshot: Snapshot) -> list[Object]:
    found = [*snapshot.of(MUTATING_WEBHOOKS), *snapshot.of(VALIDATING_WEBHOOKS)]
    return [item for item in found if REVISION_LABEL in labels_of(item)]


def _revisions(snapshot: Snapshot) -> list[dict[str, Any]]:
    """Each revision that is there or is referred to, and who uses it."""
    versions, used = versions_of(snapshot), uses(snapshot)
    tags = tags_of(snapshot.of(MUTATING_WEBHOOKS))
    return [
        {
            "name": name,
            "exists": name in versions,
            "version": versions.get(name, ""),
            "tags": sorted(tag for tag, revisions in tags.items() if name in revisions),
            **_users(used.get(name, [])),
        }
        for name in sorted({*versions, *used})
    ]


def _users(found: Sequence[Use]) -> dict[str, Any]:
    return {"in_use": bool(found), "users": counted(found), "objects": told(found)}
