"""Takes a lane down so that nothing of it is left: in whatever state it was, and whoever killed what before."""

from __future__ import annotations

import shutil

from .layout import Bed
from .processes import kill_marked


def down(bed: Bed, lane: str) -> None:
    kill_marked(f"{bed.id}/{lane}")
    shutil.rmtree(bed.lane(lane), ignore_errors=True)
