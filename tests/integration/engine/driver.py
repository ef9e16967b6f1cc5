"""The engine called in this process, as an operation calls it; and what is there afterwards, asked of kubectl."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.facts import KEYED_LISTS
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import RANKS, RESOURCES
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.engine import reconcile
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired, Key
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.outcome import Outcome
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import Owner
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.run import Run
from integration.support.bed import Cluster

Object = dict[str, Any]
MANAGER = "service_mesh.istio/tests"
# What the server assigns anew to an object that has been deleted and comes back.
_ASSIGNED = ("uid", "resourceVersion", "generation", "creationTimestamp")
# Counted by the controller of Deployments with every rollout, one that goes back included.
_COUNTED = "deployment.kubernetes.io/revision"


def unguarded() -> None:
    """Nothing stands in the way of a write."""


def unwatched(_line: str) -> None:
    """Nobody looks at the progress."""


@dataclass(frozen=True)
class Engine:
    """The engine with one connection and one owner."""

    kubeconfig: str
    user: str | None = None
    manager: str = MANAGER
    take_ownership_from: tuple[str, ...] = ()
    before_write: Callable[[], None] = field(default=unguarded)

    def client(self) -> Client:
        options = ConnectionOptions(kubeconfig=self.kubeconfig, impersonate_user=self.user)
        return Client(connect(options), RESOURCES)

    def run(
        self,
        present: Iterable[Object | Desired] = (),
        absent: Iterable[Object] = (),
        *,
        check: bool = False,
        **options: Any,
    ) -> Outcome:
        """What the engine says that it has done. Raises Failure."""
        owner = Owner(self.manager, self.take_ownership_from, ranks=RANKS, keyed_lists=KEYED_LISTS)
        run = Run(self.client(), check, self.before_write, unwatched)
        wanted = [one if isinstance(one, Desired) else Desired(one) for one in present]
        return reconcile(run, owner, wanted, [Key.of(one) for one in absent], **options)


def named(kind: str, name: str, namespace: str, api: str = "v1", **content: Any) -> Object:
    """A manifest; metadata beside the name is given by `labels` and `annotations`."""
    more = {key: content.pop(key) for key in ("labels", "annotations") if key in content}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace, **more}, **content}


def config_map(name: str, namespace: str, labels: Mapping[str, str] | None = None, **data: str) -> Object:
    content: Object = {"data": data, **({"labels": dict(labels)} if labels else {})}
    return named("ConfigMap", name, namespace, **content)


def virtual_service(name: str, namespace: str, *hosts: str, **content: Any) -> Object:
    spec = {"hosts": list(hosts or ("reviews",))}
    return named("VirtualService", name, namespace, "networking.istio.io/v1", spec=spec, **content)


def state(cluster: Cluster, namespace: str, kinds: str, selector: str = "") -> dict[str, Object]:
    """Every object of some kinds by kind and name, without what the server assigns; ownership included."""
    arguments = ("get", kinds, "-n", namespace, "-o", "json", "--show-managed-fields", f"--selector={selector}")
    items = json.loads(cluster.kubectl(*arguments))["items"]
    return {f"{item['kind']} {item['metadata']['name']}": essence(item) for item in items}


def essence(found: Object) -> Object:
    """An object as it is to be restored: all but what is assigned, and what controllers say in its status."""
    kept = {key: value for key, value in found.items() if key != "status"}
    metadata = {key: value for key, value in found["metadata"].items() if key not in _ASSIGNED}
    entries = [
        {key: value for key, value in entry.items() if key != "time"}
        for entry in metadata.get("managedFields") or []
        if not entry.get("subresource")
    ]
    metadata["managedFields"] = sorted(entries, key=lambda entry: (entry["manager"], entry["operation"]))
    metadata["annotations"] = {key: value for key, value in metadata.get("annotations", {}).items() if key != _COUNTED}
    return {**kept, "metadata": metadata}


def verbs(outcome: Outcome) -> list[tuple[str, str, str]]:
    """The plan in short."""
    return [(row["action"], row["kind"], row["name"]) for row in outcome.plan()]
