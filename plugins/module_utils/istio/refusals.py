# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a control plane must not become in place: another one, an older one, somebody else's.

Each refusal names what is there, what is asked for, and the way that works.
Source of the rules: Istio's page on upgrades (in place one minor version at a
time, by revision at most two) and what proxies and certificates keep of a
mesh's identity until every workload has been restarted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..kube.client import Client
from ..kube.errors import Failure
from ..kube.resources import SECRET
from .desired_control_plane import ISTIOD, ControlPlane, chart_values
from .facts import TRUST_DOMAIN
from .installed import Installed, Istiod, Record
from .releases import Version, version_of_tag
from .remote_secret import CONFIG_SECRET
from .revisions import shown
from .upgrade_path import STRIDE, distance, is_downgrade, path
from .values import at


@dataclass(frozen=True)
class _Trait:
    """A part of the identity: what people call it, where the chart has it, what it is when nothing is said."""

    words: str
    path: tuple[str, ...]
    option: str
    unsaid: str = ""


# Source: the chart's defaults, and what istiod takes for the cluster's name when it is told none.
_IDENTITY = (
    _Trait("identity of the mesh", ("global", "meshID"), "mesh_id"),
    _Trait("network", ("global", "network"), "network"),
    _Trait("name of the cluster", ("global", "multiCluster", "clusterName"), "cluster_name", "Kubernetes"),
    _Trait("trust domain", ("meshConfig", "trustDomain"), "mesh_config.trustDomain", TRUST_DOMAIN),
)


class IdentityChange(Failure):
    """A control plane would become another one in place."""

    code = "identity_change"


class KeptElsewhere(Failure):
    """Another inventory keeps this control plane."""

    code = "kept_elsewhere"


class UpgradePath(Failure):
    """There is no supported way from one version to the other."""

    code = "upgrade_path"


class NoAccess(Failure):
    """An external control plane could not reach its configuration."""

    code = "no_access"


def refuse_without_access(client: Client, wanted: ControlPlane) -> None:
    """Raise NoAccess when an external istiod would take the cluster that it runs in for the one of its mesh."""
    if wanted.config_cluster and not client.get(SECRET, CONFIG_SECRET, wanted.namespace):
        raise NoAccess(
            f"Nothing gives the control plane on {client.name} access to {wanted.config_cluster}",
            subject=f"Secret {wanted.namespace}/{CONFIG_SECRET}",
            reason="it does not exist, and an istiod without it serves the cluster that it runs in",
            hint="Register that cluster first (remote_cluster with 'config_account'; the playbook mesh does it)",
        )


def refuse_changes(cluster: str, found: Installed, wanted: ControlPlane, *, goes_back: bool = False) -> None:
    """Raise when what is there must not become what is wanted; `goes_back` is an upgrade that is rolled back."""
    there = found.istiods.get(wanted.revision) if ISTIOD in wanted.components else None
    kept = {component: record for component, record in found.shared.items() if component in wanted.components}
    for name, record in {**kept, **({_name(there): there.record} if there else {})}.items():
        refuse_another_inventory(cluster, name, record, wanted.inventory, wanted.take_over_from)
    if ISTIOD not in wanted.components:
        return
    if there:
        _refuse_another_namespace(cluster, there, wanted)
    for istiod in found.istiods.values():
        if istiod.namespace == wanted.namespace:
            _refuse_another_identity(cluster, istiod, wanted)
    versions = {shown(revision): istiod.record.version for revision, istiod in found.istiods.items()}
    refuse_way(cluster, versions, shown(wanted.revision), wanted.version, may_go_back=goes_back)


def refuse_another_inventory(cluster: str, name: str, record: Record, inventory: str, take_over_from: str) -> None:
    """Raise KeptElsewhere when a component is kept by an inventory that is not this one."""
    if record.inventory in ("", inventory, take_over_from):
        return
    says = f"says '{inventory}'" if inventory else "names none"
    raise KeptElsewhere(
        f"The inventory '{record.inventory}' keeps {name} on {cluster}, and this task {says}",
        subject=name,
        reason="two inventories that keep one control plane undo each other's work",
        hint=f"Run it from that inventory, or take it over with 'take_over_from: {record.inventory}'",
    )


def _refuse_another_namespace(cluster: str, there: Istiod, wanted: ControlPlane) -> None:
    if there.namespace != wanted.namespace:
        raise IdentityChange(
            f"The root namespace of {_name(there)} on {cluster} cannot change from "
            f"'{there.namespace}' to '{wanted.namespace}'",
            subject="namespace",
            reason="every proxy has its control plane's address from it",
            hint=f"Set 'namespace' (mesh_root_namespace) to {there.namespace}, "
            "or install another revision in the new namespace and move to it",
        )


def _refuse_another_identity(cluster: str, there: Istiod, wanted: ControlPlane) -> None:
    for trait, before, after in _differing(there, wanted):
        raise IdentityChange(
            f"The {trait.words} of {_name(there)} on {cluster} cannot change from "
            f"'{before or 'none'}' to '{after or 'none'}' in place",
            subject=trait.option,
            reason="certificates, endpoints and running proxies keep the old one, and would not find each other",
            hint=f"Set '{trait.option}' to what the cluster has; for another one, uninstall and install",
        )


def _differing(there: Istiod, wanted: ControlPlane) -> Iterator[tuple[_Trait, str, str]]:
    """What of the identity would change. Of a control plane without its values nothing is known."""
    values: Mapping[str, object] = chart_values(wanted, ISTIOD)
    for trait in _IDENTITY if there.values else ():
        before, after = (str(at(tree, trait.path) or "") for tree in (there.values, values))
        if (before or trait.unsaid) != (after or trait.unsaid):
            yield trait, before, after


def refuse_way(cluster: str, versions: Mapping[str, str], revision: str, version: str, *, may_go_back: bool) -> None:
    """Raise UpgradePath when a revision cannot get a version: from what it is, or beside the others that there are."""
    for other, there in versions.items():
        if other != revision:
            _refuse_distance(cluster, other, there, version)
        elif not may_go_back:
            _refuse_path(cluster, revision, there, version)


def _refuse_path(cluster: str, revision: str, before: str, after: str) -> None:
    """In place: to the same minor version or the next, and never back."""
    old, new = version_of_tag(before), version_of_tag(after)
    if old is None or new is None or (not is_downgrade(old, new) and distance(old.minor, new.minor) <= 1):
        return
    older = is_downgrade(old, new)
    raise UpgradePath(
        f"{_called(revision)} on {cluster} cannot go from {before} to {after} in place",
        subject="version",
        reason="an older version does not understand all that a newer one has left in the cluster"
        if older
        else "in place, one minor version follows the other",
        hint=_way_back(after) if older else _way_forward(old, new),
    )


def _way_back(version: str) -> str:
    return (
        f"Install {version} beside it with a 'revision' of its own and move the namespaces to that; "
        "the CRDs stay at the newer version. An upgrade that is under way goes back by rollback.yml"
    )


def _way_forward(old: Version, new: Version) -> str:
    way = " -> ".join([str(old), *path(old, new, "in_place")])
    if distance(old.minor, new.minor) <= STRIDE["revision"]:
        return f"Go {way}, or install {new} beside it with a 'revision' of its own: that may skip one minor"
    return f"Go {way}; with a 'revision' of its own each step may skip one minor"


def _refuse_distance(cluster: str, other: str, before: str, after: str) -> None:
    """Beside each other: revisions that are not more than two minor versions apart."""
    old, new = version_of_tag(before), version_of_tag(after)
    if old is None or new is None or abs(distance(old.minor, new.minor)) <= STRIDE["revision"]:
        return
    way = [str(old), *path(old, new, "revision")] if distance(old.minor, new.minor) > 0 else []
    raise UpgradePath(
        f"A control plane {after} cannot be installed beside {_called(other)} ({before}) on {cluster}",
        subject="version",
        reason="control planes of one mesh may be two minor versions apart, not more",
        hint=f"Move the mesh step by step: {' -> '.join(way)}"
        if way
        else f"Remove {_called(other)} first, or choose a version nearer to it",
    )


def _name(there: Istiod) -> str:
    return _called(shown(there.revision))


def _called(revision: str) -> str:
    """`revision` as labels call it."""
    return f"the control plane '{revision}'"
