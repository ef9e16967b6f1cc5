"""Clusters that leave a mesh: every refusal with its way out, who forgets whom, and which doors are closed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.leaving import Leaving, mesh_leaving
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.mesh_member import Member

GIVEN = [{"address": "203.0.113.9", "port": 15443}]


def member(host: str, network: str = "one", role: str = "primary", *reads: str, **more: Any) -> Member:
    secrets = [{"namespace": "istio-system", "name": f"s-{name}", "cluster": name, "ours": True} for name in reads]
    rows = [{**row, "server": "", "token_ends": ""} for row in secrets]
    found = {"clusters": {"uid": host, "remote_secrets": rows, "gateways": []}, "control_planes": []}
    rest = {"cluster_name": host, "found": found, "gateways": {f"{host}-door": "door"}, **more}
    return Member(host, network=network, role=role, **rest)


def remote(host: str, network: str = "one", **more: Any) -> Member:
    return member(host, network, "remote", **{"gateways": {}, **more})


def by_hand(host: str, cluster: str) -> Member:
    made = member(host, "one", "primary", cluster)
    made.secrets[0]["ours"] = False  # type: ignore[index]
    return made


def left(members: list[Member], *hosts: str, **more: Any) -> dict[str, Any]:
    return mesh_leaving(Leaving(members, hosts, **more))


def codes(told: dict[str, Any], level: str = "blockers") -> list[str]:
    return [row["code"] for row in told[level]]


OPS, CONFIG = member("ops", "elsewhere", "external", gateways={}), remote("config", config=True)
EAST, WEST, SOUTH = member("east"), member("west"), member("south")


def test_row_and_column_end_on_the_host_of_who_reads() -> None:
    told = left([EAST, WEST, SOUTH], "west")
    pairs = [(row["on"], row["primary"], row["cluster"]) for row in told["pairs"]]
    assert pairs == [("east", "east", "west"), ("south", "south", "west"), ("west", "west", "east")] + [
        ("west", "west", "south")
    ]
    assert (told["leave"], told["stay"], told["blockers"]) == (["west"], ["east", "south"], [])
    assert told["after"] == {"east": ["east", "south"], "south": ["east", "south"], "west": ["west"]}


def test_a_cluster_that_is_left_out_of_the_run_may_read_who_leaves() -> None:
    east = member("east", "one", "primary", "west", "south")
    (said,) = left([east, WEST], "west")["blockers"]
    assert said["text"].startswith("east: it reads clusters that are not in this run, and they may read who leaves")
    assert said["objects"] == ["south (Secret s-south)"]
    assert left([east, WEST], "west", ignored=["not_in_run"])["blockers"] == []
    assert left([east, WEST, SOUTH], "west")["blockers"] == []


def test_who_stays_has_to_have_names_that_its_control_plane_can_be_told() -> None:
    (said,) = left([member("east", "two words"), WEST], "west")["blockers"]
    assert (said["code"], said["host"], said["count"]) == ("unfit_name", "east", 1)
    assert "east has mesh_network 'two words'" in said["text"]
    assert left([EAST, member("west", "two words")], "west")["blockers"] == []


def test_of_a_primary_that_is_gone_the_others_take_the_accounts_away() -> None:
    gone = member("west", found={}, failure="no route")
    told = left([EAST, gone, remote("far")], "west", unreachable=True)
    assert (told["gone"], told["blockers"]) == (["west"], [])
    where = [(row["on"], row["primary"], row["primary_unreachable"], row["unreachable"]) for row in told["pairs"]]
    assert where == [
        ("east", "east", False, True),
        ("east", "west", True, False),
        ("far", "west", True, False),
    ]
    assert told["left"]["west"][0].startswith("the ServiceAccount istio-reader-east")
    assert "west" not in told["closed"]


def test_of_two_that_are_gone_nothing_can_be_done_between_them() -> None:
    gone = [member(name, found={}, failure="no route") for name in ("west", "south")]
    told = left([EAST, *gone], "west", "south", unreachable=True)
    assert {row["on"] for row in told["pairs"]} == {"east"}
    assert len(told["pairs"]) == 4


def test_unreachable_is_no_reason_not_to_ask_who_can_be_seen() -> None:
    told = left([EAST, WEST], "west", unreachable=True)
    assert (told["gone"], {row["on"] for row in told["pairs"]}) == ([], {"east", "west"})


def test_what_the_inventory_has_forgotten_is_taken_out_by_the_name_of_its_secret() -> None:
    members = [member("east", "one", "primary", "old"), WEST]
    told = left(members, "old", unreachable=True)
    assert (told["blockers"], told["gone"]) == ([], ["old"])
    assert {(row["on"], row["primary"], row["cluster"]) for row in told["pairs"]} == {
        ("east", "east", "old"),
        ("west", "west", "old"),
        ("east", "old", "east"),
        ("west", "old", "west"),
    }
    assert codes(left(members, "old")) == ["not_in_mesh"]


def test_what_the_inventory_has_forgotten_may_have_been_of_another_network_and_remote() -> None:
    """So nothing that led to it or that it was served by stays, and what is left in it is told for both."""
    told = left([member("east", "one", "primary", "old")], "old", unreachable=True)
    assert (told["closed"], told["unserved"]) == ({"east": ["east-door"]}, {"east": ["east-door"]})
    account, secrets, webhooks, *_more = told["left"]["old"]
    assert account.startswith("the ServiceAccount istio-reader-east")
    assert secrets.startswith("where it has a control plane of its own, Secrets (istio-remote-secret-east)")
    assert webhooks.startswith("where one elsewhere serves it, webhooks, Service, configuration and rights")
    still = left([member("east", "one", "primary", "old", "far"), remote("far", "two")], "old", unreachable=True)
    assert (still["closed"], still["unserved"]) == ({"east": []}, {"east": []})


def door(name: str, owner: str = "service_mesh.istio", network: str = "one") -> dict[str, str]:
    return {"namespace": "doors", "name": name, "network": network, "owner": owner}


DOORS = [door("forgotten"), door("theirs", "Helm"), door("ingress", network="")]


def test_east_west_gateways_that_the_inventory_has_forgotten_go_as_well() -> None:
    told = left([EAST, remote("west", found={"gateways": DOORS})], "west")
    assert (told["doors"], told["blockers"]) == ({"west": [{"name": "forgotten", "namespace": "doors"}]}, [])


def test_an_east_west_gateway_that_may_be_another_meshs_is_asked_for() -> None:
    """Another mesh is in the cluster, too, by a control plane of its own or by one elsewhere."""
    for others in ("control_planes", "served_by"):
        found = {"gateways": DOORS, others: [{"namespace": "istio-of-others", "name": "istiod"}]}
        told = left([EAST, remote("west", found=found)], "west")
        assert (told["doors"], codes(told)) == ({"west": []}, ["unknown_door"])
        assert left([EAST, remote("west", found=found)], "west", ignored=["unknown_door"])["blockers"] == []
        assert left([EAST, remote("west", found=found, gateways={"forgotten": "forgotten"})], "west")["blockers"] == []


REFUSED: dict[str, tuple[list[Member], tuple[str, ...], dict[str, Any], str]] = {
    "not_in_mesh": ([EAST, WEST], ("wets",), {}, "'wets' (did you mean 'west'?)"),
    "unknown_check": ([EAST, WEST], ("west",), {"ignored": ["last_dor"]}, "did you mean 'last_door'"),
    "cluster_unseen": ([EAST, member("west", failure="down")], ("west",), {}, "mesh_clusters_unreachable: true"),
    "not_one_mesh": (
        [EAST, WEST, member("test-west", cluster_name="west", mesh_id="test")],
        ("west",),
        {},
        "others would be forgotten: run it for one mesh alone (mesh_hosts), each cluster of it once [not_one_mesh, 2]: "
        "west and test-west have the cluster name west; "
        "east has the mesh_name '' and test-west 'test': they have to be the same",
    ),
    "has_control_plane": (
        [EAST, remote("west", found={"control_planes": [{"name": "istiod", "namespace": "istio-system"}]})],
        ("west",),
        {},
        "west: the inventory says that it is a remote cluster",
    ),
    "foreign_secret": (
        [by_hand("east", "west"), WEST],
        ("west",),
        {},
        "east: somebody else has made a Secret by which a cluster would still be read: delete it [foreign_secret, 1]: "
        "Secret istio-system/s-west (cluster west)",
    ),
    "carries_mesh": (
        [OPS, CONFIG, remote("far")],
        ("config", "far"),
        {"ignored": ["serves_others"]},
        "config: there is no mesh without it: let the others leave, and uninstall the control plane [carries_mesh, 1]: "
        "it has the configuration of the mesh (mesh_cluster_config)",
    ),
    "serves_others": ([EAST, remote("west"), remote("far")], ("east", "far"), {}, "[serves_others, 1]: west"),
    "last_door": (
        [EAST, member("west", "two"), member("far", "two", gateways={})],
        ("west",),
        {},
        "far (network two) (if it is meant so: mesh_clusters_ignore_checks: [last_door])",
    ),
}


@pytest.mark.parametrize("code", REFUSED)
def test_it_is_refused(code: str) -> None:
    members, hosts, more, said = REFUSED[code]
    told = left(members, *hosts, **more)
    assert codes(told) == [code]
    assert said in told["blockers"][0]["text"]


def test_who_leaves_reads_the_others_no_more_whoever_made_the_secret() -> None:
    assert codes(left([by_hand("east", "west"), WEST, SOUTH], "east")) == ["foreign_secret"]
    assert codes(left([by_hand("east", "west"), WEST, SOUTH], "south")) == []
    assert codes(left([by_hand("east", "other"), WEST], "east")) == []


def test_who_stays_and_is_not_seen_has_no_way_out() -> None:
    (row,) = left([member("east", failure="down"), WEST], "west", unreachable=True)["blockers"]
    assert (row["code"], row["host"], row["override"]) == ("cluster_unseen", "east", "")


def test_what_the_prechecks_found_stands_beside_it_and_is_overridden_by_one_option() -> None:
    row = {"code": "sidecars_left", "reason": "Pods have a proxy", "count": 21, "objects": ["Pod web/a: why"]}
    found = {"blockers": [{**row, "override": "ignore_checks: [sidecars_left]"}], "warnings": []}
    members = [EAST, remote("west")]
    told = left(members, "west", prechecks={"west": found})
    text = "west: Pods have a proxy [sidecars_left, 21]: Pod web/a: why; and 20 more"
    assert told["blockers"][0]["text"] == f"{text} (if it is meant so: mesh_clusters_ignore_checks: [sidecars_left])"
    lenient = left(members, "west", prechecks={"west": found}, ignored=["sidecars_left", "last_door"])
    assert (codes(lenient), codes(lenient, "warnings")) == ([], ["sidecars_left"])
    assert lenient["ignored"] == ["sidecars_left"]
    for unreachable in (False, True):
        blocked = left(members, "west", prechecks={"west": {"failure": "no rights"}}, unreachable=unreachable)
        assert codes(blocked) == ["cluster_unseen"]
        assert "mesh_clusters_unreachable" not in blocked["blockers"][0]["text"], "it would change nothing"


def test_one_cluster_by_two_names_forgets_nobody() -> None:
    south, west = member("south"), member("west")
    west.clusters["uid"] = "south"  # type: ignore[index]
    (row,) = left([EAST, west, south], "west")["blockers"]
    assert (row["code"], row["override"]) == ("not_one_mesh", "")
    assert "west and south have one cluster" in row["text"]


def test_who_forgets_whom_goes_by_groups_that_are_the_same_for_all() -> None:
    (row,) = left([EAST, member("west", groups=[["one"]])], "west")["blockers"]
    assert (row["code"], row["override"]) == ("not_one_mesh", "")
    assert "east has the mesh_clusters_groups '[]' and west '[['one']]': they have to be the same" in row["text"]


def test_remotes_leave_together_with_their_primary() -> None:
    told = left([EAST, remote("far"), SOUTH], "east", "far")
    assert (told["blockers"], told["remotes"]) == ([], ["far"])
    assert told["unserved"] == {"south": [], "east": ["east-door", "south-door"]}


def served_by(cluster: str, **more: Any) -> Member:
    row = {"namespace": "istio-system", "revision": "default", "primary": cluster, "version": "1.29.1"}
    far = remote("far", **more)
    return replace(far, found={**far.found, "served_by": [row]})


@pytest.mark.parametrize("announced", ["", "south"])
def test_whoever_serves_a_remote_cluster_now_cannot_leave_before_it(announced: str) -> None:
    """Whoever is first in the inventory, and wherever it says that the cluster shall be moved."""
    members = [SOUTH, EAST, served_by("east", primary=announced)]
    (blocker,) = left(members, "east")["blockers"]
    assert (blocker["code"], blocker["objects"]) == ("serves_others", ["far"])
    assert left(members, "south")["blockers"] == []
    assert left(members, "far")["unserved"] == {"south": [], "east": ["south-door", "east-door"]}


def test_the_door_of_a_control_plane_is_closed_after_the_last_remote() -> None:
    members = [EAST, remote("far"), remote("near")]
    assert left(members, "far")["unserved"] == {"east": []}
    assert left(members, "far", "near")["unserved"] == {"east": ["east-door"]}


def test_doors_between_networks_are_closed_where_one_is_left() -> None:
    members = [member("east", "one"), member("west", "two"), member("south", "three")]
    assert left(members, "west")["closed"] == {
        "east": ["west-door"],
        "south": ["west-door"],
        "west": ["east-door", "west-door", "south-door"],
    }
    assert left(members[:2], "west")["closed"]["east"] == ["east-door", "west-door"]
    assert left([EAST, WEST], "west")["closed"] == {"east": [], "west": []}


def test_a_network_with_another_door_can_be_entered() -> None:
    members = [EAST, member("west", "two"), member("far", "two", gateways={}, addresses=GIVEN)]
    assert left(members, "west")["blockers"] == []
    alone = [EAST, member("west", "two"), member("far", "two", gateways={})]
    assert left(alone, "west", groups=[["one"], ["two"]])["blockers"] == []


def test_an_external_control_plane_forgets_who_leaves_and_cannot_leave_itself() -> None:
    members = [OPS, CONFIG, remote("far", "two", gateways={"far-door": "far-door"})]
    told = left(members, "far")
    assert (told["blockers"], told["remotes"]) == ([], ["far"])
    assert [(row["on"], row["primary"], row["cluster"]) for row in told["pairs"]] == [("ops", "ops", "far")]
    assert (told["closed"], told["unserved"]) == ({"config": ["far-door"]}, {"config": []})
    assert told["after"]["ops"] == ["ops", "config"], "whose addresses it is told"
    assert codes(left(members, "ops", "far")) == ["carries_mesh"]


def test_an_external_control_plane_is_in_no_network_that_needs_a_door() -> None:
    members = [OPS, CONFIG, remote("far", gateways={"far-door": "far-door"})]
    assert left(members, "far")["blockers"] == []
