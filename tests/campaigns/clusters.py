"""Clusters that become one mesh, in every shape that we know, and get another root: for every commit too long."""

from __future__ import annotations

from pathlib import Path

from integration.support.campaign import run_pytest

FOLDER = Path(__file__).resolve().parent
OTHERS = (FOLDER / "between", FOLDER / "groups", FOLDER / "hosted", FOLDER / "roots")
TESTS = (FOLDER.parent / "integration" / "test_many_clusters.py", *OTHERS)


def campaign(clusters: int = 3) -> list[str]:
    """Which of the shapes went wrong, as pytest tells it on the screen; root needed."""
    return run_pytest(*TESTS, options=("--durations=20", "-o", "timeout=600"), CLUSTERS=str(clusters))
