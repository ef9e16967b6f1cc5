"""Workloads on a server without nodes, and what controller, injector and kubelet do when one of them restarts.

Objects, statuses and conflicts are the server's own. A Pod's image may be changed, and nobody injects for that: so a
Pod is renewed in its place.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .rest import STRATEGIC, Rest

Made = dict[str, Any]
MARK = "kubectl.kubernetes.io/restartedAt"
COUNTS = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
_HASH = "77f6"


@dataclass
class Rollers:
    """Deployments of one Pod each in some namespaces; `versions` are those of the revisions that label them.

    `tags` say whose revision it is that a label names instead.
    """

    rest: Rest
    namespaces: Sequence[str]
    versions: dict[str, str]
    tags: dict[str, str] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    restarts: list[str] = field(default_factory=list)
    delay: float = 0.0
    _marks: dict[str, str] = field(default_factory=dict)

    def make(self, names: Sequence[str], revision: str, **spec: Any) -> None:
        """Before the namespaces are labelled, so that nobody is asked."""
        for space in self.namespaces:
            self.rest.create("/api/v1/namespaces", {"metadata": {"name": space}}, quietly=True)
            account = {"metadata": {"name": "default"}}
            self.rest.create(f"/api/v1/namespaces/{space}/serviceaccounts", account, quietly=True)
            for name in names:
                self._make(space, name, revision, spec)

    def _make(self, space: str, name: str, revision: str, spec: Made) -> None:
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
        whole = {"selector": {"matchLabels": labels}, "template": template, **spec}
        place = f"/apis/apps/v1/namespaces/{space}"
        self.rest.create(
            f"{place}/deployments", {"metadata": {"name": name, "labels": {"rolls": "yes"}}, "spec": whole}
        )
        behind = {
            "metadata": {"name": f"{name}-{_HASH}"},
            "spec": {"selector": whole["selector"], "template": template},
        }
        uid = self.rest.create(f"{place}/replicasets", behind)["metadata"]["uid"]
        self.make_pod(space, name, revision, {"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": uid})
        self.say(space, name, ready=True)

    def make_pod(self, space: str, name: str, revision: str, owner: Made | None = None) -> None:
        owners = [{**owner, "name": f"{name}-{_HASH}"}] if owner else []
        labels = {"app": name, "pod-template-hash": _HASH}
        annotations = {"istio.io/rev": revision, "sidecar.istio.io/status": "{}"}
        metadata = {"name": f"{name}-pod", "labels": labels, "annotations": annotations, "ownerReferences": owners}
        proxy = {"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{self.versions[revision]}"}
        containers = [{"name": "app", "image": "app:1"}, proxy]
        self.rest.create(f"/api/v1/namespaces/{space}/pods", {"metadata": metadata, "spec": {"containers": containers}})

    def label(self, revision: str) -> None:
        for space in self.namespaces:
            path = f"/api/v1/namespaces/{space}?fieldManager=platform-team"
            self.rest.patch(path, {"metadata": {"labels": {"istio.io/rev": revision}}})

    def deployments(self) -> list[Made]:
        found = self.rest.items("/apis/apps/v1/deployments?labelSelector=rolls%3Dyes")
        return [one for one in found if one["metadata"]["namespace"] in self.namespaces]

    def proxies(self) -> dict[str, str]:
        """The revision that each Pod's proxy is of."""
        pods = [pod for space in self.namespaces for pod in self.rest.items(f"/api/v1/namespaces/{space}/pods")]
        return {
            f"{pod['metadata']['namespace']}/{pod['metadata']['labels']['app']}": pod["metadata"]["annotations"][
                "istio.io/rev"
            ]
            for pod in pods
        }

    def marks(self) -> dict[str, str]:
        return {_place(one): _mark(one) for one in self.deployments()}

    def renew(self, space: str, name: str, revision: str) -> None:
        image = f"docker.io/istio/proxyv2:{self.versions[revision]}"
        spec = {"containers": [{"name": "istio-proxy", "image": image}]}
        change = {"metadata": {"annotations": {"istio.io/rev": revision}}, "spec": spec}
        self.rest.patch(f"/api/v1/namespaces/{space}/pods/{name}-pod", change, STRATEGIC)

    def say(self, space: str, name: str, ready: bool) -> None:
        """What its controller says: one that is broken has an old Pod, and a new one that does not come up."""
        path = f"/apis/apps/v1/namespaces/{space}/deployments/{name}"
        generation = self.rest.get(path)["metadata"]["generation"]
        counts = dict.fromkeys(COUNTS, 1)
        broken = {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1, "unavailableReplicas": 1}
        status = {"observedGeneration": generation, **(counts if ready else broken)}
        self.rest.patch(f"{path}/status", {"status": {"unavailableReplicas": None, **status}})

    @contextmanager
    def rolling(self) -> Iterator[Rollers]:
        """The controller, until the end."""
        self._marks.update(self.marks())
        over = threading.Event()

        def follow() -> None:
            while not over.wait(0.05):
                for found in self.deployments():
                    if self._marks.get(_place(found), "") != _mark(found):
                        self._roll(found, over)

        thread = threading.Thread(target=follow)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()

    def _roll(self, found: Made, over: threading.Event) -> None:
        place, space, name = _place(found), found["metadata"]["namespace"], found["metadata"]["name"]
        self._marks[place] = _mark(found)
        self.restarts.append(place)
        over.wait(self.delay)
        if place in self.broken:
            self.say(space, name, ready=False)
            self.broken.remove(place)  # the next time it is corrected, or goes back to the Pods that it has
            return
        labels = self.rest.get(f"/api/v1/namespaces/{space}")["metadata"]["labels"]
        named = labels["istio.io/rev"]
        self.renew(space, name, self.tags.get(named, named))
        self.say(space, name, ready=True)


def _place(found: Made) -> str:
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"


def _mark(found: Made) -> str:
    return str((found["spec"]["template"]["metadata"].get("annotations") or {}).get(MARK, ""))
