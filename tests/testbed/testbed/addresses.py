"""The address plan: a cluster's networks follow from its place in the row, so that all can be told apart and routed."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import BedError

NAMES = ("east", "west", "north", "south", "northeast", "northwest", "southeast", "southwest")
SWITCH = "172.30.0.1"
API_PORT = 6443


@dataclass(frozen=True)
class Plan:
    """The addresses of one cluster; `place` counts from 1."""

    name: str
    place: int

    @property
    def node(self) -> str:
        return f"172.30.0.{10 + self.place}"

    @property
    def gateway(self) -> str:
        """A second address of the node, for a Service of type LoadBalancer."""
        return f"172.30.0.{100 + self.place}"

    @property
    def pods(self) -> str:
        return f"10.{240 + self.place}.0.0/24"

    @property
    def first_pod(self) -> str:
        return f"10.{240 + self.place}.0.10"

    @property
    def services(self) -> str:
        return f"10.{90 + self.place}.0.0/16"

    @property
    def api(self) -> str:
        """The address of the Service "kubernetes"."""
        return f"10.{90 + self.place}.0.1"

    @property
    def dns(self) -> str:
        return f"10.{90 + self.place}.0.10"

    @property
    def node_name(self) -> str:
        return f"{self.name}-1"


def plans(count: int) -> list[Plan]:
    if not 1 <= count <= len(NAMES):
        raise BedError(f"--clusters must be between 1 and {len(NAMES)}, not {count}")
    return [Plan(name, place) for place, name in enumerate(NAMES[:count], 1)]
