# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Constants of Istio that several files need, each with its source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..reconcile.coowned import CoOwned, Held
from ..reconcile.proof import WHOLE, KeyedLists

ROOT_NAMESPACE = "istio-system"
# What istiod takes where no trust domain is given. Source: MeshConfig.trust_domain.
TRUST_DOMAIN = "cluster.local"

# The injector ignores these (Istio: pkg/kube/inject, ignored namespaces), and so do we.
SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage"})

# Namespaces of the platform and of Istio itself, whose labels and workloads nobody touches by an inventory of
# applications (Istio: the injector's own list, the root namespace, and that of its former operator).
PROTECTED_NAMESPACES = SYSTEM_NAMESPACES | {ROOT_NAMESPACE, "istio-operator"}

REVISION_LABEL = "istio.io/rev"
INJECTION_LABEL = "istio-injection"
INJECT_LABEL = "sidecar.istio.io/inject"  # of a Pod; the annotation of the same name is its older form
TAG_LABEL = "istio.io/tag"
# All labels that say something of injection, of namespaces and of Pods.
DECIDING_LABELS = (INJECTION_LABEL, REVISION_LABEL, INJECT_LABEL)
NETWORK_LABEL = "topology.istio.io/network"
# Every istiod and its Pods, of whatever revision (the chart istiod).
ISTIOD_SELECTOR = "app=istiod"
SERVED_BY = "topology.istio.io/controlPlaneClusters"
# Tells an istiod that has its configuration in another cluster to look for remote ones where it runs itself
# (Istio: pilot/pkg/features).
READS_WHERE_IT_RUNS = "LOCAL_CLUSTER_SECRET_WATCHER"

# What istiod writes into its own webhooks while it runs
# (Istio: pkg/webhooks/webhookpatch.go and pkg/webhooks/validation/controller).
CO_OWNED: CoOwned = {
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": [("webhooks", "*", "clientConfig", "caBundle")],
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": [
        ("webhooks", "*", "clientConfig", "caBundle"),
        ("webhooks", "*", "failurePolicy"),
    ],
}

# What an autoscaler writes into what it scales (Kubernetes: pkg/controller/podautoscaler). `kubectl scale` goes the
# same way under its own name: that is a person's decision, and a conflict. Where a chart says whether there is an
# autoscaler, its operation goes by the chart.
SCALER = "kube-controller-manager"
REPLICAS = ("spec", "replicas")
SCALED: Mapping[str, Sequence[Held]] = {
    kind: [Held(REPLICAS, SCALER, "scale")] for kind in ("Deployment.apps", "ReplicaSet.apps", "StatefulSet.apps")
}

# Which lists of a kind are keyed by which fields, and so owned item by item, and which maps are owned as a whole. All
# other lists of these kinds are atomic, all other maps are owned field by field (Istio: the CRDs of 1.28 to 1.31;
# Kubernetes: its OpenAPI, x-kubernetes-list-type and x-kubernetes-map-type). Workloads and webhooks
# are left out: the server writes quantities in another way, and puts defaults into rules.
_SELECTOR: KeyedLists = {("spec", "selector"): WHOLE}
KEYED_LISTS: Mapping[str, KeyedLists] = {
    "AuthorizationPolicy.security.istio.io": {},
    "ClusterRole.rbac.authorization.k8s.io": {},
    "ClusterRoleBinding.rbac.authorization.k8s.io": {("roleRef",): WHOLE},
    "ConfigMap": {},
    "CustomResourceDefinition.apiextensions.k8s.io": {},
    "DestinationRule.networking.istio.io": {},
    "EnvoyFilter.networking.istio.io": {},
    "Gateway.networking.istio.io": {},
    "HorizontalPodAutoscaler.autoscaling": {},
    "Namespace": {},
    "PeerAuthentication.security.istio.io": {},
    "PodDisruptionBudget.policy": _SELECTOR,
    "ProxyConfig.networking.istio.io": {},
    "RequestAuthentication.security.istio.io": {},
    "Role.rbac.authorization.k8s.io": {},
    "RoleBinding.rbac.authorization.k8s.io": {("roleRef",): WHOLE},
    "Secret": {},
    "Service": {("spec", "ports"): ("port", "protocol"), **_SELECTOR},
    "ServiceAccount": {("secrets",): ("name",)},
    "ServiceEntry.networking.istio.io": {("spec", "ports"): ("name",)},
    "Sidecar.networking.istio.io": {},
    "Telemetry.telemetry.istio.io": {},
    "TrafficExtension.extensions.istio.io": {("spec", "wasm", "vmConfig", "env"): ("name",)},
    "VirtualService.networking.istio.io": {},
    "WasmPlugin.extensions.istio.io": {("spec", "vmConfig", "env"): ("name",)},
    "WorkloadEntry.networking.istio.io": {},
    "WorkloadGroup.networking.istio.io": {},
}

MANAGER_PREFIX = "service_mesh.istio/"
