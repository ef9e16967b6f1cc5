# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clusters of a mesh have already, against what the inventory says of them: their part in it, and their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .mesh_member import PRIMARY, REMOTE, Member, told_name

# What the inventory says of a cluster, and what its charts were told, which only a reinstallation changes; with a word
# for each, and with what it is where nothing is said (istiod).
# What it is in the inventory and what was found, in words, and what the charts take where nobody says anything.
_INSTALLED = (("mesh_id", "mesh", ""), ("cluster_name", "cluster name", "Kubernetes"), ("network", "network", ""))
_REINSTALLED = "correct the inventory; or uninstall it, install it with the new one, and restart its proxies"
# It would be read by both names, so the old one has to be forgotten before.
_LEAVES = "let it leave the mesh as it is (playbook unregister) and join it anew, or correct the inventory"


def in_another_part(one: Member) -> Iterator[str]:
    """Another role than the one that it was installed in, which the inventory alone does not change."""
    planes = [row["name"] for row in _here(one, "control_planes")]
    primaries = [row["primary"] for row in _here(one, "served_by") if row["primary"]]
    if one.role == REMOTE and planes:
        yield (
            f"{one.host} has the mesh_cluster_role remote, and runs a control plane of its own in {one.namespace} "
            f"({', '.join(planes)}): correct mesh_cluster_role, or let it leave the mesh as a primary (playbook "
            "unregister), uninstall that control plane, and join it anew"
        )
    if one.role != REMOTE and primaries:
        yield (
            f"{one.host} has the mesh_cluster_role {one.role}, and its namespace {one.namespace} says that the control "
            f"plane of {primaries[0]} serves it: correct mesh_cluster_role, or let it leave the mesh as a remote "
            "cluster (playbook unregister) and join it anew"
        )


def in_another_namespace(one: Member) -> Iterator[str]:
    """A control plane that would not move: certificates would be written beside it first."""
    planes = [row for row in one.found.get("control_planes") or () if row["revision"] == one.revision]
    places = [row["namespace"] for row in planes]
    if one.role == PRIMARY and places and one.namespace not in places:
        yield (
            f"{one.host} has the control plane of revision {one.revision} in {' and '.join(places)}, and "
            f"mesh_root_namespace {one.namespace}: correct that, or install another mesh_control_plane_revision there"
        )


def installed_otherwise(one: Member, members: Sequence[Member]) -> Iterator[str]:
    """Names that its charts were told and the inventory does not have; other meshes there are none of its business."""
    recorded = [row for row in _here(one, "served_by") if row["version"]]
    if not _here(one, "control_planes") and not recorded:
        return
    named = replace(one, cluster_name=told_name(one, members))
    for name, word, unsaid in _INSTALLED:
        there, wanted = str(one.found.get(name) or ""), getattr(named, name)
        if (there or unsaid) != (wanted or unsaid):
            yield (
                f"{one.host} is installed with the {word} '{there}', and the inventory says '{wanted}': "
                f"{_LEAVES if one.role == REMOTE else _REINSTALLED}"
            )
    trusted = one.found.get("trust_domain")
    if trusted and trusted != one.trust_domain:
        yield (
            f"{one.host} is installed with the trust domain '{trusted}', and the inventory says '{one.trust_domain}': "
            "correct meshConfig.trustDomain in mesh_control_plane_mesh_config, which a control plane keeps for good"
        )


def _here(one: Member, what: str) -> list[Mapping[str, Any]]:
    return [row for row in one.found.get(what) or () if row["namespace"] == one.namespace]
