# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes with a control plane: chosen from what is ours in a cluster, or refused.

What revisions share goes with the last of them; one that is served from elsewhere has no istiod here, and its injector
shows that it is there. The default validator is moved to a revision that stays, or goes. Tags of the revision go along;
the tag `default` is moved by whoever decides what shall inject from then on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.resources import CONFIG_MAP, MUTATING_WEBHOOKS, NAMESPACE, SERVICE, VALIDATING_WEBHOOKS
from ..reconcile.objects import Desired, Key
from ..reconcile.ownership import applied
from . import facts, modes
from .belongings import belongings, component_of, is_applied, read_belongings
from .components import version_of
from .control_plane import MANAGER
from .default_tag import pointed
from .desired_control_plane import DEFAULT_COMPONENTS, ISTIOD
from .installed import record_of
from .owners import refuse_foreign
from .refusals import refuse_another_inventory
from .releases import Version, version_of_tag
from .revisions import named, shown
from .snapshot import Snapshot
from .tags import MANAGER as TAG_MANAGER
from .usage import istiods
from .webhooks import DEFAULT_REVISION, DEFAULT_VALIDATOR, labels_of, services_of


class StillUsed(Failure):
    """What revisions share cannot go before them."""

    code = "still_used"


class Elsewhere(Failure):
    """The control plane is in another namespace."""

    code = "elsewhere"


class DanglingWebhook(Failure):
    """A webhook that stays would call a Service that is gone."""

    code = "dangling_webhook"


@dataclass(frozen=True)
class Uninstall:
    """A control plane that shall not be there. The default revision's name is empty."""

    mode: str = modes.DEDICATED
    namespace: str = facts.ROOT_NAMESPACE
    revision: str = ""
    components: tuple[str, ...] = DEFAULT_COMPONENTS
    inventory: str = ""
    take_over_from: str = ""
    ignored: frozenset[str] = frozenset()
    remove_crds: bool = False
    remove_configuration: bool = False
    remove_leftovers: bool = False
    wait_timeout: float = 300.0

    @property
    def name(self) -> str:
        return f"the control plane '{shown(self.revision)}'"


@dataclass(frozen=True)
class Plane:
    """A control plane that stays: an istiod of this cluster, or an injector that leads to one elsewhere."""

    revision: str
    namespace: str
    version: Version | None = None

    @property
    def service(self) -> str:
        return named("istiod", "" if self.revision == DEFAULT_REVISION else self.revision)


@dataclass(frozen=True)
class Removal:
    """What goes, what is moved before, and the revisions that stay."""

    going: Sequence[Object]
    moved: Sequence[Desired]
    staying: Sequence[str]
    components: Sequence[str]


def removal_of(client: Client, wanted: Uninstall) -> Removal:
    """What would go. Raises a Failure for what must not."""
    cluster = read_belongings(client, wanted.namespace, wanted.components)
    planes = istiods(cluster)
    going = [plane for plane in planes if _is_meant(plane, wanted)]
    others = [_plane(found) for found in planes if found not in going]
    others += _served_from_elsewhere(cluster, {revision_of(found) for found in planes}, wanted)
    refuse_foreign(client, going)
    _refuse_another_inventory(client, cluster, wanted)
    _refuse_elsewhere(client, others if not going else [], wanted)
    _refuse_still_used(client, others, wanted)
    components = [name for name in wanted.components if name == ISTIOD or not others]
    objects = belongings(cluster, MANAGER, components, wanted.namespace, wanted.revision)
    objects += [] if ISTIOD not in components else _tags(cluster, wanted, bool(others))
    moved, objects = _validator_settled(cluster, objects, others, wanted)
    _refuse_dangling(client, cluster, objects, moved)
    moved += _namespace_released(client, others, wanted)
    return Removal(objects, moved, [plane.revision for plane in others], components)


def _plane(istiod: Object) -> Plane:
    version = version_of_tag(version_of(istiod))
    return Plane(revision_of(istiod), istiod["metadata"]["namespace"], version)


def _served_from_elsewhere(cluster: Snapshot, here: Collection[str], wanted: Uninstall) -> list[Plane]:
    """Revisions of a remote cluster. Injectors are the first to go, so what is half removed does not count."""
    injectors = [
        found
        for found in cluster.of(MUTATING_WEBHOOKS)
        if is_applied(found, MANAGER)
        and component_of(found) == ISTIOD
        and all(place == wanted.namespace for _hook, place, _name in services_of(found))
    ]
    revisions = {revision_of(found) for found in injectors} - {*here, shown(wanted.revision)}
    return [Plane(revision, wanted.namespace) for revision in sorted(revisions)]


def revision_of(found: Object) -> str:
    return labels_of(found).get(facts.REVISION_LABEL, DEFAULT_REVISION)


def _is_meant(plane: Object, wanted: Uninstall) -> bool:
    is_named = revision_of(plane) == shown(wanted.revision)
    return ISTIOD in wanted.components and is_named and plane["metadata"]["namespace"] == wanted.namespace


def _refuse_another_inventory(client: Client, cluster: Snapshot, wanted: Uninstall) -> None:
    values = cluster.named(CONFIG_MAP, named("values", wanted.revision), wanted.namespace)
    if values and ISTIOD in wanted.components:
        refuse_another_inventory(client.name, wanted.name, record_of(values), wanted.inventory, wanted.take_over_from)


def _refuse_elsewhere(client: Client, others: Sequence[Plane], wanted: Uninstall) -> None:
    """A wrong namespace would look like a control plane that is gone already."""
    places = [plane.namespace for plane in others if plane.revision == shown(wanted.revision)]
    if places and ISTIOD in wanted.components:
        raise Elsewhere(
            f"{wanted.name} on {client.name} is not in the namespace '{wanted.namespace}'",
            subject="namespace",
            reason=f"it is in {', '.join(places)}",
            hint=f"Set 'namespace' (mesh_root_namespace) to {places[0]} if that one is meant",
        )


def _refuse_still_used(client: Client, others: Sequence[Plane], wanted: Uninstall) -> None:
    if others and ISTIOD not in wanted.components:
        raise StillUsed(
            f"{', '.join(wanted.components)} cannot go from {client.name} while there are control planes",
            subject="components",
            reason=f"the revisions {', '.join(plane.revision for plane in others)} share what is to go",
            hint=f"Remove the control planes; with the last of them goes what 'components' names beside {ISTIOD}",
        )


def _tags(cluster: Snapshot, wanted: Uninstall, others: bool) -> list[Object]:
    """Our tags of the revision. Who injects what has only `istio-injection` is decided with the tag `default`."""
    found = [*cluster.of(MUTATING_WEBHOOKS), *cluster.of(SERVICE, wanted.namespace)]
    return [
        item
        for item in found
        if is_applied(item, TAG_MANAGER)
        and revision_of(item) == shown(wanted.revision)
        and all(place == wanted.namespace for _hook, place, _name in services_of(item))
        and not (others and labels_of(item).get(facts.TAG_LABEL) == DEFAULT_REVISION)
    ]


def _validator_settled(
    cluster: Snapshot, going: list[Object], others: Sequence[Plane], wanted: Uninstall
) -> tuple[list[Desired], list[Object]]:
    """The default validator asks a revision that stays, or goes: nothing may be left that nobody answers."""
    validator = cluster.named(VALIDATING_WEBHOOKS, DEFAULT_VALIDATOR)
    manager = next((name for name in (MANAGER, TAG_MANAGER) if validator and is_applied(validator, name)), "")
    if validator is None or not manager or validator in going or not _calls(validator, _services(going)):
        return [], going
    heir = _heir(cluster, others, wanted)
    if heir is None:
        return [], [*going, validator]
    content = pointed(applied(validator, manager), validator, heir.revision, heir.service)
    return [Desired(content, "the default validator", manager=manager)], going


def _namespace_released(client: Client, others: Sequence[Plane], wanted: Uninstall) -> list[Desired]:
    """The namespace stays, and bears no more what said whose control plane is here, and of which network."""
    found = client.get(NAMESPACE, wanted.namespace)
    kept = any(plane.namespace == wanted.namespace for plane in others)
    if found is None or kept or ISTIOD not in wanted.components or not is_applied(found, MANAGER):
        return []
    bare = {"apiVersion": NAMESPACE.api_version, "kind": NAMESPACE.kind, "metadata": {"name": wanted.namespace}}
    return [Desired(bare, "the labels of its root namespace", manager=MANAGER)]


def _heir(cluster: Snapshot, others: Sequence[Plane], wanted: Uninstall) -> Plane | None:
    """Who judges configuration from now on: the newest control plane that stays in this namespace."""
    candidates = [
        plane
        for plane in others
        if plane.namespace == wanted.namespace and cluster.named(SERVICE, plane.service, wanted.namespace)
    ]
    return max(candidates, key=_order, default=None)


def _order(plane: Plane) -> tuple[Any, ...]:
    return plane.version.order if plane.version else ()


def _services(objects: Sequence[Object]) -> set[tuple[str, str]]:
    found = [item["metadata"] for item in objects if item["kind"] == SERVICE.kind]
    return {(metadata["namespace"], metadata["name"]) for metadata in found}


def _calls(webhooks: Object, services: Collection[tuple[str, str]]) -> bool:
    return any((place, name) in services for _hook, place, name in services_of(webhooks))


def _refuse_dangling(client: Client, cluster: Snapshot, going: Sequence[Object], moved: Sequence[Desired]) -> None:
    settled = {Key.of(found) for found in going} | {desired.key for desired in moved}
    services = _services(going)
    for found in _webhooks(cluster):
        if Key.of(found) not in settled and _calls(found, services):
            tag = labels_of(found).get(facts.TAG_LABEL)
            raise DanglingWebhook(
                f"{Key.of(found)} on {client.name} would call a Service that is gone",
                subject=str(Key.of(found)),
                reason="what it is asked for would then be refused, or would go without a sidecar",
                hint=f"Point the tag '{tag}' to another revision, or remove it, first (revision_tag)"
                if tag
                else "Remove it first, with the tool that owns it (mesh_info names the owner), or point it elsewhere",
            )


def _webhooks(cluster: Snapshot) -> Iterator[Object]:
    yield from cluster.of(MUTATING_WEBHOOKS)
    yield from cluster.of(VALIDATING_WEBHOOKS)
