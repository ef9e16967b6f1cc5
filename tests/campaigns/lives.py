"""Control planes adopted, upgraded in phases and removed: each file of tests has a fresh API server for itself."""

from __future__ import annotations

import subprocess
import sys

from integration.support import bed
from integration.support.bed import ROOT
from steps import WHOLE_LIVES


def campaign() -> list[str]:
    """Which files went wrong, as pytest tells it on the screen."""
    wrong = []
    for file in WHOLE_LIVES:
        bed.bed("down", "--lane", "api")
        bed.bed("up", "--lane", "api")
        code = subprocess.run((sys.executable, "-m", "pytest", "-q", str(ROOT / file)), check=False).returncode
        wrong += [f"{file}: pytest ended with {code}"] if code else []
    return wrong
