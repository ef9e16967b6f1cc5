# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Constants of Istio that several files need, each with its source."""

from __future__ import annotations

from ..reconcile.coowned import CoOwned

ROOT_NAMESPACE = "istio-system"

# The injector ignores these (Istio: pkg/kube/inject, ignored namespaces), and so do we.
SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", "local-path-storage"})

REVISION_LABEL = "istio.io/rev"
INJECTION_LABEL = "istio-injection"
TAG_LABEL = "istio.io/tag"
NETWORK_LABEL = "topology.istio.io/network"

# What istiod writes into its own webhooks while it runs
# (Istio: pkg/webhooks/webhookpatch.go and pkg/webhooks/validation/controller).
CO_OWNED: CoOwned = {
    "MutatingWebhookConfiguration.admissionregistration.k8s.io": [("webhooks", "*", "clientConfig", "caBundle")],
    "ValidatingWebhookConfiguration.admissionregistration.k8s.io": [
        ("webhooks", "*", "clientConfig", "caBundle"),
        ("webhooks", "*", "failurePolicy"),
    ],
}

MANAGER_PREFIX = "service_mesh.istio/"
