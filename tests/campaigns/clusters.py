"""Clusters that become one mesh, in every shape that we know, and get another root: for every commit too long."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TESTS = (FOLDER.parent / "integration" / "test_many_clusters.py", FOLDER / "between", FOLDER / "roots")


def campaign(clusters: int = 3) -> list[str]:
    """Which of the shapes went wrong, as pytest tells it on the screen; root needed."""
    argv = (sys.executable, "-m", "pytest", "-q", "--durations=20", "-o", "timeout=600", *map(str, TESTS))
    code = subprocess.run(argv, check=False, env={**os.environ, "CLUSTERS": str(clusters)}).returncode
    return [f"pytest ended with {code}"] if code else []
