"""Control planes as far as tags see them: rendered by the chart, applied to a server without nodes, called ready."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.charts import ChartSource, charts_of

from . import bed
from .bed import Cluster
from .rest import JSON_PATCH

OURS = "service_mesh.istio/control_plane"
_NEEDED = {"MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "Service", "Deployment"}
_ACCOUNT = "values"
Made = dict[str, Any]


@dataclass(frozen=True)
class Revisions:
    """Revisions in a root namespace of a test's own."""

    cluster: Cluster
    charts: Path
    namespace: str
    version: str = bed.ISTIO

    @property
    def helm(self) -> str:
        return str(bed.parts("helm")["helm"] / "bin" / "helm")

    def rendered(self, chart: str, **values: Any) -> list[Made]:
        """What a chart makes of some values."""
        images = {} if chart == "base" else {"hub": "docker.io/istio", "tag": self.version}
        common = {"global": {"istioNamespace": self.namespace, **images}}
        with charts_of(ChartSource(directory=str(self.charts)), self.version, self.helm) as charts:
            return charts.render(chart, f"istio-{chart}", self.namespace, {**common, **values}, "1.34.4")

    def install(self, revision: str = "", manager: str = OURS, ready: bool = True, **values: Any) -> None:
        """What a tag needs of a revision; istiod's own part, the CA, is played by a manager of its name."""
        objects = [found for found in self.rendered("istiod", revision=revision, **values) if _is_needed(found)]
        self.cluster.apply(*objects, manager=manager)
        for found in objects:
            if found["kind"] == "MutatingWebhookConfiguration":
                self._give_ca(found)
        if ready:
            self.say_ready(f"istiod-{revision}" if revision else "istiod")

    def install_validator(self, revision: str = "default", manager: str = OURS) -> None:
        rendered = self.rendered("base", defaultRevision=revision)
        self.cluster.apply(*(found for found in rendered if _is_needed(found)), manager=manager)

    def say_ready(self, name: str) -> None:
        """A Deployment's status as its controller would write it."""
        replicas = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
        status = {"observedGeneration": 1, **dict.fromkeys(replicas, 1)}
        self.cluster.status("deployment", name, self.namespace, status)

    def answer(self, revision: str = "", ready: bool = True) -> None:
        """An endpoint of the istiod behind the webhooks, or one that is not ready, as if there were a Pod."""
        service = f"istiod-{revision}" if revision else "istiod"
        labels = {"kubernetes.io/service-name": service}
        metadata = {"name": f"{service}-tests", "namespace": self.namespace, "labels": labels}
        endpoint = {"addresses": ["192.0.2.1"], "conditions": {"ready": ready}}
        head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
        ports = [{"name": "https-webhook", "port": 15017}]
        self.cluster.apply({**head, "addressType": "IPv4", "endpoints": [endpoint], "ports": ports}, manager="tests")

    def _give_ca(self, found: Made) -> None:
        ca = base64.b64encode(Path(self.cluster.ca_file).read_bytes()).decode()
        places = [f"/webhooks/{number}/clientConfig/caBundle" for number in range(len(found["webhooks"]))]
        patch = [{"op": "add", "path": place, "value": ca} for place in places]
        path = self.cluster.rest.resource("mutatingwebhookconfiguration").path(found["metadata"]["name"])
        self.cluster.rest.patch(path, patch, JSON_PATCH, fieldManager="pilot-discovery")

    def injectors(self) -> list[Made]:
        """Every injection webhook of this test."""
        return self._webhooks("mutatingwebhookconfigurations")

    def _webhooks(self, resource: str) -> list[Made]:
        return [found for found in self.cluster.objects(resource) if found["metadata"]["name"].endswith(self.namespace)]

    def remove(self) -> None:
        """Webhooks of the cluster outlive the namespace of their Service, and that takes its time to go."""
        self.cluster.clear("deployments", self.namespace, "app=istiod")
        for resource in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
            path = self.cluster.rest.resource(resource).path
            for name in (
                "istiod-default-validator",
                *(found["metadata"]["name"] for found in self._webhooks(resource)),
            ):
                self.cluster.rest.send("DELETE", path(name), quietly=True)


def _is_needed(found: Made) -> bool:
    name = found["metadata"]["name"]
    return found["kind"] in _NEEDED or (found["kind"] == "ConfigMap" and name.startswith(_ACCOUNT))
