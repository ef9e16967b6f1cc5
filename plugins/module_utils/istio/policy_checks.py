# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks of whom a policy is for, and of what a stricter one cuts off.

Sources: Istio's documentation of security (the first ALLOW policy of a workload
refuses all else; STRICT refuses plaintext) and of selectors (one Sidecar,
Telemetry or PeerAuthentication for the same workloads).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

from ..kube.client import Object
from ..kube.resources import POD
from .facts import SYSTEM_NAMESPACES
from .kinds import AUTHORIZATION_POLICY, GATEWAY
from .world import Change, World, identity, labels, mapping, mappings, named, spec_of

Trouble = Iterator[tuple[str, str]]

_POLICY = AUTHORIZATION_POLICY.resource.group_kind
_GATEWAY = GATEWAY.resource.group_kind
_MESH = "mesh"
_PROXY = "istio-proxy"
_REDIRECTED = "ambient.istio.io/redirection"
_TARGETS = ("targetRef", "targetRefs")
_SHOWN = 5


def reserved_name(change: Change, _world: World) -> Trouble:
    """A Gateway whose name means all sidecars in every VirtualService."""
    if change.key.group_kind == _GATEWAY and change.key.name == _MESH:
        yield "metadata.name", "routes cannot name it: 'mesh' stands for all sidecars"


def reserved_namespace(change: Change, _world: World) -> Trouble:
    """An object for workloads of a namespace in which nothing ever gets a proxy."""
    if change.key.namespace in SYSTEM_NAMESPACES:
        yield "metadata.namespace", f"nothing in {change.key.namespace} ever gets a proxy, so it is for nobody"


def same_workloads(change: Change, world: World) -> Trouble:
    """Two objects of a kind of which only one may be for the same workloads."""
    for _key, other in world.sharing(change, _scope):
        selected = _selector(change.after)
        chosen = ",".join(f"{key}={value}" for key, value in sorted(selected))
        whom = f"those with {chosen}" if chosen else "all without one of their own"
        yield "spec", f"{named(other)} is for the same workloads of the namespace ({whom}): only the older one counts"


def first_allow(change: Change, world: World) -> Trouble:
    """An ALLOW policy for workloads that had none: from then on what no policy allows is refused."""
    if not _allows(change.after) or (_allows(change.before) and _selector(change.before) == _selector(change.after)):
        return
    pods = [
        pod for pod in _pods(world, change.key.namespace) if _in_mesh(pod) and _selects(change.after, pod, world.root)
    ]
    others = [policy for policy in _policies(world, change) if identity(policy) != identity(change.after or {})]
    cut = [pod for pod in pods if not any(_selects(policy, pod, world.root) for policy in others)]
    if cut:
        yield "spec", f"it is the first that allows something, and so refuses all else, for {_workloads(cut)}"


def strict(change: Change, world: World) -> Trouble:
    """STRICT where workloads without a proxy would no longer get an answer."""
    newly = list(_newly_strict(change))
    outside = [pod for pod in _pods(world, change.key.namespace) if not _in_mesh(pod)] if newly else []
    if outside:
        where = "the mesh" if change.key.namespace == world.root else f"the namespace {change.key.namespace}"
        for field, plaintext in newly:
            yield field, f"STRICT refuses {plaintext}, all that these can send in {where}: {_workloads(outside)}"


def _newly_strict(change: Change) -> Trouble:
    """What a change makes STRICT, each field with what it refuses: on all ports, or on single ones."""
    if _is_strict(change.after) and not _is_strict(change.before):
        yield "spec.mtls.mode", "plaintext"
        return
    ports = dict.fromkeys([*_modes_of_ports(change.after), *_modes_of_ports(change.before)])
    newly = [port for port in ports if _is_strict(change.after, port) and not _is_strict(change.before, port)]
    if newly:
        yield "spec.portLevelMtls", f"plaintext on port {' and on port '.join(newly)}"


def _scope(found: Object) -> list[Hashable]:
    if any(spec_of(found).get(target) for target in _TARGETS):
        return []
    return [(identity(found)[0], _selector(found))]


def _selector(found: Object | None) -> frozenset[tuple[str, str]]:
    """The labels of the workloads that an object is for; none is the whole namespace."""
    spec = spec_of(found)
    selector = mapping(spec.get("selector") or spec.get("workloadSelector"))
    return labels(selector.get("matchLabels") or selector.get("labels"))


def _selects(policy: Object | None, pod: Object, root: str) -> bool:
    namespace = identity(policy)[0] if policy else ""
    return namespace in (identity(pod)[0], root) and _selector(policy) <= labels(pod["metadata"].get("labels"))


def _allows(policy: Object | None) -> bool:
    spec = spec_of(policy)
    wide = not any(spec.get(target) for target in _TARGETS)
    return policy is not None and spec.get("action", "ALLOW") == "ALLOW" and wide


def _policies(world: World, change: Change) -> Iterable[Object]:
    """ALLOW policies that are there now."""
    for namespace in dict.fromkeys((change.key.namespace, world.root)):
        yield from (policy for policy in world.live(_POLICY, namespace) if _allows(policy))


def _is_strict(policy: Object | None, port: str = "") -> bool:
    """On a port, or where no port has a mode of its own."""
    mode = mapping(spec_of(policy).get("mtls")).get("mode")
    return _modes_of_ports(policy).get(port, mode) == "STRICT"


def _modes_of_ports(policy: Object | None) -> dict[str, Any]:
    """UNSET is the mode of all other ports."""
    modes = {
        str(port): mapping(of_port).get("mode")
        for port, of_port in mapping(spec_of(policy).get("portLevelMtls")).items()
    }
    return {port: mode for port, mode in modes.items() if mode not in (None, "UNSET")}


def _pods(world: World, namespace: str) -> list[Object]:
    """Pods that run or will run where a policy of this namespace counts."""
    wide = namespace == world.root
    found = world.live(POD.group_kind, "" if wide else namespace)
    nobody = {*SYSTEM_NAMESPACES, world.root} if wide else set()
    return [pod for pod in found if identity(pod)[0] not in nobody and _lives(pod)]


def _lives(pod: Object) -> bool:
    return mapping(pod.get("status")).get("phase") not in ("Succeeded", "Failed")


def _in_mesh(pod: Object) -> bool:
    """Whether it has a sidecar, native ones included, or ztunnel has its traffic."""
    spec = spec_of(pod)
    containers = [*mappings(spec.get("containers")), *mappings(spec.get("initContainers"))]
    annotations = mapping(pod["metadata"].get("annotations"))
    return annotations.get(_REDIRECTED) == "enabled" or any(entry.get("name") == _PROXY for entry in containers)


def _workloads(pods: Iterable[Object]) -> str:
    names = sorted({_workload(pod) for pod in pods})
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _workload(pod: Object) -> str:
    """What a person calls the Pod: its Deployment, or whatever made it."""
    owners: list[Mapping[str, Any]] = mappings(pod["metadata"].get("ownerReferences"))
    owner = next((owner for owner in owners if owner.get("controller")), None)
    kind, name = (str(owner.get("kind")), str(owner.get("name"))) if owner else ("Pod", identity(pod)[1])
    made_from = mapping(pod["metadata"].get("labels")).get("pod-template-hash")
    if kind == "ReplicaSet" and made_from:
        kind, name = "Deployment", name.removesuffix(f"-{made_from}")
    return f"{kind} {identity(pod)[0]}/{name}"
