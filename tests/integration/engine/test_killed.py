"""A few of the kills that `make campaign NAME=kill` does at every write of a run: the next run converges."""

from __future__ import annotations

import pytest
from campaigns.kill import killing
from integration.engine.driver import Object
from integration.support.bed import Cluster

pytestmark = pytest.mark.usefixtures("crds")
State = dict[str, Object]


@pytest.mark.parametrize(
    ("write", "with_set", "orphan"),
    [(17, False, False), (2, True, False), (30, True, True)],
    ids=["without-a-set", "parent-only", "orphan-with-the-lock"],
)
def test_next_run_converges(cluster: Cluster, namespace: str, write: int, with_set: bool, orphan: bool) -> None:
    with killing(cluster, namespace, 40, with_set) as runs:
        assert runs.kill(write, orphan)
    assert runs.wrong == []
