# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters that somebody reads and that are not in a run: --limit leaves them out, or they are in the mesh no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from .mesh_member import Member, named


def left_over(members: Sequence[Member], cut_off: Sequence[Member]) -> Iterator[dict[str, Any]]:
    """Secrets for clusters that are not in the run. `cut_off` are those that --limit leaves out."""
    inside_of_it, outside = ({one.cluster_name for one in several} for several in (members, cut_off))
    for reader in members:
        for row in (row for row in reader.secrets if row["cluster"] not in inside_of_it):
            told = {"reader": reader.host, "secret": row["name"], "cluster": row["cluster"], "ours": row["ours"]}
            yield {**told, "cut_off": row["cluster"] in outside}


def unrenewed(members: Sequence[Member], cut_off: Sequence[Member]) -> Iterator[str]:
    """Tokens that would stay good where all shall be renewed, as somebody may have seen them."""
    if cut_off:
        yield (
            f"--limit leaves {named(cut_off)} out of this run, so the tokens by which they are read, and by "
            "which they read others, would stay good: run it for all clusters of the mesh, without --limit"
        )
    for row in left_over(members, cut_off):
        if row["ours"] and not row["cut_off"]:
            yield (
                f"{row['reader']} reads {row['cluster']} (Secret {row['secret']}), which is not in this run, so that "
                "token would stay good: run it for all clusters of the mesh, or take that one out of it by the "
                "playbook unregister"
            )
