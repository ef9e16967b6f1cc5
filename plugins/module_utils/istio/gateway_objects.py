# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster has of a gateway, and whose it is.

Everything that the chart renders carries a label with the gateway's name. The
label alone proves nothing, anybody can copy it: what is ours has also been
applied by our field manager. What is ours and not wanted any more goes, what
bears the gateway's name and is not ours is left alone, with all of the gateway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..kube.client import Client, Object
from ..kube.errors import Failure
from ..kube.resources import (
    AUTOSCALER,
    DAEMON_SET,
    DEPLOYMENT,
    DISRUPTION_BUDGET,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    NETWORK_POLICY,
    ROLE,
    ROLE_BINDING,
    SERVICE,
    SERVICE_ACCOUNT,
)
from ..reconcile.objects import Key
from ..reconcile.ownership import fields_of, managers
from .desired_gateway import GatewayDeployment
from .facts import ISTIOD_SELECTOR, MANAGER_PREFIX, REVISION_LABEL
from .kinds import GATEWAY
from .owners import OURS, Owner, owner_of
from .remote_record import record_asks
from .snapshot import Ask, Snapshot, read, read_more
from .webhooks import labels_of

MANAGER = f"{MANAGER_PREFIX}gateway_deployment"
GATEWAY_LABEL = "service-mesh-istio/gateway"
WORKLOADS = (DEPLOYMENT, DAEMON_SET)
# All that the chart `gateway` renders, whatever its values (1.28 to 1.31).
KINDS = (
    *WORKLOADS,
    SERVICE,
    SERVICE_ACCOUNT,
    ROLE,
    ROLE_BINDING,
    AUTOSCALER,
    DISRUPTION_BUDGET,
    NETWORK_POLICY,
)


class ForeignGateway(Failure):
    """Somebody else's objects bear the gateway's name."""

    code = "foreign_gateway"


@dataclass(frozen=True)
class There:
    """The cluster as far as one gateway is concerned."""

    client: Client
    wanted: GatewayDeployment
    snapshot: Snapshot

    @classmethod
    def read(cls, client: Client, wanted: GatewayDeployment) -> There:
        asks = [
            *(Ask(resource, wanted.namespace, required=True) for resource in KINDS),
            Ask(NAMESPACE, name=wanted.namespace, required=True),
            Ask(MUTATING_WEBHOOKS, labels=REVISION_LABEL, required=True),
            Ask(DEPLOYMENT, labels=ISTIOD_SELECTOR, required=True),
            Ask(GATEWAY.resource),
        ]
        first = read(client, asks)
        return cls(client, wanted, read_more(client, first, record_asks(first)))

    @property
    def ours(self) -> list[Object]:
        """The gateway's objects that we have made."""
        return [found for found in self._in_namespace() if self._is_ours(found)]

    @property
    def workloads(self) -> list[Object]:
        """Those of them that have Pods: one, or two while a new one comes beside the old one."""
        kinds = [resource.kind for resource in WORKLOADS]
        return [found for found in self.ours if found["kind"] in kinds]

    def refuse_foreign(self, keys: Iterable[Key]) -> None:
        """Raise ForeignGateway when one of these objects is there, and is neither ours nor to be taken over."""
        concerned, taken = set(keys), set(self.wanted.take_ownership_from)
        for found in self._in_namespace():
            if Key.of(found) in concerned and not self._is_kept(found) and not taken & set(managers(found)):
                raise self._foreign(found)

    def namesakes(self) -> Iterator[Key]:
        """Everything that bears the gateway's name."""
        return (Key.of(found) for found in self._in_namespace() if found["metadata"]["name"] == self.wanted.name)

    def _in_namespace(self) -> Iterator[Object]:
        return (found for resource in KINDS for found in self.snapshot.of(resource, self.wanted.namespace))

    def _is_ours(self, found: Object) -> bool:
        """What an earlier version of this collection has made bears the gateway's name and no label."""
        label = labels_of(found).get(GATEWAY_LABEL, found["metadata"]["name"])
        return label == self.wanted.name and self._is_kept(found)

    def _is_kept(self, found: Object) -> bool:
        """By us, or by a tool from which it is taken over."""
        return bool(fields_of(found, MANAGER)) or owner_of(found).name in self.wanted.adopt

    @staticmethod
    def _taking(owner: Owner, writers: Sequence[str]) -> str:
        """The option that takes over from another tool, or from another task of this collection."""
        return f"take_ownership_from: [{', '.join(writers)}]" if owner.name == OURS else f"adopt: [{owner.name}]"

    def _foreign(self, found: Object) -> ForeignGateway:
        subject = str(Key.of(found))
        owner, writers = owner_of(found), managers(found)
        return ForeignGateway(
            f"{subject} on {self.client.name} belongs to somebody else",
            subject=subject,
            reason=f"it belongs to {owner.description}"
            if owner.name != OURS
            else f"it is kept by {', '.join(writers)}",
            hint=f"Give the gateway another name, or take it over with '{self._taking(owner, writers)}'",
        )


def labelled(content: Object, wanted: GatewayDeployment) -> Object:
    """An object of the chart's with the mark by which it is found again."""
    metadata = content["metadata"]
    labels = {**(metadata.get("labels") or {}), GATEWAY_LABEL: wanted.name}
    return {**content, "metadata": {**metadata, "labels": labels}}


def workload_of(objects: Sequence[Object]) -> Object:
    """The one object of a rendered chart that has Pods."""
    kinds = [resource.kind for resource in WORKLOADS]
    return next(content for content in objects if content["kind"] in kinds)


def selector_of(workload: Object) -> dict[str, str]:
    """The labels by which a workload of the chart selects its Pods."""
    return dict(workload["spec"]["selector"]["matchLabels"])
