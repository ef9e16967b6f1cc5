"""A few of the kills that `make campaign NAME=upgrade_kill` does, in an upgrade by revision."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from campaigns.kill import descendants, kill
from campaigns.upgrade_kill import HELD, Killing, at_deletion, killing
from faults import Rule
from integration.support.bed import Cluster
from integration.support.upgrading import BY_REVISION, difference

SOON = 30.0


@pytest.fixture(scope="module")
def runs(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killing]:
    with killing(cluster, tmp_path_factory.mktemp("upgrade"), BY_REVISION) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_wrong(runs: Killing) -> Iterator[None]:
    yield
    assert runs.wrong == []


def test_an_orphan_that_waits_stops_soon_and_a_re_run_finishes(runs: Killing) -> None:
    """It waits for an istiod that does not come up; nothing happens that would wake it."""
    start = runs.stages[0]
    runs.life.put_back(start.before)
    with runs.life.working.resting():
        process, _held = runs.life.start(start.phase)
        assert process.stdout
        assert any("istiod-1-31-0: its controller" in line for line in process.stdout)
        assert list(descendants(process.pid))
        kill(process.pid, orphan=True)
        began = time.monotonic()
        process.communicate()  # its output ends with the last process that can write to it
    assert time.monotonic() - began < SOON
    assert runs.life.play(start.phase).rc == 0
    assert difference(runs.life.objects(), start.goal) == []


def test_a_shift_that_was_killed(runs: Killing) -> None:
    """All processes, with the first namespace moved: a re-run finishes, and a roll-back restores."""
    assert runs.at_request(runs.stages[1], Rule(HELD, verb="apply", dry_run=False), "at its first write", orphan=False)


def test_a_removal_that_was_killed(runs: Killing) -> None:
    """The webhooks are gone, what they led to is there: a re-run finishes, and there is no way back."""
    assert at_deletion(runs, 3, orphan=False)
