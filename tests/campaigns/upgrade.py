"""Whole upgrades and their way back on a cluster that carries traffic: for every commit too long."""

from __future__ import annotations

from pathlib import Path

from integration.support.campaign import run_pytest

FOLDER = Path(__file__).resolve().parent / "upgrades"


def campaign() -> list[str]:
    """Which of the upgrades went wrong, as pytest tells it on the screen."""
    return run_pytest(FOLDER)
