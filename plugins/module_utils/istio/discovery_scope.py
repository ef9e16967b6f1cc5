# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which services the sidecars of a namespace know: one Sidecar without a selector for each namespace.

What is not in it, is not sent to its proxies. The root namespace always is, because what is there is for everybody.
Sources: Istio, networking/v1 Sidecar; at most one without a selector counts in a namespace, and that of the root
namespace is for all that have none, each with "./" for its own (ConvertToSidecarScope, pilot/pkg/model/sidecar.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..kube.client import Client
from ..reconcile.objects import Desired, Key
from ..reconcile.ownership import managers
from ..reconcile.read import read
from .injection import MANAGER, InjectionError
from .kinds import SIDECAR

OWN, LIST, ALL, MESH = "own", "list", "all", "mesh"
SCOPES = (OWN, LIST, ALL, MESH)
NAME = "default"


@dataclass(frozen=True)
class DiscoveryScope:
    """What the sidecars of a namespace know."""

    namespace: str
    scope: str
    namespaces: tuple[str, ...] = ()

    @property
    def key(self) -> Key:
        return Key(SIDECAR.resource.api_version, SIDECAR.resource.kind, self.namespace, NAME)

    def hosts(self, root: str) -> list[str]:
        if self.scope == ALL:
            return ["*/*"]
        # The root namespace's is for proxies of all others: "./" is theirs there, and not the root namespace.
        others = {*self.namespaces, root} - ({self.namespace} - {root})
        return ["./*", *(f"{name}/*" for name in sorted(others))]


def discovery_scopes(
    given: Iterable[DiscoveryScope], groups: Mapping[str, Sequence[str]]
) -> tuple[DiscoveryScope, ...]:
    """The scopes of single namespaces, and of groups whose members know each other. Raises InjectionError."""
    scopes: dict[str, DiscoveryScope] = {}
    for one in given:
        if one.namespace in scopes:
            raise _refusal(one.namespace, "stands twice in 'discovery_scopes'", "Keep one of the entries")
        scopes[one.namespace] = _checked(one)
    for namespace, others in sorted(_neighbours(groups).items()):
        own = scopes.get(namespace, DiscoveryScope(namespace, LIST))
        if own.scope in (OWN, MESH):
            raise _refusal(
                namespace,
                f"has the scope '{own.scope}' and is in a discovery group",
                "Take it out of the group, or give it the scope 'list' or 'all'",
            )
        scopes[namespace] = DiscoveryScope(namespace, own.scope, (*own.namespaces, *others))
    return tuple(scopes[namespace] for namespace in sorted(scopes))


def _checked(one: DiscoveryScope) -> DiscoveryScope:
    if (one.scope == LIST) != bool(one.namespaces):
        hint = "Say which in 'namespaces'" if one.scope == LIST else "Say 'scope: list', or take 'namespaces' away"
        lists = "lists namespaces" if one.namespaces else "lists no namespaces"
        raise _refusal(one.namespace, f"has the scope '{one.scope}' and {lists}", hint)
    return one


def _neighbours(groups: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, members in groups.items():
        if isinstance(members, str) or not isinstance(members, Sequence):
            raise InjectionError(
                f"The discovery group '{name}' is no list of namespaces",
                subject=f"discovery_groups.{name}",
                hint="Write a list, also for one namespace",
            )
        for member in members:
            found.setdefault(str(member), set()).update({*map(str, members)} - {str(member)})
    return found


def _refusal(namespace: str, what: str, hint: str) -> InjectionError:
    return InjectionError(f"The namespace '{namespace}' {what}", subject=f"Namespace {namespace}", hint=hint)


def desired_sidecars(scopes: Iterable[DiscoveryScope], root: str) -> Iterator[Desired]:
    """The Sidecars of the namespaces that have a scope of their own."""
    for one in scopes:
        if one.scope != MESH:
            spec = {"egress": [{"hosts": one.hosts(root)}]}
            metadata = {"name": NAME, "namespace": one.namespace}
            head = {"apiVersion": SIDECAR.resource.api_version, "kind": SIDECAR.resource.kind}
            yield Desired({**head, "metadata": metadata, "spec": spec}, f"discovery scope of {one.namespace}")


def unwanted_sidecars(client: Client, scopes: Iterable[DiscoveryScope]) -> list[Key]:
    """Sidecars of namespaces that follow the mesh again, as far as they are ours. Raises InjectionError for others."""
    keys = [one.key for one in scopes if one.scope == MESH]
    live = read(client, dict.fromkeys(keys, SIDECAR.resource), lambda _key, _live: True)
    for key, found in live.items():
        if MANAGER not in managers(found):
            raise InjectionError(
                f"{key} on {client.name} was not made by this module",
                subject=str(key),
                reason=f"it was written by {', '.join(managers(found)) or 'somebody else'}",
                hint="Remove it with the tool that has made it, or leave the namespace out",
            )
    return keys
