# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""By which label the Pods of east-west gateways are selected, in each cluster that has configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .mesh_member import Member, configured, control_planes, serving_of


def labels_of(members: Sequence[Member], one: Member) -> dict[str, str]:
    """By the names of gateways; where several clusters have the name, the one with the configuration is meant."""
    labels: dict[str, str] = {}
    for other in (*(other for other in members if other is not one), *_configured_by(members, one)):
        labels |= _labels(other)
    return labels


def selected_twice(members: Sequence[Member]) -> Iterator[str]:
    """Gateways of one name whose Pods no single object could select: one of their networks would be shut."""
    for one in configured(members):
        seen: dict[str, tuple[str, str]] = {}
        for other in _configured_by(members, one):
            for name, label in _labels(other).items():
                host, first = seen.setdefault(name, (other.host, label))
                if first != label:
                    yield (
                        f"{host} and {other.host} have an east-west gateway '{name}' each, with the labels "
                        f"'istio: {first}' and 'istio: {label}', and the configuration of {one.host}, which is that of "
                        "both, knows a gateway by its name: give both the same label, or one another name"
                    )


def _configured_by(members: Sequence[Member], one: Member) -> list[Member]:
    """Clusters whose gateways have their configuration from this one, which is the last of them."""
    served = [other for other in members if other is not one and _plane(members, other) is _plane(members, one)]
    return [*served, one]


def _plane(members: Sequence[Member], one: Member) -> Member | None:
    """The control plane that tells a cluster's gateways what they are."""
    return one if one in control_planes(members) else serving_of(members, one)


def _labels(one: Member) -> Mapping[str, str]:
    """As the inventory has them, and of gateways that it does not know as they are."""
    rows = one.clusters.get("gateways") or ()
    found = {row["name"]: row["istio_label"] for row in rows if row["network"] == one.network and row["istio_label"]}
    return {**found, **one.gateways}
