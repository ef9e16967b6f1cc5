"""Which cluster is meant, and what a shell is told of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from testbed import status
from testbed.errors import BedError
from testbed.layout import Bed


def state(**lanes: list[str]) -> dict[str, Any]:
    """Clusters by lane, the first being the one that `up` started first."""
    both = {"api": [], "cluster": [], **lanes}
    return {
        "lanes": {
            lane: {"order": names, "clusters": {name: {"name": name} for name in sorted(names)}}
            for lane, names in both.items()
        }
    }


@pytest.mark.parametrize(
    ("running", "lane", "cluster", "meant"),
    [
        ({"api": ["api"]}, None, None, "api"),
        ({"api": ["api"], "cluster": ["east"]}, None, None, "east"),
        ({"api": ["api"], "cluster": ["east"]}, "api", None, "api"),
        ({"cluster": ["west", "east"]}, None, None, "west"),
        ({"cluster": ["east", "west"]}, None, "west", "west"),
        ({"cluster": ["east", "west"]}, "cluster", "west", "west"),
    ],
)
def test_the_cluster_that_is_meant(running: dict[str, list[str]], lane: str | None, cluster: str, meant: str) -> None:
    assert status.pick(state(**running), lane, cluster) == {"name": meant}


@pytest.mark.parametrize(
    ("running", "lane", "cluster", "sentence"),
    [
        ({}, None, None, "start one: bed up --lane api"),
        ({"api": ["api"]}, "cluster", None, "start one: bed up --lane cluster"),
        ({"cluster": ["east"]}, None, "west", "no cluster west runs"),
    ],
)
def test_a_cluster_that_does_not_run_is_answered_with_the_way_to_it(
    running: dict[str, list[str]], lane: str | None, cluster: str | None, sentence: str
) -> None:
    with pytest.raises(BedError, match=sentence):
        status.pick(state(**running), lane, cluster)


def test_a_shell_is_led_to_another_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(status.EXTERNAL, "/some where/config")
    lines = status.exports(Bed(tmp_path, "unit"), None, None).splitlines()
    assert "export KUBECONFIG='/some where/config'" in lines
    assert lines[-1] == f'export PATH={tmp_path}/run/unit/bin:"$PATH"'


def test_nothing_runs_in_a_bed_that_was_never_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(status.EXTERNAL, raising=False)
    found = status.collect(Bed(tmp_path, "unit"))
    assert [lane["up"] for lane in found["lanes"].values()] == [False, False]
    assert status.text(found) == "lane api: down\nlane cluster: down"
