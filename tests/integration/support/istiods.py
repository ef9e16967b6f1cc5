"""Real istiods as processes beside an API server without nodes: who injects a Pod that is only tried (dryRun).

The API server asks them by a URL, because no Service leads anywhere without nodes; all else is as the charts make it.
Webhooks are for the namespaces of one world, so that many worlds stand side by side on one server.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
import yaml

from . import bed
from .bed import Cluster
from .revisions import Revisions

Made = dict[str, Any]
ROOT_NAMESPACE = "istio-system"
WORLD = "tests/world"
MARK = "tests-state"
TAGS = ("default", "prod", "test")
_WITHIN = 300.0
_AT_ONCE = 6


@dataclass
class Istiods:
    """Istiods by revision; `default` is the one without."""

    cluster: Cluster
    folder: Path
    version: str = bed.ISTIO
    addresses: dict[str, str] = field(default_factory=dict)
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _rendered: dict[str, list[Made]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.http = urllib3.PoolManager(
            maxsize=_AT_ONCE,
            cert_file=self.cluster.client_certificate_file,
            key_file=self.cluster.client_key_file,
            ca_certs=self.cluster.ca_file,
        )

    def start(self, revision: str) -> None:
        """An istiod that answers, with what the chart tells it."""
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ROOT_NAMESPACE}}
        self.cluster.apply(namespace, *(found for found in self.rendered(revision) if found["kind"] == "ConfigMap"))
        ports, folder = _free_ports(6), self.folder / revision
        folder.mkdir()
        program = str(bed.parts(f"istio-{self.version}")[f"istio-{self.version}"] / "bin" / "pilot-discovery")
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [program, "discovery", *_flags(self.cluster.kubeconfig, ports)],
                cwd=folder,
                env={**os.environ, **_environment(revision)},
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        _await_ready(process, ports[0], folder / "log")
        self.addresses[revision] = f"https://localhost:{ports[1]}/inject"
        self.open_world([self.webhooks(f"probe-{revision}", revision)])
        self.add_namespace(f"probe-{revision}", f"probe-{revision}", {})
        self._await_answer(revision, "")

    def stop(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def rendered(self, revision: str) -> list[Made]:
        """What the chart makes for a revision, with every tag and with injection by default."""
        if revision not in self._rendered:
            part = f"charts-{self.version}"
            charts = Revisions(self.cluster, bed.parts(part)[part], ROOT_NAMESPACE, self.version)
            values = {"revisionTags": list(TAGS), "sidecarInjectorWebhook": {"enableNamespacesByDefault": True}}
            name = "" if revision == "default" else revision
            self._rendered[revision] = charts.rendered("istiod", revision=name, **values)
        return self._rendered[revision]

    def webhooks(self, world: str, revision: str, tag: str = "", by_default: bool = False) -> Made:
        """The chart's webhooks of a revision, or of a tag of it, for the namespaces of one world."""
        kind = "MutatingWebhookConfiguration"
        there = [found for found in self.rendered(revision) if found["kind"] == kind]
        found = next(one for one in there if one["metadata"]["labels"].get("istio.io/tag", "") == tag)
        hooks = [self._hook(hook, world, revision) for hook in found["webhooks"]]
        metadata = {
            "name": f"{world}-{found['metadata']['name']}",
            "labels": {**found["metadata"]["labels"], WORLD: world},
        }
        chosen = [hook for hook in hooks if by_default or not hook["name"].startswith("auto.")]
        return {**found, "metadata": metadata, "webhooks": chosen}

    def _hook(self, hook: Made, world: str, revision: str) -> Made:
        mine = {"key": WORLD, "operator": "In", "values": [world]}
        selector = copy.deepcopy(hook["namespaceSelector"])
        selector["matchExpressions"] = [*selector.get("matchExpressions", ()), mine]
        client = {"url": self.addresses[revision], "caBundle": self._authority}
        return {**hook, "namespaceSelector": selector, "clientConfig": client, "timeoutSeconds": 30}

    @functools.cached_property
    def _authority(self) -> str:
        secret = self.ask("GET", f"/api/v1/namespaces/{ROOT_NAMESPACE}/secrets/istio-ca-secret")[1]
        return str(secret["data"]["ca-cert.pem"])

    def tell(self, revision: str, mark: str, values: Made | None = None, **changes: Any) -> None:
        """Change what an istiod is told, and wait until Pods show that it knows."""
        name = "istio-sidecar-injector" + ("" if revision == "default" else f"-{revision}")
        there = [found for found in self.rendered(revision) if found["kind"] == "ConfigMap"]
        found = next(one for one in there if one["metadata"]["name"] == name)
        config = {**yaml.safe_load(found["data"]["config"]), **changes, "injectedAnnotations": {MARK: mark}}
        merged = _merged(json.loads(found["data"]["values"]), values or {})
        self.cluster.apply({**found, "data": {"config": json.dumps(config), "values": json.dumps(merged)}})
        self._await_answer(revision, mark)

    def _await_answer(self, revision: str, mark: str) -> None:
        space, labels = f"probe-{revision}", {"istio.io/rev": revision, "sidecar.istio.io/inject": "true"}
        _await(lambda: injected(self.try_pod(space, labels)).get(MARK, "") == mark, f"{revision} knows '{mark}'")

    def open_world(self, webhooks: Sequence[Made]) -> None:
        """Webhooks for the namespaces of a world."""
        path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        for found in webhooks:
            self.made(path, found)

    def await_world(self, name: str) -> None:
        """Until the server asks all webhooks that were opened before: it learns of them in their order."""
        revision = next(iter(self.addresses))
        self.open_world([self.webhooks(name, revision)])
        self.add_namespace(name, name, {})
        # Whoever says so itself is injected, whatever the istiod has been told.
        labels = {"istio.io/rev": revision, "sidecar.istio.io/inject": "true"}
        _await(lambda: bool(injected(self.try_pod(name, labels))), "the server asks the webhooks")

    def add_namespace(self, world: str, name: str, labels: Mapping[str, str]) -> None:
        metadata = {"name": name, "labels": {WORLD: world, **labels}}
        self.made("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        self.made(f"/api/v1/namespaces/{name}/serviceaccounts", account, others=(409,))

    def close_worlds(self, worlds: Iterable[str]) -> None:
        """Take their webhooks away, so that the server has not to look at them any longer."""
        path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
        for world in worlds:
            self.ask("DELETE", f"{path}?labelSelector={WORLD}%3D{world}")

    def try_pod(
        self, namespace: str, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None, **spec: Any
    ) -> Made:
        """The Pod as it would be made, or the Status that says why it would not."""
        metadata = {"name": "tried", "labels": dict(labels), "annotations": dict(annotations or {})}
        content = {"containers": [{"name": "app", "image": "app:1"}], **spec}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": content}
        return self.ask("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)[1]

    def try_pods(self, tries: Iterable[tuple[Any, ...]]) -> list[Made]:
        """Many at once; each is what try_pod takes."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda one: self.try_pod(*one[:3], **(one[3] if len(one) > 3 else {})), tries))

    def made(self, path: str, content: Made, others: Sequence[int] = ()) -> None:
        status, answer = self.ask("POST", path, content)
        assert status in (200, 201, *others), answer

    def ask(self, method: str, path: str, content: Made | None = None) -> tuple[int, Made]:
        """One request as the cluster's administrator."""
        answer = self.http.request(method, f"{self.cluster.server}{path}", json=content)
        found: Made = answer.json()
        return answer.status, found


def injected(pod: Made) -> dict[str, str]:
    """The annotations of a Pod that an istiod has injected; nothing for any other."""
    annotations: dict[str, str] = (pod.get("metadata") or {}).get("annotations") or {}
    return annotations if "sidecar.istio.io/status" in annotations else {}


@contextlib.contextmanager
def istiods(cluster: Cluster, folder: Path, *revisions: str, version: str = bed.ISTIO) -> Iterator[Istiods]:
    """Istiods of some revisions, gone afterwards."""
    found = Istiods(cluster, folder, version)
    try:
        for revision in revisions:
            found.start(revision)
        yield found
    finally:
        found.stop()


def _environment(revision: str) -> dict[str, str]:
    return {
        "POD_NAMESPACE": ROOT_NAMESPACE,
        "POD_NAME": f"istiod-{revision}",
        "REVISION": revision,
        "CLUSTER_ID": "Kubernetes",
        "PILOT_CERT_PROVIDER": "istiod",
        # The certificate has this name as well, by which the API server calls it.
        "ISTIOD_CUSTOM_HOST": "localhost",
        # Nobody but this file writes the webhooks.
        "INJECTION_WEBHOOK_CONFIG_NAME": "",
        "VALIDATION_WEBHOOK_CONFIG_NAME": "",
    }


def _flags(kubeconfig: str, ports: Sequence[int]) -> list[str]:
    names = ("httpAddr", "httpsAddr", "grpcAddr", "secureGRPCAddr", "monitoringAddr")
    addresses = [f"--{name}=127.0.0.1:{port}" for name, port in zip(names, ports, strict=False)]
    return [*addresses, f"--ctrlz_port={ports[5]}", f"--kubeconfig={kubeconfig}"]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [found.getsockname()[1] for found in sockets]


def _await_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    def is_ready() -> bool:
        assert process.poll() is None, log.read_text(encoding="utf-8", errors="replace")[-2000:]
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer,
        ):
            return bool(answer.status == 200)
        return False

    _await(is_ready, "istiod is ready")


def _await(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + _WITHIN
    while not holds():
        assert time.monotonic() < deadline, f"not within {_WITHIN} s: {what}"
        time.sleep(0.1)


def _merged(before: Made, after: Made) -> Made:
    """Values within values, as helm merges them."""
    merged = dict(before)
    for key, value in after.items():
        both = isinstance(value, dict) and isinstance(before.get(key), dict)
        merged[key] = _merged(before[key], value) if both else value
    return merged
