"""Campaigns that are tests of pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run_pytest(*tests: Path, options: tuple[str, ...] = (), **env: str) -> list[str]:
    """What went wrong: pytest tells it on the screen."""
    argv = (sys.executable, "-m", "pytest", "-q", *options, *map(str, tests))
    code = subprocess.run(argv, check=False, env={**os.environ, **env}).returncode
    return [f"pytest ended with {code}"] if code else []
