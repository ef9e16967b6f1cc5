"""Two clusters are joined, renew their tokens, and one leaves, each killed at random moments: the next run finishes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent / "kills"


def campaign(kills: int = 21, seed: int = 1) -> list[str]:
    """Which moment went wrong, as pytest tells it on the screen; root needed."""
    argv = (sys.executable, "-m", "pytest", "-q", str(TESTS))
    told = {"KILLS": str(kills), "SEED": str(seed)}
    code = subprocess.run(argv, check=False, env={**os.environ, **told}).returncode
    return [f"pytest ended with {code}"] if code else []
