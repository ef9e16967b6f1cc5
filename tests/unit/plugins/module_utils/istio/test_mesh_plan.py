"""The plan of a mesh: who reads whom, what is missing, and every refusal with the names of both sides."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.mesh_plan import Member, mesh_plan
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.trust import trust_of
from unit.support.certificates import Authority, cacerts, root

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=timezone.utc)
YEAR = timedelta(days=365)
ROOT, OTHER = root("mesh root", NOW + 10 * YEAR), root("other root", NOW + 10 * YEAR)


def trust(above: Authority, end: datetime = NOW + YEAR) -> list[dict[str, Any]]:
    told = trust_of([cacerts(above.issues("signer", end), above)]).told(NOW)
    return [{"namespace": "istio-system", **told}]


def secret(cluster: str, ours: bool = True) -> dict[str, Any]:
    name = f"istio-remote-secret-{cluster}"
    ends = "2027-01-01T00:00:00+00:00"
    return {"namespace": "istio-system", "name": name, "cluster": cluster, "ours": ours, "token_ends": ends}


def member(host: str, *reads: str, above: Authority = ROOT, uid: str = "", **more: Any) -> Member:
    clusters = {"uid": uid or host, "remote_secrets": [secret(name) for name in reads]}
    plain = {"cluster_name": host, "mesh_id": "shop", "network": "one", "trust_domain": "cluster.local"}
    return Member(host, **{**plain, "found": {"trust": trust(above), "clusters": clusters}, **more})


def refusals(*members: Member) -> list[str]:
    found: list[str] = mesh_plan(members)["refusals"]
    return found


def test_every_primary_reads_every_other() -> None:
    plan = mesh_plan([member("east", "west"), member("west"), member("south")])
    assert (plan["topology"], plan["refusals"], plan["left_over"]) == ("multi-primary, one network", [], [])
    states = {(pair["primary"], pair["cluster"]): pair["state"] for pair in plan["pairs"]}
    assert len(states) == 6
    assert [pair for pair, state in states.items() if state == "present"] == [("east", "west")]


def test_a_remote_reads_nobody() -> None:
    plan = mesh_plan([member("east"), member("west", role="remote", network="two"), member("south", role="remote")])
    assert plan["topology"] == "1 primary, 2 remote, 2 networks"
    assert {(pair["primary"], pair["cluster"]) for pair in plan["pairs"]} == {("east", "west"), ("east", "south")}


def test_what_is_left_over_is_named() -> None:
    plan = mesh_plan([member("east", "west", "gone"), member("west", "east", role="remote")])
    assert [(row["reader"], row["cluster"]) for row in plan["left_over"]] == [("east", "gone"), ("west", "east")]


def test_what_could_not_be_seen_is_said() -> None:
    down = member("west", found={}, failure="no route to host")
    plan = mesh_plan([member("east", "west"), down])
    assert plan["unseen"] == ["west could not be seen: no route to host"]
    assert [pair["state"] for pair in plan["pairs"]] == ["present", "unseen"]
    assert plan["refusals"] == []


CASES: dict[str, tuple[list[Member], str]] = {
    "name": ([member("east"), member("west", cluster_name="east")], "east and west have the cluster name east"),
    "cluster": ([member("east"), member("west", uid="east")], "east and west have one cluster (its kube-system"),
    "mesh": ([member("east"), member("west", mesh_id="x")], "east has the mesh 'shop' and west 'x'"),
    "domain": ([member("east"), member("west", trust_domain="x")], "the trust domain 'cluster.local' and west 'x'"),
    "no primary": ([member("east", role="remote")], "no cluster of the mesh is a primary"),
    "roots": ([member("east"), member("west", above=OTHER)], "east and west do not trust each other"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_refused_names_both_sides(case: str) -> None:
    members, message = CASES[case]
    (said,) = refusals(*members)
    assert message in said


def test_an_expired_intermediate_names_its_cluster() -> None:
    expired = member("west")
    old = Member(**{**vars(expired), "found": {**expired.found, "trust": trust(ROOT, NOW - YEAR)}})
    (said,) = refusals(member("east"), old)
    assert said.startswith("west: the certificate 'CN=signer'")


def test_one_cluster_without_certificates_beside_others_that_have_them() -> None:
    new = member("west")
    bare = Member(**{**vars(new), "found": {"trust": [{"namespace": "istio-system", **trust_of([]).told(NOW)}]}})
    (said,) = refusals(member("east"), bare)
    assert said.startswith("west has no certificates from the root of the mesh")
    assert refusals(bare) == []


def test_a_cluster_that_is_installed_otherwise() -> None:
    planes = {"control_planes": [{}], "mesh_id": "shop", "cluster_name": "Kubernetes", "network": "one"}
    other = member("west")
    installed = Member(**{**vars(other), "found": {**other.found, **planes}})
    (said,) = refusals(member("east"), installed)
    assert said.startswith("west is installed with the cluster name 'Kubernetes', and the inventory says 'west'")
