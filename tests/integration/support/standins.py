"""What istiod, its injector and Kubernetes' own controllers leave in a cluster without nodes, as long as they work.

The objects are real and so is the server; nobody answers webhooks, so Pods are made past them, as they would have come
out of them. Of two validators, the default one is left failing open, and a webhook on loopback refuses what istiod
has to refuse. A control plane comes up only while a stand-in works.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .api import JSON_PATCH, MERGE, Api, Made
from .bed import Cluster
from .servers import serving_certificate
from .workloads import PROXY_RESOURCES

_ADMISSION = "/apis/admissionregistration.k8s.io/v1"
MUTATING, VALIDATING = f"{_ADMISSION}/mutatingwebhookconfigurations", f"{_ADMISSION}/validatingwebhookconfigurations"
_REFUSED = "internal.istio.io/webhook-always-reject"
_REPLICAS = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
REVISION, TAG, RESTARTED = "istio.io/rev", "istio.io/tag", "kubectl.kubernetes.io/restartedAt"
_NOT_INJECTED = "sidecar.istio.io/inject"
_PAUSE = 0.1


@dataclass
class StandIns:
    """One look at the cluster after the other; each does what is to be done at that moment."""

    api: Api
    ca: str

    def look(self) -> None:
        deployments = self._all("/apis/apps/v1/deployments")
        planes = [found for found in deployments if _labels(found).get("app") == "istiod"]
        versions = {_labels(found)[REVISION]: _version(found) for found in planes}
        for found in planes:
            self._lead_to(found)
        webhooks = self._all(MUTATING)
        for path, configurations in ((MUTATING, webhooks), (VALIDATING, self._all(VALIDATING))):
            for configuration in configurations:
                if _labels(configuration).get(REVISION) in versions:
                    self._fill_in(path, configuration)
        spaces = {found["metadata"]["name"]: _labels(found) for found in self._all("/api/v1/namespaces")}
        for found in deployments:
            if found not in planes:
                self._renew(found, _injector(spaces[found["metadata"]["namespace"]], webhooks), versions)
            self._say_rolled_out(found)

    def _all(self, path: str) -> list[Made]:
        return self.api.list(path)[0]

    def _lead_to(self, plane: Made) -> None:
        """An endpoint for the ladder; without a port, so that nobody is ever called."""
        name, place = plane["metadata"]["name"], plane["metadata"]["namespace"]
        path = f"/apis/discovery.k8s.io/v1/namespaces/{place}/endpointslices"
        head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": []}
        metadata = {"name": f"{name}-0", "labels": {"kubernetes.io/service-name": name}}
        endpoints = [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}]
        if self.api.ask("GET", f"{path}/{name}-0").get("code") == 404:
            self.api.ask("POST", path, {**head, "metadata": metadata, "endpoints": endpoints})

    def _fill_in(self, path: str, configuration: Made) -> None:
        """istiod's own part of its webhooks."""
        name, changes = configuration["metadata"]["name"], []
        for number, hook in enumerate(configuration["webhooks"]):
            if not hook["clientConfig"].get("caBundle"):
                place = f"/webhooks/{number}/clientConfig/caBundle"
                changes.append({"op": "add", "path": place, "value": self.ca})
            if path == VALIDATING and hook["failurePolicy"] == "Ignore" and name != "istiod-default-validator":
                changes.append({"op": "replace", "path": f"/webhooks/{number}/failurePolicy", "value": "Fail"})
        if changes:
            self.api.ask("PATCH", f"{path}/{name}?fieldManager=pilot-discovery", changes, JSON_PATCH)

    def _renew(self, workload: Made, revision: str, versions: dict[str, str]) -> None:
        """A Pod of the workload's last restart, with the proxy that its namespace asks for; and no other."""
        restarted = _notes(workload["spec"]["template"]).get(RESTARTED, "")
        place, name = workload["metadata"]["namespace"], workload["metadata"]["name"]
        path = f"/api/v1/namespaces/{place}/pods"
        pods = [pod for pod in self._all(path) if _labels(pod).get("app") == name]
        if not pods or any(_notes(pod).get(RESTARTED, "") == restarted for pod in pods):
            return
        like = pods[0]
        notes = {REVISION: revision, "sidecar.istio.io/status": "{}", RESTARTED: restarted}
        labels = {**_labels(like), _NOT_INJECTED: "false"}
        made = {"name": f"{name}-{restarted.lower().replace(':', '-')}", "annotations": notes, "labels": labels}
        made["ownerReferences"] = like["metadata"]["ownerReferences"]
        containers = [_plain(container, versions[revision]) for container in like["spec"]["containers"]]
        head = {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": {"containers": containers}}
        self.api.ask("POST", path, head)
        visible = {"metadata": {"labels": {_NOT_INJECTED: None}}}
        self.api.ask("PATCH", f"{path}/{made['name']}", visible, MERGE)
        for pod in pods:
            self.api.ask("DELETE", f"{path}/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})

    def _say_rolled_out(self, found: Made) -> None:
        metadata, replicas = found["metadata"], found["spec"]["replicas"]
        status = {"observedGeneration": metadata["generation"], **dict.fromkeys(_REPLICAS, replicas)}
        if (found.get("status") or {}).get("observedGeneration") != metadata["generation"]:
            path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/deployments/{metadata['name']}/status"
            self.api.ask("PATCH", path, {"status": status}, MERGE)


def _labels(found: Made) -> dict[str, str]:
    return found["metadata"].get("labels") or {}


def _notes(found: Made) -> dict[str, str]:
    return found["metadata"].get("annotations") or {}


def _version(plane: Made) -> str:
    image: str = plane["spec"]["template"]["spec"]["containers"][0]["image"]
    return image.rpartition(":")[2]


def _injector(labels: dict[str, str], webhooks: list[Made]) -> str:
    """The revision that a namespace asks for, by its own name or by a tag."""
    name = "default" if labels.get("istio-injection") == "enabled" else labels.get(REVISION, "")
    tags = {_labels(found)[TAG]: _labels(found)[REVISION] for found in webhooks if _labels(found).get(TAG)}
    return tags.get(name, name)


def _plain(container: Made, version: str) -> Made:
    if container["name"] != "istio-proxy":
        return {"name": container["name"], "image": container["image"]}
    image = f"{container['image'].rpartition(':')[0]}:{version}"
    return {"name": container["name"], "image": image, "resources": PROXY_RESOURCES}


class _Refusing(http.server.BaseHTTPRequestHandler):
    """Denies what every istiod has to deny, and lets everything else pass."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        bad = _REFUSED in ((review["request"].get("object") or {}).get("metadata", {}).get("annotations") or {})
        answer = {"uid": review["request"]["uid"], "allowed": not bad, "status": {"message": "it must be refused"}}
        body = json.dumps({**{key: review[key] for key in ("apiVersion", "kind")}, "response": answer}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads along."""


@contextlib.contextmanager
def _refusing(cluster: Cluster, folder: Path) -> Iterator[None]:
    """The webhook that refuses. Those that change objects are asked first, so nobody else's answer comes before."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(serving_certificate(cluster, folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cluster.apply(_refusal(cluster, server.server_port))
        yield
        cluster.kubectl("delete", "mutatingwebhookconfigurations", "stand-in", "--ignore-not-found")
        server.shutdown()


def _refusal(cluster: Cluster, port: int) -> Made:
    rule = {"apiGroups": ["networking.istio.io"], "apiVersions": ["*"], "operations": ["CREATE"]}
    hook = {
        "name": "stand-in.example.com",
        "clientConfig": {"url": f"https://localhost:{port}/", "caBundle": _ca(cluster)},
        "rules": [{**rule, "resources": ["gateways"]}],
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    return {**head, "metadata": {"name": "stand-in"}, "webhooks": [hook]}


def _ca(cluster: Cluster) -> str:
    return base64.b64encode(Path(cluster.ca_file).read_bytes()).decode()


class Working:
    """Stand-ins at work in a thread of their own."""

    def __init__(self, stand_ins: StandIns) -> None:
        self._stand_ins = stand_ins
        self._turn, self._over, self._errors = threading.Lock(), threading.Event(), list[Exception]()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.wait(_PAUSE):
            try:
                with self._turn:
                    self._stand_ins.look()
            except Exception as error:  # whatever it is, the test has to know it
                self._errors.append(error)
                return

    @contextlib.contextmanager
    def resting(self) -> Iterator[None]:
        """They do nothing meanwhile."""
        with self._turn:
            yield

    def end(self) -> None:
        self._over.set()
        self._thread.join()
        if self._errors:
            raise self._errors[0]


@contextlib.contextmanager
def standing_in(cluster: Cluster, folder: Path) -> Iterator[Working]:
    """Until the end."""
    with _refusing(cluster, folder):
        working = Working(StandIns(Api(cluster), _ca(cluster)))
        try:
            yield working
        finally:
            working.end()
