"""Which request meets which fault: by what it is, by its number, by chance that a seed repeats."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from faults import FAULTS, Asked, Rule
from faults.rules import Script

ISTIO = "/apis/networking.istio.io/v1"
OBJECT = f"{ISTIO}/namespaces/web/virtualservices/shop"
APPLY = "application/apply-patch+yaml"
DELETE = b'{"kind":"DeleteOptions","dryRun":["All"]}'


@pytest.mark.parametrize(
    ("method", "target", "verb"),
    [
        ("GET", "/version", "get"),
        ("GET", ISTIO, "get"),
        ("GET", "/api/v1", "get"),
        ("GET", "/api/v1/namespaces", "list"),
        ("GET", "/api/v1/namespaces/web", "get"),
        ("GET", "/api/v1/namespaces/web/pods?limit=500", "list"),
        ("GET", f"{ISTIO}/virtualservices?limit=500&continue=abc", "list"),
        ("GET", f"{ISTIO}/namespaces/web/virtualservices?watch=true", "watch"),
        ("GET", OBJECT, "get"),
        ("POST", "/api/v1/namespaces", "create"),
        ("PUT", OBJECT, "update"),
        ("DELETE", OBJECT, "delete"),
    ],
)
def test_verb(method: str, target: str, verb: str) -> None:
    assert Asked.of(method, target).verb == verb


def test_patches_differ_by_their_content() -> None:
    assert Asked.of("PATCH", OBJECT, APPLY).verb == "apply"
    assert Asked.of("PATCH", OBJECT, "application/merge-patch+json").verb == "patch"


def test_dry_runs() -> None:
    assert Asked.of("PATCH", f"{OBJECT}?dryRun=All", APPLY).dry_run
    assert Asked.of("DELETE", OBJECT, body=DELETE).dry_run
    assert not Asked.of("DELETE", OBJECT, body=b'{"kind":"DeleteOptions"}').dry_run
    assert not Asked.of("PATCH", OBJECT, APPLY, b'{"data":{"dryRun":"All"}}').dry_run


def struck(rules: Sequence[Rule], *asked: Asked, seed: int = 0) -> list[str]:
    """The faults that some requests meet, in their order."""
    script = Script(rules, seed)
    return [fault.name if fault else "" for fault in map(script.fault, asked)]


GET, GET_POD = Asked.of("GET", OBJECT), Asked.of("GET", "/api/v1/namespaces/web/pods/one")


def test_only_what_matches_is_struck_and_counted() -> None:
    rule = Rule(FAULTS["500"], verb="get", path=r"virtualservices/", nth={2})
    assert struck([rule], GET, GET_POD, GET, GET) == ["", "", "500", ""]


def test_dry_run_and_write_are_told_apart() -> None:
    dry, write = Asked("apply", OBJECT, dry_run=True), Asked("apply", OBJECT)
    assert struck([Rule(FAULTS["500"], dry_run=False)], dry, write) == ["", "500"]
    assert struck([Rule(FAULTS["500"], dry_run=True)], dry, write) == ["500", ""]


def test_first_rule_decides_and_every_rule_counts() -> None:
    rules = [Rule(FAULTS["500"], nth={1}), Rule(FAULTS["503"], nth=range(1, 3))]
    assert struck(rules, GET, GET, GET) == ["500", "503", ""]


def test_a_fault_meets_only_verbs_that_it_can_happen_to() -> None:
    watch = Asked.of("GET", f"{ISTIO}/virtualservices?watch=1")
    assert struck([Rule(FAULTS["watch_cut"])], GET, watch) == ["", "watch_cut"]
    assert struck([Rule(FAULTS["truncated"])], GET, watch) == ["truncated", ""]


def many(count: int = 400) -> list[Asked]:
    return [Asked("get", f"/api/v1/namespaces/web/pods/{number}") for number in range(count)]


def test_chance_is_the_seeds() -> None:
    rules = [Rule(list(FAULTS.values()), probability=0.1)]
    drawn = struck(rules, *many(), seed=7)
    assert drawn == struck(rules, *many(), seed=7) != struck(rules, *many(), seed=8)
    assert 20 <= sum(map(bool, drawn)) <= 60


def test_chance_does_not_depend_on_the_order() -> None:
    rules, shuffled = [Rule(list(FAULTS.values()), probability=0.3)], many()
    random.Random(1).shuffle(shuffled)
    in_order = dict(zip(many(), struck(rules, *many()), strict=True))
    assert dict(zip(shuffled, struck(rules, *shuffled), strict=True)) == in_order


def test_a_repeated_request_is_drawn_anew_and_known_without_its_token() -> None:
    pages = [Asked.of("GET", f"{ISTIO}/virtualservices?limit=5&continue={number}") for number in range(200)]
    rules = [Rule(FAULTS["503"], probability=0.5)]
    drawn = struck(rules, *pages)
    assert 60 < drawn.count("503") < 140
    assert drawn == struck(rules, *[Asked.of("GET", f"{ISTIO}/virtualservices?limit=5")] * 200)
