"""Worlds of control planes, tags and labels, in which our answer is held against what real istiods do."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.decision import (
    Decision,
    Injectors,
    decision_asks,
    injectors_of,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import RESOURCES
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.second_filter import Subject
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.snapshot import Ask, read, read_more
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import MUTATING_WEBHOOKS

from .istiods import WORLD, Istiods, Made, injected

INJECTION, REVISION, SWITCH = "istio-injection", "istio.io/rev", "sidecar.istio.io/inject"
Labels = Mapping[str, str]
Plane = tuple[str, str, bool]  # a revision, a tag of it or none, and whether it injects by default


def labels_of(**values: str) -> dict[str, str]:
    """Labels of Istio's by short names; what is empty is not there."""
    names = {"injection": INJECTION, "revision": REVISION, "switch": SWITCH}
    return {names[key]: value for key, value in values.items() if value}


def truth_table() -> list[tuple[Labels, Labels]]:
    """All 144 combinations: labels of the namespace, labels of the Pod."""
    spaces = itertools.product(("", "enabled", "disabled"), ("", "default", "r1", "prod"))
    pods = list(itertools.product(("", "true", "false"), ("", "default", "r1", "prod")))
    return [
        (labels_of(injection=injection, revision=revision), labels_of(switch=switch, revision=of_pod))
        for injection, revision in spaces
        for switch, of_pod in pods
    ]


LAYOUTS: dict[str, tuple[Plane, ...]] = {
    "default": (("default", "", False),),
    "revision": (("r1", "", False), ("r1", "prod", False)),
    "both": (("default", "", False), ("r1", "", False), ("r1", "prod", False)),
    "tag-default": (("r1", "", False), ("r1", "prod", False), ("r1", "default", False)),
    "by-default": (("default", "", True), ("r1", "", False)),
    # What Helm makes of a tag `default` beside a control plane without a revision: two injectors meet.
    "twice": (("default", "", False), ("r1", "", False), ("r1", "default", False)),
}


@dataclass(frozen=True)
class Try:
    """A Pod that is tried in a namespace of a world."""

    namespace: str
    labels: Labels
    annotations: Labels = field(default_factory=dict)
    host_network: bool = False


@dataclass
class World:
    """Control planes, namespaces with their labels, and Pods."""

    name: str
    planes: Sequence[Plane]
    namespaces: dict[str, Labels] = field(default_factory=dict)
    tries: list[Try] = field(default_factory=list)

    def add(self, of_namespace: Labels, labels: Labels, name: str = "", **more: Any) -> None:
        """A Pod in a namespace with these labels, which others may share."""
        there = next((key for key, found in self.namespaces.items() if found == of_namespace and not name), None)
        place = there or name or f"{self.name}-{len(self.namespaces)}"
        self.namespaces.setdefault(place, of_namespace)
        self.tries.append(Try(place, labels, **more))


def layout_worlds(*names: str) -> list[World]:
    """Each layout with the whole truth table."""
    worlds = []
    for name in names or LAYOUTS:
        world = World(name, LAYOUTS[name])
        for of_namespace, of_pod in truth_table():
            world.add(of_namespace, of_pod)
        worlds.append(world)
    return worlds


def open_worlds(real: Istiods, worlds: Iterable[World]) -> None:
    for world in worlds:
        real.open_world([real.webhooks(world.name, *plane) for plane in world.planes])
        for name, labels in world.namespaces.items():
            real.add_namespace(world.name, name, labels)


def differences(real: Istiods, worlds: Sequence[World]) -> Iterator[str]:
    """Every Pod that becomes something else than we say. The last world has to have seen its webhooks."""
    injectors = our_injectors(real)
    for world in worlds:
        answers = real.try_pods(
            (one.namespace, one.labels, one.annotations, {"hostNetwork": True} if one.host_network else {})
            for one in world.tries
        )
        for one, pod in zip(world.tries, answers, strict=True):
            found = difference(injectors.decide(subject_of(world, one)), pod)
            if found:
                yield f"{world.name} {world.planes} {dict(world.namespaces[one.namespace])} {one}: {found}"


def subject_of(world: World, one: Try) -> Subject:
    labels = {**world.namespaces[one.namespace], WORLD: world.name, "kubernetes.io/metadata.name": one.namespace}
    return Subject(one.namespace, labels, one.labels, one.annotations, one.host_network)


def our_injectors(real: Istiods) -> Injectors:
    """What the collection reads of all injectors."""
    client = Client(connect(ConnectionOptions(kubeconfig=real.cluster.kubeconfig)), RESOURCES)
    first = read(client, [Ask(MUTATING_WEBHOOKS, required=True)])
    return injectors_of(read_more(client, first, decision_asks(first)))


def difference(ours: Decision, pod: Made) -> str:
    """How the answer differs from what has become of a Pod, or nothing."""
    if pod["kind"] != "Pod":
        return f"the Pod is refused: {pod.get('message')}"
    theirs = injected(pod).get(REVISION, "")
    return "" if ours.revision == theirs else f"we say '{ours.revision}' ({ours.because}), and it is '{theirs}'"
