"""The workload of the benchmarks is what it claims to be: fixed, whole, mixed, and right for Istio."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from benchmarks import workload

NAMESPACES = [f"bench-{number}" for number in range(50)]
THOUSAND = workload.objects(1000, NAMESPACES)


def identity(entry: dict[str, Any]) -> tuple[str, str, str]:
    return entry["kind"], entry["metadata"]["namespace"], entry["metadata"]["name"]


def of_kind(kind: str) -> list[dict[str, Any]]:
    return [entry for entry in THOUSAND if entry["kind"] == kind]


def test_every_run_measures_the_same_objects() -> None:
    assert workload.objects(1000, NAMESPACES) == THOUSAND
    assert workload.objects(2000, NAMESPACES)[:1000] == THOUSAND


def test_a_thousand_are_a_thousand_in_fifty_namespaces() -> None:
    assert len({identity(entry) for entry in THOUSAND}) == 1000
    assert Counter(entry["metadata"]["namespace"] for entry in THOUSAND) == dict.fromkeys(NAMESPACES, 20)


def test_names_stay_unique_when_a_namespace_has_several_blocks() -> None:
    many = workload.objects(10_000, NAMESPACES)
    assert len({identity(entry) for entry in many}) == 10_000


def test_all_kinds_are_there() -> None:
    assert {entry["kind"] for entry in workload.objects(100, NAMESPACES)} == {sort.kind for sort in workload.SORTS}


def test_part_of_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="blocks of 20, and 30 is no multiple"):
        workload.objects(30, NAMESPACES)


def test_every_subset_is_defined_in_its_namespace() -> None:
    defined = {
        (rule["metadata"]["namespace"], rule["spec"]["host"], subset["name"])
        for rule in of_kind("DestinationRule")
        for subset in rule["spec"]["subsets"]
    }
    used = {
        (service["metadata"]["namespace"], target["destination"]["host"], target["destination"]["subset"])
        for service in of_kind("VirtualService")
        for route in service["spec"]["http"]
        for target in route["route"]
    }
    assert used <= defined


def test_weights_sum_to_a_hundred() -> None:
    splits = [service["spec"]["http"][1]["route"] for service in of_kind("VirtualService")]
    assert {sum(target["weight"] for target in split) for split in splits} == {100}
    assert all(target["weight"] > 0 for split in splits for target in split)


def test_no_two_gateways_want_the_same_host() -> None:
    hosts = [host for entry in of_kind("Gateway") for server in entry["spec"]["servers"] for host in server["hosts"]]
    assert len(set(hosts)) == len(hosts) == 50


def test_changing_changes_so_many_and_leaves_the_rest() -> None:
    before = [entry["spec"]["http"][0]["timeout"] for entry in of_kind("VirtualService")]
    assert workload.CHANGED not in before
    after = workload.changed(THOUSAND, 10)
    differing = [entry for entry, other in zip(THOUSAND, after, strict=True) if entry != other]
    assert len(differing) == 10
    assert len({entry["metadata"]["namespace"] for entry in differing}) == 10
