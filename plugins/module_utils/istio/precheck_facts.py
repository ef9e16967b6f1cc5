# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the prechecks look at: the cluster, read once, and what shall be done with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import Literal

from ..kube.client import Client, Object
from ..kube.errors import Forbidden
from ..kube.resources import (
    CONFIG_MAP,
    CRD,
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    KUBERNETES,
    LIMIT_RANGE,
    MUTATING_WEBHOOKS,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    SERVICE,
    VALIDATING_WEBHOOKS,
    Resource,
)
from . import facts
from .components import version_of
from .kinds import KINDS
from .permissions import TO_REMOVE, TO_WRITE, Permission, missing
from .releases import BUNDLES, Version, version_of_tag
from .revisions import named
from .snapshot import Ask, Snapshot, read, read_more
from .trust import AUTHORITIES
from .upgrade_path import Strategy
from .usage import USAGE_ASKS, istiods
from .ways_in import doors_in, routes_in
from .webhooks import DEFAULT_REVISION, is_istio, labels_of, services_of

Operation = Literal["install", "upgrade", "uninstall", "leave"]
INSTALL, UPGRADE, UNINSTALL, LEAVE = "install", "upgrade", "uninstall", "leave"
ARRIVING, GOING = (INSTALL, UPGRADE), (UNINSTALL, LEAVE)
OPERATIONS = (*ARRIVING, *GOING)
ALONE = "alone"  # what it is to leave a mesh with a control plane of its own

CLUSTER_ROLE = KUBERNETES["rbac.authorization.k8s.io/v1", "ClusterRole"]
BUDGET = KUBERNETES["policy/v1", "PodDisruptionBudget"]
OPERATOR_CRD = "istiooperators.install.istio.io"


@dataclass(frozen=True)
class Target:
    """What shall be done: an operation, and the control plane that it is about."""

    operation: str
    version: Version | None = None
    revision: str = DEFAULT_REVISION
    namespace: str = facts.ROOT_NAMESPACE
    image_hub: str = "docker.io/istio"


@dataclass(frozen=True)
class Facts:
    """All that a check may look at."""

    target: Target
    cluster: Snapshot
    today: datetime = field(default_factory=lambda: datetime.now(timezone.utc))
    missing: tuple[Permission, ...] = ()

    @property
    def day(self) -> date:
        return self.today.date()

    @property
    def operation(self) -> str:
        """What is done in truth: who leaves with a control plane of its own goes on alone, and nothing has to go."""
        own = any(found["metadata"]["namespace"] == self.target.namespace for found in self.same_revision)
        return ALONE if own and self.target.operation == LEAVE else self.target.operation

    @property
    def strategy(self) -> Strategy:
        """In place where the revision is there already, and beside the others where it is not."""
        return "in_place" if self.same_revision else "revision"

    @property
    def same_revision(self) -> list[Object]:
        return [found for found in istiods(self.cluster) if self.is_target(found)]

    @property
    def installed(self) -> list[tuple[Object, Version]]:
        """Control planes that the target comes after: the one of its revision, or else all others."""
        found = self.same_revision or istiods(self.cluster)
        versions = [(plane, version_of_tag(version_of(plane))) for plane in found]
        return [(plane, version) for plane, version in versions if version]

    @property
    def is_running(self) -> bool:
        """Whether the revision shall have the version and has it: to keep it makes nothing worse."""
        arrives = self.target.operation in ARRIVING and bool(self.same_revision)
        return arrives and any(version == self.target.version for _plane, version in self.installed)

    def is_target(self, found: Object) -> bool:
        return labels_of(found).get(facts.REVISION_LABEL, DEFAULT_REVISION) == self.target.revision


def read_facts(client: Client, target: Target) -> Facts:
    """Everything that the checks of an operation need, each kind by one LIST."""
    first = read(client, [*_COMMON, *(_ARRIVING if target.operation in ARRIVING else USAGE_ASKS)])
    more = [*_behind_webhooks(first), *_secrets(target), *_record(target), *_ways(first, target), *_routes(first)]
    cluster = read_more(client, first, more)
    wanted = TO_WRITE if target.operation in ARRIVING else TO_REMOVE
    try:
        lacking = tuple(missing(client, wanted, target.namespace))
    except Forbidden:  # every authenticated user may ask, but where somebody has taken even that
        lacking = ()
    return Facts(target, cluster, missing=lacking)


_COMMON = (
    Ask(DEPLOYMENT),
    Ask(MUTATING_WEBHOOKS),
    Ask(VALIDATING_WEBHOOKS),
    Ask(NAMESPACE),
    Ask(POD),
    Ask(DAEMON_SET),
)
_ARRIVING = (
    Ask(NODE),
    Ask(LIMIT_RANGE),
    Ask(BUDGET),
    Ask(CLUSTER_ROLE, labels=facts.ISTIOD_SELECTOR),
    Ask(CONFIG_MAP, labels=facts.REVISION_LABEL),
    *(Ask(CRD, name=name) for name in dict.fromkeys([*(bundle.crd for bundle in BUNDLES), OPERATOR_CRD])),
    *(Ask(kind.resource) for kind in KINDS),
)


def _behind_webhooks(cluster: Snapshot) -> list[Ask]:
    """The Services that webhooks call, with their endpoints: the few namespaces in which these are."""
    configurations = [*cluster.of(MUTATING_WEBHOOKS), *cluster.of(VALIDATING_WEBHOOKS)]
    places = {place for found in configurations for _hook, place, _name in services_of(found)}
    return [Ask(resource, place) for place in sorted(places) for resource in (SERVICE, ENDPOINT_SLICE)]


def _secrets(target: Target) -> list[Ask]:
    """The certificate authority, of which nothing but the end of its certificates is ever told."""
    asked = target.operation in ARRIVING
    return [Ask(SECRET, target.namespace, name=name) for name in AUTHORITIES if asked]


def _record(target: Target) -> list[Ask]:
    """The values of the control plane, which bear what is recorded of it."""
    return [Ask(CONFIG_MAP, target.namespace, name=values_of(target))] if target.operation in GOING else []


def _ways(cluster: Snapshot, target: Target) -> list[Ask]:
    """What leads other clusters here."""
    if target.operation != UNINSTALL:
        return []
    return [routes_in(target.namespace), *doors_in(cluster, target.namespace, target.revision)]


def values_of(target: Target) -> str:
    """The name of the ConfigMap with the values of a control plane."""
    return named("values", "" if target.revision == DEFAULT_REVISION else target.revision)


def _routes(cluster: Snapshot) -> list[Ask]:
    """Objects of the Gateway API, in a version that the cluster's own CRDs serve."""
    return [Ask(served) for served in map(served_by, cluster.of(CRD)) if served]


def served_by(crd: Object) -> Resource | None:
    """The resource of a CRD of the Gateway API."""
    spec = crd["spec"]
    version = next((one["name"] for one in reversed(spec["versions"]) if one["served"]), None)
    if spec["group"] != "gateway.networking.k8s.io" or version is None:
        return None
    return Resource(f"{spec['group']}/{version}", spec["names"]["kind"], spec["names"]["plural"])


def istio_webhooks(cluster: Snapshot) -> list[Object]:
    return [*filter(is_istio, cluster.of(MUTATING_WEBHOOKS)), *filter(is_istio, cluster.of(VALIDATING_WEBHOOKS))]
