# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of a cluster belongs to our control planes: of which component and of which revision each object is.

An object is ours when our field manager applies it, whatever its name. Its chart is its component; its label is its
revision. The few kinds that the charts give no such label bear the revision in their names.
Source: the charts of 1.28 to 1.31 (all kinds that they render; `helm.sh/chart` is on all but the bindings of policies).
"""

from __future__ import annotations

from collections.abc import Iterable

from ..kube.client import Client, Object
from ..kube.resources import (
    CONFIG_MAP,
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINT_SLICE,
    KUBERNETES,
    MUTATING_WEBHOOKS,
    SERVICE,
    SERVICE_ACCOUNT,
    VALIDATING_WEBHOOKS,
    Resource,
)
from ..reconcile.ownership import fields_of
from .desired_control_plane import CNI, COMPONENTS, ISTIOD
from .facts import ISTIOD_SELECTOR, REVISION_LABEL
from .revisions import shown
from .snapshot import Ask, Snapshot, read
from .webhooks import labels_of, services_of

_CHART = "helm.sh/chart"
_RBAC = "rbac.authorization.k8s.io/v1"
_ADMISSION = "admissionregistration.k8s.io/v1"
_POLICY = KUBERNETES[_ADMISSION, "ValidatingAdmissionPolicy"]
_POLICY_BINDING = KUBERNETES[_ADMISSION, "ValidatingAdmissionPolicyBinding"]
# With Multus, the chart of the CNI agent leaves one of these in the namespace `default`.
_ATTACHMENT = Resource("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "network-attachment-definitions")
_ATTACHMENTS_PLACE = "default"

_OF_NAMESPACE = (
    SERVICE_ACCOUNT,
    CONFIG_MAP,
    SERVICE,
    ENDPOINT_SLICE,
    DAEMON_SET,
    KUBERNETES["autoscaling/v2", "HorizontalPodAutoscaler"],
    KUBERNETES["policy/v1", "PodDisruptionBudget"],
    KUBERNETES["networking.k8s.io/v1", "NetworkPolicy"],
    KUBERNETES["v1", "ResourceQuota"],
    KUBERNETES[_RBAC, "Role"],
    KUBERNETES[_RBAC, "RoleBinding"],
)
_OF_CLUSTER = (
    MUTATING_WEBHOOKS,
    VALIDATING_WEBHOOKS,
    _POLICY,
    _POLICY_BINDING,
    KUBERNETES[_RBAC, "ClusterRole"],
    KUBERNETES[_RBAC, "ClusterRoleBinding"],
)
# What istiod's chart renders without a label of the revision; `{r}` is `-REVISION` or nothing, `{n}` the namespace.
_NAMED_BY_REVISION = (
    "istiod{r}",
    "istiod-clusterrole{r}-{n}",
    "istiod-gateway-controller{r}-{n}",
    "istio-reader-clusterrole{r}-{n}",
    "stable-channel-policy{r}-{n}.istio.io",
)


def read_belongings(client: Client, namespace: str, components: Iterable[str]) -> Snapshot:
    """Every control plane of the cluster, and all objects of the kinds that charts render into a root namespace."""
    attachments = [Ask(_ATTACHMENT, _ATTACHMENTS_PLACE, required=True)] if CNI in components else []
    return read(
        client,
        [
            Ask(DEPLOYMENT, labels=ISTIOD_SELECTOR, required=True),
            *(Ask(resource, required=True) for resource in _OF_CLUSTER),
            *(Ask(resource, namespace, required=True) for resource in _OF_NAMESPACE),
            *attachments,
        ],
    )


def is_applied(found: Object, manager: str) -> bool:
    """Whether a field manager of ours applies an object."""
    return bool(fields_of(found, manager))


def belongings(
    cluster: Snapshot, manager: str, components: Iterable[str], namespace: str, revision: str
) -> list[Object]:
    """The objects of some components in a root namespace; of istiod's, those of one revision."""
    wanted = frozenset(components)
    ours = [found for objects in cluster.objects.values() for found in objects if is_applied(found, manager)]
    chosen = [
        found
        for found in ours
        if component_of(found) in wanted
        and _is_in(found, namespace)
        and (component_of(found) != ISTIOD or is_of_revision(found, namespace, revision))
    ]
    policies = {found["metadata"]["name"] for found in chosen if found["kind"] == _POLICY.kind}
    return [*chosen, *(found for found in ours if found["kind"] == _POLICY_BINDING.kind and _binds(found, policies))]


def component_of(found: Object) -> str:
    """The chart that an object came from, or nothing."""
    chart = labels_of(found).get(_CHART, "")
    return next((component for component in COMPONENTS if chart.startswith(f"{component}-")), "")


def is_of_revision(found: Object, namespace: str, revision: str) -> bool:
    """Whether an object of istiod's chart is of this revision in this root namespace."""
    label = labels_of(found).get(REVISION_LABEL)
    if label:
        return label == shown(revision)
    suffix = f"-{revision}" if revision else ""
    return found["metadata"]["name"] in {name.format(r=suffix, n=namespace) for name in _NAMED_BY_REVISION}


def _is_in(found: Object, namespace: str) -> bool:
    """Where it stands; of webhooks, which stand nowhere, where they lead to."""
    place = found["metadata"].get("namespace")
    if place:
        return bool(place == namespace or found["kind"] == _ATTACHMENT.kind)
    return all(target == namespace for _hook, target, _name in services_of(found))


def _binds(binding: Object, policies: set[str]) -> bool:
    return binding["spec"].get("policyName") in policies
