"""A mesh as objects of a real API server: what istiod and kubelet would have written, where neither runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .bed import Cluster

Made = dict[str, Any]
_WEBHOOKS = "mutatingwebhookconfigurations,validatingwebhookconfigurations"


@dataclass(frozen=True)
class Mesh:
    """Objects of Istio's in a namespace of a test, under names that no other test has."""

    cluster: Cluster
    namespace: str

    @property
    def revision(self) -> str:
        """A revision of the test's own."""
        return self.namespace

    def istiod(
        self, version: str, available: int = 1, requests: Made | None = None, hub: str = "docker.io/istio"
    ) -> None:
        """The Deployment of an istiod, and the status that its controller would write."""
        labels = {"app": "istiod", "istio.io/rev": self.revision}
        containers = [
            {"name": "discovery", "image": f"{hub}/pilot:{version}", "resources": {"requests": requests or {}}}
        ]
        template = {
            "metadata": {"labels": {**labels, "sidecar.istio.io/inject": "false"}},
            "spec": {"containers": containers},
        }
        spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        self.apply("apps/v1", "Deployment", f"istiod-{self.revision}", labels=labels, spec=spec)
        status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1}
        status |= {"readyReplicas": available, "availableReplicas": available}
        self.status("deployment", f"istiod-{self.revision}", status)

    def injector(self, tag: str = "", policy: str = "Ignore") -> None:
        """The webhook of the revision or of a tag, which nobody answers and which fails open."""
        wanted = {"key": "istio.io/rev", "operator": "In", "values": [tag or self.revision]}
        hook = {
            "name": "rev.namespace.sidecar-injector.istio.io",
            "namespaceSelector": {"matchExpressions": [wanted]},
            "objectSelector": {
                "matchExpressions": [{"key": "sidecar.istio.io/inject", "operator": "NotIn", "values": ["false"]}]
            },
            "clientConfig": {"service": {"namespace": self.namespace, "name": f"istiod-{self.revision}"}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            "failurePolicy": policy,
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        labels = {"istio.io/rev": self.revision, **({"istio.io/tag": tag} if tag else {})}
        head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
        metadata = {"name": f"istio-{self.namespace}{tag}", "labels": labels}
        self.cluster.apply({**head, "metadata": metadata, "webhooks": [hook]}, manager="tests")

    def served_by(self, primary: str, version: str) -> None:
        """What the charts leave in a remote cluster whose control plane does not read it yet."""
        self.injector()
        self.apply("v1", "ConfigMap", f"values-{self.revision}", annotations={"service-mesh-istio/version": version})
        self.cluster.kubectl(
            "annotate", "namespace", self.namespace, f"topology.istio.io/controlPlaneClusters={primary}"
        )
        client = {"service": {"namespace": self.namespace, "name": f"istiod-{self.revision}", "path": "/validate"}}
        hook = {"name": "rev.validation.istio.io", "clientConfig": client, "failurePolicy": "Ignore"}
        hooks = [{**hook, "sideEffects": "None", "admissionReviewVersions": ["v1"]}]
        head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
        metadata = {"name": f"istio-validator-{self.namespace}", "labels": {"istio.io/rev": self.revision}}
        self.cluster.apply({**head, "metadata": metadata, "webhooks": hooks}, manager="tests")

    def pod(self, name: str, version: str = "", phase: str = "Running") -> None:
        """A Pod with a proxy of the revision, or without."""
        containers = [{"name": "app", "image": "app:1"}]
        proxy = [{"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{version}"}] if version else []
        notes = {"istio.io/rev": self.revision, "sidecar.istio.io/status": "{}"} if version else {}
        self.apply("v1", "ServiceAccount", "default")
        self.apply("v1", "Pod", name, annotations=notes, spec={"containers": containers + proxy})
        self.status("pod", name, {"phase": phase})

    def apply(
        self,
        api_version: str,
        kind: str,
        name: str,
        *,
        labels: Made | None = None,
        annotations: Made | None = None,
        **more: Any,
    ) -> None:
        metadata = {"name": name, "namespace": self.namespace, "labels": labels or {}, "annotations": annotations or {}}
        self.cluster.apply({"apiVersion": api_version, "kind": kind, "metadata": metadata, **more}, manager="tests")

    def status(self, resource: str, name: str, status: Made) -> None:
        self.cluster.status(resource, name, self.namespace, status)

    def label(self, **labels: str) -> None:
        """Labels of the namespace; underscores are slashes and dots of Istio's."""
        self.cluster.label(self.namespace, {_LABELS.get(key, key): value for key, value in labels.items()})


_LABELS = {"revision": "istio.io/rev", "injection": "istio-injection"}


@contextmanager
def mesh(cluster: Cluster, namespace: str) -> Iterator[Mesh]:
    """A namespace for a mesh. What other tests would take for an Istio of theirs goes at the end."""
    yield Mesh(cluster, namespace)
    cluster.clear("deployments,limitranges,pods", namespace)
    cluster.label(namespace, {"istio.io/rev": None, "istio-injection": None})
    cluster.clear(_WEBHOOKS, labels=f"istio.io/rev={namespace}")
