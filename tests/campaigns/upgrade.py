"""Whole upgrades and their way back on a cluster that carries traffic: for every commit too long."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "upgrades"


def campaign() -> list[str]:
    """Which of the upgrades went wrong, as pytest tells it on the screen."""
    code = subprocess.run((sys.executable, "-m", "pytest", "-q", str(FOLDER)), check=False).returncode
    return [f"pytest ended with {code}"] if code else []
