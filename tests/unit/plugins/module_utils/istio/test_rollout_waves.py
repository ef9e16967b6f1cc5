"""Which workload belongs to which wave: claims, shares and the rest, and what is refused."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_waves import (
    ALL,
    Claims,
    Known,
    Place,
    RolloutError,
    Wave,
    checked_waves,
    require_known,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.shares import share_of
from hypothesis import given
from hypothesis import strategies as st

SHOP = Place("Deployment", "web", "shop")
NAMES = [f"team-{number}" for number in range(60)]


def claims(*waves: Wave, **matching: Collection[str]) -> Claims:
    return Claims(checked_waves(waves), matching)


def test_without_waves_everything_is_one() -> None:
    assert checked_waves([]) == (ALL,)
    assert claims().wave_of(SHOP) == 0


def test_a_name_goes_before_shares_and_the_rest() -> None:
    found = claims(Wave("tenth", percentage=10), Wave("late", namespaces=("web",)), Wave("rest"))
    assert found.wave_of(SHOP) == 1
    shares = {name: found.wave_of_namespace(name) for name in NAMES}
    assert shares == {name: 0 if share_of(name) < 10 else 2 for name in NAMES}


def test_a_workload_by_its_name_and_the_others_of_its_namespace_elsewhere() -> None:
    found = claims(Wave("first", workloads=(SHOP,)), Wave("rest"))
    assert [found.wave_of(SHOP), found.wave_of(Place("Deployment", "web", "cart"))] == [0, 1]
    assert [found.namespaces_of(number, ["api", "web"]) for number in (0, 1)] == [["web"], ["api", "web"]]


def test_labels_choose_what_matches() -> None:
    found = Claims(checked_waves([Wave("front", selector="tier=front")]), {"tier=front": {"web"}})
    assert [found.wave_of(SHOP), found.wave_of_namespace("api")] == [0, None]


def test_an_empty_list_is_no_rest() -> None:
    assert claims(Wave("nothing", namespaces=())).wave_of(SHOP) is None


@given(st.lists(st.integers(1, 100), min_size=1, max_size=5))
def test_a_larger_share_contains_the_smaller_and_nobody_is_twice(percentages: Sequence[int]) -> None:
    waves = [Wave(f"w{number}", percentage=percentage) for number, percentage in enumerate(percentages)]
    found = claims(*waves)
    for name in NAMES:
        first = next((number for number, percentage in enumerate(percentages) if share_of(name) < percentage), None)
        assert found.wave_of_namespace(name) == first


@pytest.mark.parametrize(
    ("waves", "message"),
    [
        ([Wave("a", namespaces=("web",)), Wave("b", namespaces=("web", "api"))], "Two waves claim the namespace web"),
        ([Wave("a", workloads=(SHOP,)), Wave("b", workloads=(SHOP,))], "Two waves claim Deployment web/shop"),
        ([Wave("a", workloads=(SHOP,)), Wave("b", namespaces=("web",))], "Two waves claim Deployment web/shop"),
        ([Wave("a", namespaces=("web",)), Wave("b", workloads=(SHOP,))], "Two waves claim Deployment web/shop"),
        ([Wave("a"), Wave("a")], "Two waves are named 'a'"),
        ([Wave("a", percentage=-5)], "-5 is no percentage"),
        ([Wave("a", percentage=0)], "0 is no percentage"),
        ([Wave("a", percentage=101)], "101 is no percentage"),
    ],
)
def test_what_can_never_be_right(waves: list[Wave], message: str) -> None:
    with pytest.raises(RolloutError, match=message):
        checked_waves(waves)


def test_two_waves_may_not_claim_one_namespace_by_labels() -> None:
    waves = checked_waves([Wave("a", selector="tier=front"), Wave("b", namespaces=("web",))])
    with pytest.raises(RolloutError, match="it is in 'a' and in 'b'"):
        Claims(waves, {"tier=front": {"web"}})


def test_what_is_not_there() -> None:
    known = Known({"web"}, {SHOP}, "east", unread={"hidden"})
    with pytest.raises(RolloutError, match=r"'wbe' does not exist on east \(did you mean 'web'\?\).*wave 'a' names it"):
        require_known([Wave("a", namespaces=("wbe",))], known)
    with pytest.raises(RolloutError, match=r"Deployment web/shp does not exist on east \(did you mean"):
        require_known([Wave("a", workloads=(Place("Deployment", "web", "shp"),))], known)
    require_known([Wave("a", workloads=(SHOP,)), Wave("b", namespaces=("hidden",))], known)
    with pytest.raises(RolloutError, match="'db' is not among what this task looks at"):
        require_known([Wave("a", namespaces=("db",))], replace(known, is_limited=True))
