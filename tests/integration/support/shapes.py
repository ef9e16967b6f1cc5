"""The shapes that a mesh of several clusters can have: who has a control plane, who is served, on which networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .meshes import GIVEN, NETS, NODE_PORTS, ROUTER_PORT, east_west, external_door


@dataclass(frozen=True)
class Shape:
    """How clusters are one mesh: what the inventory says of all, of the first two, and of the others."""

    network: str
    shared: Mapping[str, Any]
    first: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    second: Mapping[str, Any] = field(default_factory=dict)
    door: int = 15443
    cloud: bool = False

    @property
    def options(self) -> tuple[str, ...]:
        """Of the bed."""
        return ("--network", self.network, *(("--cloud",) if self.cloud else ()))

    @property
    def is_external(self) -> bool:
        return self.first.get("mesh_cluster_role") == "external"

    @property
    def stays(self) -> int:
        """How many of the first clusters cannot leave: without them there is no mesh."""
        return 2 if self.is_external else 1

    def hosts(self, clusters: Iterable[str]) -> dict[str, Mapping[str, Any]]:
        first, *others = clusters
        second = dict.fromkeys(others[:1], self.second or self.others)
        return {first: self.first, **dict.fromkeys(others, self.others), **second}

    def inside(self, clusters: Iterable[str]) -> list[str]:
        """Where the mesh has Pods."""
        return list(clusters)[1:] if self.is_external else list(clusters)

    def remotes(self, clusters: Iterable[str]) -> list[str]:
        return list(clusters)[1:] if self.others.get("mesh_cluster_role") == "remote" else []

    def without_configuration(self, clusters: Iterable[str]) -> list[str]:
        """Remote clusters in which the mesh's configuration is not: what runs there is nobody's business."""
        return self.remotes(clusters)[1 if self.is_external else 0 :]


NET, HOSTED, REMOTE = {"mesh_network": "net1"}, {"mesh_mode": "hosted"}, {"mesh_cluster_role": "remote"}
CONFIG = {**REMOTE, "mesh_cluster_config": True}
SHAPES = {
    "multi-primary": Shape("flat", NET),
    "multi-primary on networks": Shape("separate", NETS),
    "multi-primary behind routers": Shape("separate", GIVEN, door=ROUTER_PORT),
    "multi-primary by node ports": Shape("separate", NODE_PORTS, cloud=True),
    "primary and remotes": Shape("flat", {**NET, **HOSTED}, first=east_west(), others=REMOTE),
    "external control plane": Shape(
        "flat",
        {**NET, **HOSTED},
        first={**external_door(), "mesh_cluster_role": "external"},
        second=CONFIG,
        others=REMOTE,
    ),
    "primary and remotes on networks": Shape("separate", {**NETS, **HOSTED}, others=REMOTE),
}
