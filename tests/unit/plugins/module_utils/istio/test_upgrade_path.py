"""Upgrade paths: what one step reaches, what it never does, and the way that works instead."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.releases import NEWEST, RELEASES, parsed
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.upgrade_path import (
    Strategy,
    is_downgrade,
    is_too_far,
    path,
    proxy_trouble,
    reachable,
)
from hypothesis import given
from hypothesis import strategies as st

minors = st.sampled_from(sorted(RELEASES))


@pytest.mark.parametrize(
    ("installed", "target", "strategy", "too_far", "way"),
    [
        ("1.28.3", "1.28.10", "in_place", False, ["1.28.10"]),
        ("1.28.3", "1.29.1", "in_place", False, ["1.29.1"]),
        ("1.29.1", "1.31.0", "in_place", True, ["1.30.7", "1.31.0"]),
        ("1.29.1", "1.31.0", "revision", False, ["1.31.0"]),
        ("1.28.3", "1.31.0", "in_place", True, ["1.29.9", "1.30.7", "1.31.0"]),
        ("1.28.3", "1.31.0", "revision", True, ["1.30.7", "1.31.0"]),
        ("1.31.1", "1.32.0", "in_place", False, ["1.32.0"]),
        ("1.31.1", "1.34.0", "in_place", True, ["1.32", "1.33", "1.34.0"]),
        ("1.31.1", "2.0.0", "revision", True, ["2.0.0"]),
    ],
)
def test_steps(installed: str, target: str, strategy: Strategy, too_far: bool, way: list[str]) -> None:
    assert is_too_far(parsed(installed), parsed(target), strategy) is too_far
    assert path(parsed(installed), parsed(target), strategy) == way


@pytest.mark.parametrize(
    ("installed", "target", "down"),
    [
        ("1.29.1", "1.29.1", False),
        ("1.29.1", "1.29.0", True),
        ("1.29.1", "1.28.10", True),
        ("1.31.0-rc.1", "1.31.0", False),
        ("1.31.0", "1.31.0-rc.1", True),
    ],
)
def test_a_step_back_is_seen(installed: str, target: str, down: bool) -> None:
    assert is_downgrade(parsed(installed), parsed(target)) is down


def test_next_versions() -> None:
    assert reachable(parsed("1.28.3")) == {
        "in_place": ["1.28.10", "1.29.9"],
        "revision": ["1.28.10", "1.29.9", "1.30.7"],
    }
    newest = parsed(RELEASES[NEWEST].last_patch)
    assert reachable(newest) == {"in_place": [], "revision": []}


@pytest.mark.parametrize(
    ("proxy", "control_plane", "trouble"),
    [
        ((1, 29), (1, 29), ""),
        ((1, 28), (1, 29), ""),
        ((1, 29), (1, 31), ""),
        ((1, 30), (1, 29), "newer"),
        ((1, 28), (1, 31), "3 minor"),
    ],
)
def test_skew_of_proxies(proxy: tuple[int, int], control_plane: tuple[int, int], trouble: str) -> None:
    found = proxy_trouble(proxy, control_plane)
    assert trouble in found
    assert bool(found) is bool(trouble)


@given(minors, minors, st.sampled_from(["in_place", "revision"]))
def test_every_way_is_made_of_steps_that_are_allowed(
    begin: tuple[int, int], end: tuple[int, int], strategy: Strategy
) -> None:
    if end < begin:
        return
    at = parsed(RELEASES[begin].last_patch)
    for stop in path(at, parsed(RELEASES[end].last_patch), strategy):
        assert not is_too_far(at, parsed(stop), strategy)
        at = parsed(stop)


@given(minors)
def test_what_is_reachable_is_reached_in_one_step(begin: tuple[int, int]) -> None:
    installed = parsed(RELEASES[begin].last_patch)
    for strategy, versions in reachable(installed).items():
        assert all(path(installed, parsed(version), strategy) == [version] for version in versions)
