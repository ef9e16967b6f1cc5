"""Takes a lane down so that nothing of it is left: in whatever state it was, and whoever killed what before."""

from __future__ import annotations

import shutil

from . import cgroups
from .layout import Bed
from .processes import kill_marked


def down(bed: Bed, lane: str) -> None:
    """The bed's processes first, or the kubelet would start containers anew; namespaces and mounts end with them."""
    kill_marked(f"{bed.id}/{lane}")
    if lane == "cluster":
        cgroups.remove(cgroups.root(bed.id))
    if bed.lane(lane).exists():
        shutil.rmtree(bed.lane(lane))
