"""Objects of a mesh in a few words, and a cluster that is given instead of read: what the checks' tests are made of."""

from __future__ import annotations

from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.analyzers import ANALYZERS
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.world import Change, World
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Key

VERSIONS = {kind.resource.kind: kind.resource.api_version for kind in KINDS} | {"Pod": "v1"}
Made = dict[str, Any]


def made(kind: str, place: str, /, **spec: Any) -> Made:
    namespace, name = place.split("/")
    return {
        "apiVersion": VERSIONS[kind],
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def service(place: str, *hosts: str, **spec: Any) -> Made:
    return made("VirtualService", place, hosts=list(hosts), **spec)


def routes(*weights: int | str | None) -> Made:
    targets = [{"destination": {"host": "a"}, **({} if weight is None else {"weight": weight})} for weight in weights]
    return {"http": [{"route": targets}]}


def to_subset(host: str, subset: str) -> Made:
    return {"http": [{"route": [{"destination": {"host": host, "subset": subset}}]}]}


def rule(place: str, host: str, *subsets: str, **spec: Any) -> Made:
    return made("DestinationRule", place, host=host, subsets=[{"name": name} for name in subsets], **spec)


def gateway(place: str, host: str, port: int = 80, **selector: str) -> Made:
    return made("Gateway", place, selector=selector, servers=[{"port": {"number": port}, "hosts": [host]}])


def pod(place: str, app: str, proxy: bool, **more: Any) -> Made:
    containers = [{"name": "app"}, *([{"name": "istio-proxy"}] if proxy else [])]
    found = made("Pod", place, containers=containers)
    found["metadata"].update(labels={"app": app, "pod-template-hash": "77"}, **more)
    return found


class Cluster(World):
    """A world with objects around the changes, given instead of read."""

    def __init__(self, there: list[Made], changes: list[Change]) -> None:
        super().__init__(changes)
        self.there = there

    def live(self, group_kind: str, namespace: str = "") -> list[Made]:
        of_kind = [item for item in self.there if Key.of(item).group_kind == group_kind]
        return [item for item in of_kind if namespace in ("", item["metadata"]["namespace"])]


def found(code: str, after: Made | None, *there: Made, before: Made | None = None) -> list[str]:
    """What one check says about one change in a cluster."""
    subject = after or before
    assert subject
    change = Change(Key.of(subject), before, after)
    around = [item for item in there if Key.of(item) != change.key] + ([before] if before else [])
    return [f"{field}: {text}" for field, text in ANALYZERS[code].find(change, Cluster(around, [change]))]
