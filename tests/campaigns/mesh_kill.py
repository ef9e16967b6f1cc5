"""Two clusters are joined, renew their tokens, and one leaves, each killed at random moments: the next run finishes."""

from __future__ import annotations

from pathlib import Path

from integration.support.campaign import run_pytest

TESTS = Path(__file__).resolve().parent / "kills"


def campaign(kills: int = 21, seed: int = 1) -> list[str]:
    """Which moment went wrong, as pytest tells it on the screen; root needed."""
    return run_pytest(TESTS, KILLS=str(kills), SEED=str(seed))
