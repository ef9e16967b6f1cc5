# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prechecks of what would be left behind: sidecars, gateways, and all else that still refers to the revision."""

from __future__ import annotations

from collections.abc import Iterator

from ..kube.client import Object
from ..kube.resources import CONFIG_MAP, DAEMON_SET, MUTATING_WEBHOOKS, POD, SECRET, SERVICE, VALIDATING_WEBHOOKS
from .components import gateway_deployments
from .facts import NETWORK_LABEL
from .installed import PROTECTED
from .owners import OURS, owner_of
from .pods import injected_by, is_gateway, living, proxy_of
from .precheck_facts import ALONE, LEAVE, Facts, values_of
from .usage import API_GATEWAY, Use, is_istios, revisions, users_of
from .ways_in import clusters_read, ways_in
from .webhooks import annotations_of, labels_of
from .world import named

Trouble = Iterator[tuple[str, str]]
Place = tuple[str, str, str]

_SWITCH_OFF = ": switch injection off and restart its workload first"
_LEAVE_FIRST = "let them leave first (unregister.yml),"
# What istiod writes on the Pods of gateways and waypoints that it deploys.
_DEPLOYED_FOR = "gateway.networking.k8s.io/gateway-name"
# These go with the last control plane; beside another one they have to be moved to it.
_GOES_ALONG = frozenset({MUTATING_WEBHOOKS.kind, VALIDATING_WEBHOOKS.kind, DAEMON_SET.kind})


def protection(facts: Facts) -> Trouble:
    """Somebody has said that it has to stay."""
    found = facts.cluster.named(CONFIG_MAP, values_of(facts.target), facts.target.namespace)
    if found and annotations_of(found).get(PROTECTED) == "true":
        yield named(found), f"its annotation {PROTECTED} is 'true': run control_plane with 'protected: false' first"


def sidecars(facts: Facts) -> Trouble:
    """Proxies whose istiod would be gone: they keep their last configuration until their certificate ends."""
    for pod in living(facts.cluster):
        if proxy_of(pod) and not _is_of_gateway(pod) and _concerns(facts, injected_by(pod)):
            alone = facts.operation == ALONE
            yield named(pod), "it has a proxy" + ("" if alone else _SWITCH_OFF)


def gateways(facts: Facts) -> Trouble:
    """Of the revision; of a cluster that leaves its mesh, all that no other control plane there serves."""
    leaves = facts.operation == LEAVE
    used = {_place(use) for use in (_used_by_others(facts) if leaves else _users(facts))}
    for found in gateway_deployments(facts.cluster):
        of_revision = _key(found) in used or _runs_by_target(facts, found)
        of_mesh = _key(found) not in used and not _goes_with_mesh(found)
        if of_mesh if leaves else of_revision:
            yield named(found), "traffic enters or leaves by it: move the traffic and delete the gateway first"
    for found in facts.cluster.of(API_GATEWAY):
        if is_istios(found) and (_key(found) in used) is not leaves:
            yield named(found), "istiod deploys it: delete it, or hand it to another revision first"


def references(facts: Facts) -> Trouble:
    """Labels, tags, validators, workloads and configuration that would refer to nothing."""
    shown_elsewhere = {_key(found) for found in [*gateway_deployments(facts.cluster), *facts.cluster.of(API_GATEWAY)]}
    alone = revisions(facts.cluster) <= {facts.target.revision}
    for use in _users(facts):
        goes_along = (alone and use.kind in _GOES_ALONG) or _is_moved(facts, use)
        if use.kind != POD.kind and not goes_along and _place(use) not in shown_elsewhere:
            place = "/".join(part for part in (use.namespace, use.object) if part)
            yield f"{use.kind} {place}", f"it refers to revision {facts.target.revision}: {use.how}"


def others_served(facts: Facts) -> Trouble:
    """Clusters elsewhere whose webhooks and sidecars would find nobody: they are seen by what leads them here."""
    target = facts.target
    for way in ways_in(facts.cluster, target.namespace, target.revision):
        if way["kind"] != SERVICE.kind:
            yield named(way), f"by it remote clusters reach this control plane: {_LEAVE_FIRST} which takes it away"
            continue
        clusters = ", ".join(clusters_read(facts.cluster, target.namespace))
        if clusters or not facts.cluster.is_readable(SECRET):
            reached = f"by it {clusters or 'remote clusters that may not be seen (Secrets)'} reach this control plane"
            yield named(way), f"{reached}: {_LEAVE_FIRST} or delete it when they are served from elsewhere"


def _is_moved(facts: Facts, use: Use) -> bool:
    """A validator of ours is moved to a revision that stays by the removal itself."""
    found = facts.cluster.named(VALIDATING_WEBHOOKS, use.object) if use.kind == VALIDATING_WEBHOOKS.kind else None
    return found is not None and owner_of(found).name == OURS


def _users(facts: Facts) -> list[Use]:
    return users_of(facts.cluster, facts.target.revision)


def _used_by_others(facts: Facts) -> Iterator[Use]:
    """What belongs to control planes that this cluster has beside the one that it is about."""
    for revision in revisions(facts.cluster) - {facts.target.revision}:
        yield from users_of(facts.cluster, revision)


def _goes_with_mesh(gateway: Object) -> bool:
    """The door of a network: ours, and taken away together with the cluster's place in the mesh."""
    return NETWORK_LABEL in labels_of(gateway["spec"]["template"]) and owner_of(gateway).name == OURS


def _concerns(facts: Facts, revision: str) -> bool:
    """A proxy of no known revision is anybody's. Who leaves does so with all that no other control plane here has."""
    if facts.operation == LEAVE:
        return revision not in revisions(facts.cluster) - {facts.target.revision}
    return revision in ("", facts.target.revision)


def _is_of_gateway(pod: Object) -> bool:
    return is_gateway(pod) or _DEPLOYED_FOR in labels_of(pod)


def _runs_by_target(facts: Facts, gateway: Object) -> bool:
    wanted = (gateway["spec"]["selector"].get("matchLabels") or {}).items()
    pods = [pod for pod in living(facts.cluster) if pod["metadata"]["namespace"] == gateway["metadata"]["namespace"]]
    return any(injected_by(pod) == facts.target.revision and wanted <= labels_of(pod).items() for pod in pods)


def _place(use: Use) -> Place:
    return use.kind, use.namespace, use.object


def _key(found: Object) -> Place:
    return found["kind"], found["metadata"]["namespace"], found["metadata"]["name"]
