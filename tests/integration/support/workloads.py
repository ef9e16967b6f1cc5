"""Workloads on a server without nodes: the Deployment is real, its Pod as kubelet and injector would leave it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .bed import Cluster
from .rest import STRATEGIC

Made = dict[str, Any]
_HASH = "77f6"
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
# What Istio's charts give a proxy (global.proxy.resources), and so what an injector does.
PROXY_RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}


@dataclass(frozen=True)
class Workload:
    """A Deployment with one Pod, which has a proxy. Made before its namespace is labelled, so that nobody is asked."""

    cluster: Cluster
    namespace: str
    name: str = "app"

    def make(self, revision: str, version: str) -> None:
        labels = {"app": self.name}
        spec = {"containers": [{"name": "app", "image": "app:1"}]}
        template = {"metadata": {"labels": labels}, "spec": spec}
        self._create("apps/v1", "Deployment", {"selector": {"matchLabels": labels}, "template": template}, self.name)
        self._create("v1", "ServiceAccount", None, "default", quietly=True)
        behind = f"{self.name}-{_HASH}"
        self._create("apps/v1", "ReplicaSet", {"selector": {"matchLabels": labels}, "template": template}, behind)
        uid = self.cluster.get("replicaset", behind, self.namespace)["metadata"]["uid"]
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": behind, "uid": uid}
        metadata = {"labels": {**labels, "pod-template-hash": _HASH}, "ownerReferences": [owner]}
        metadata["annotations"] = {"istio.io/rev": revision, "sidecar.istio.io/status": "{}"}
        proxy = {"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{version}", "resources": PROXY_RESOURCES}
        containers = [*spec["containers"], proxy]
        self._create("v1", "Pod", {"containers": containers}, f"{self.name}-pod", metadata=metadata)
        self.say_rolled_out()

    def _create(
        self, version: str, kind: str, spec: Made | None, name: str, quietly: bool = False, **more: Any
    ) -> None:
        metadata = {"name": name, "namespace": self.namespace, **more.get("metadata", {})}
        content = {"apiVersion": version, "kind": kind, "metadata": metadata, **({"spec": spec} if spec else {})}
        if quietly:
            self.cluster.apply(content)
        else:
            self.cluster.create(content)

    def restarted_at(self) -> str:
        found = self.cluster.get("deployment", self.name, self.namespace)["spec"]["template"]["metadata"]
        return str((found.get("annotations") or {}).get(RESTARTED_AT, ""))

    def renew(self, revision: str, version: str) -> None:
        """Its Pod as another injector would have made it. A Pod's image may be changed, and nobody injects for that."""
        containers = [{"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{version}"}]
        change = {"metadata": {"annotations": {"istio.io/rev": revision}}, "spec": {"containers": containers}}
        path = f"/api/v1/namespaces/{self.namespace}/pods/{self.name}-pod"
        self.cluster.rest.patch(path, change, STRATEGIC, fieldManager="kubectl-patch")

    def say_rolled_out(self) -> None:
        generation = self.cluster.get("deployment", self.name, self.namespace)["metadata"]["generation"]
        replicas = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
        status = {"observedGeneration": generation, **dict.fromkeys(replicas, 1)}
        self.cluster.status("deployment", self.name, self.namespace, status)

    @contextmanager
    def restarting(self, revision: str, version: str) -> Iterator[None]:
        """What its controller and the injector do when it is restarted."""
        before, over = self.restarted_at(), threading.Event()

        def follow() -> None:
            while not over.wait(0.2):
                if self.restarted_at() != before:
                    self.renew(revision, version)
                    self.say_rolled_out()
                    return

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
