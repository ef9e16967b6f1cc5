"""The plan of a mesh: who reads whom, what is missing, and every refusal with the names of both sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.mesh_member import Member, members_of
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.mesh_plan import mesh_plan
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.networks import InvalidAddress, mesh_networks
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.trust import trust_of
from unit.support.certificates import Authority, cacerts, root

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=timezone.utc)
YEAR = timedelta(days=365)
PLANE = {"namespace": "istio-system", "name": "istiod", "revision": "default"}
ROOT, OTHER = root("mesh root", NOW + 10 * YEAR), root("other root", NOW + 10 * YEAR)


def trust(above: Authority, end: datetime = NOW + YEAR) -> list[dict[str, Any]]:
    told = trust_of([cacerts(above.issues("signer", end), above)]).told(NOW)
    return [{"namespace": "istio-system", **told}]


def secret(cluster: str, ours: bool = True) -> dict[str, Any]:
    name = f"istio-remote-secret-{cluster}"
    ends = "2027-01-01T00:00:00+00:00"
    place = {"namespace": "istio-system", "name": name, "cluster": cluster, "server": f"https://{cluster}:6443"}
    return {**place, "ours": ours, "token_ends": ends}


def member(host: str, *reads: str, above: Authority = ROOT, uid: str = "", **more: Any) -> Member:
    clusters = {"uid": uid or host, "remote_secrets": [secret(name) for name in reads]}
    plain = {"cluster_name": host, "mesh_id": "shop", "network": "one", "trust_domain": "cluster.local"}
    return Member(host, **{**plain, "mode": "hosted", "found": {"trust": trust(above), "clusters": clusters}, **more})


def door(network: str, *addresses: str, by_nodes: bool = False) -> dict[str, Any]:
    row = {"namespace": "istio-eastwest", "name": "eastwest", "istio_label": "eastwest", "port": 15443}
    return {**row, "network": network, "addresses": list(addresses), "by_nodes": by_nodes}


def inside(host: str, network: str, *doors: dict[str, Any], ranges: tuple[str, ...] = (), **more: Any) -> Member:
    """A cluster in a network, with what leads there and the addresses of its Pods."""
    clusters = {"uid": host, "remote_secrets": [], "gateways": doors, "pod_ranges": list(ranges)}
    return member(host, network=network, found={"trust": trust(ROOT), "clusters": clusters}, **more)


def refusals(*members: Member) -> list[str]:
    found: list[str] = mesh_plan(members)["refusals"]
    return found


def test_somebody_elses_mesh_is_joined_by_somebody_else() -> None:
    (line, *_others) = refusals(member("east", mode="external"), member("west"))
    assert line.startswith("east has mesh_mode 'external', and the clusters of an external mesh are joined by whoever")


def hidden(host: str, verb: str, resource: str, namespace: str = "", **more: Any) -> Member:
    """A cluster of which something may not be read."""
    row = {"verb": verb, "resource": resource, "namespace": namespace}
    return member(host, found={"trust": trust(ROOT), "clusters": {"uid": host, "unread": [row]}}, **more)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (hidden("east", "list", "secrets", "istio-system"), "'list' on secrets in istio-system nobody knows whom its"),
        (hidden("east", "get", "namespaces"), "'get' on namespaces nobody knows whether it is the same cluster"),
        (hidden("east", "list", "services"), "'list' on services nobody knows what leads to its network"),
        (hidden("east", "list", "nodes"), "'list' on nodes nobody knows whether its Pods have the addresses"),
    ],
)
def test_what_may_not_be_read_is_no_empty_list(one: Member, said: str) -> None:
    (line,) = mesh_plan([one, member("west")])["unseen"]
    assert line.startswith(f"east could not be seen whole: without the permission to {said}")
    assert mesh_plan([one])["unseen"] == [], "nobody else is in the mesh"


def test_whom_a_control_plane_reads_is_unseen_where_secrets_may_not_be_read() -> None:
    plan = mesh_plan([hidden("east", "list", "secrets", "istio-system"), member("west", "east")])
    assert {pair["reader"]: pair["state"] for pair in plan["pairs"]} == {"east": "unseen", "west": "present"}


def test_what_may_not_be_read_and_does_not_matter_is_not_told() -> None:
    remote = hidden("east", "list", "secrets", "istio-system", role="remote")
    other_mesh = hidden("south", "list", "secrets", "istio-store")
    alone = hidden("north", "list", "nodes", network="two")
    elsewhere = hidden("ops", "list", "nodes", role="external")
    assert mesh_plan([remote, other_mesh, alone, elsewhere, member("west")])["unseen"] == []
    nodes = hidden("east", "list", "nodes")
    assert mesh_plan([replace(nodes, pod_ranges=False), member("west")])["unseen"] == []


def test_who_the_clusters_are_is_told_with_their_roots() -> None:
    first, second, third = mesh_plan([member("east"), member("west", above=OTHER), member("south", found={})])[
        "clusters"
    ]
    known = {"host": "east", "cluster": "east", "mesh_id": "shop", "network": "one", "role": "primary"}
    assert first.items() >= {**known, "trust_domain": "cluster.local"}.items()
    assert first["root"].startswith("sha256:")
    assert first["root"] != second["root"]
    assert (first["root_ends"], first["signer_ends"]) == ((NOW + 10 * YEAR).isoformat(), (NOW + YEAR).isoformat())
    assert (third["root"], third["root_ends"], third["signer_ends"]) == ("", "", "")


def test_every_primary_reads_every_other() -> None:
    plan = mesh_plan([member("east", "west"), member("west"), member("south")])
    assert (plan["topology"], plan["refusals"], plan["left_over"]) == ("multi-primary, one network", [], [])
    states = {(pair["primary"], pair["cluster"]): pair["state"] for pair in plan["pairs"]}
    assert len(states) == 6
    assert [pair for pair, state in states.items() if state == "present"] == [("east", "west")]


def test_a_remote_reads_nobody() -> None:
    far = member("west", role="remote", network="two", gateways={"eastwest": "eastwest"})
    plan = mesh_plan([member("east", gateways={"eastwest": "eastwest"}), far, member("south", role="remote")])
    assert plan["topology"] == "1 primary, 2 remote, 2 networks"
    assert {(pair["primary"], pair["cluster"]) for pair in plan["pairs"]} == {("east", "west"), ("east", "south")}


def test_what_is_left_over_is_named() -> None:
    plan = mesh_plan([member("east", "west", "gone"), member("west", "east", role="remote")])
    assert [(row["reader"], row["cluster"]) for row in plan["left_over"]] == [("east", "gone")]
    assert [(row["reader"], row["cluster"]) for row in plan["ending"]] == [("west", "east")]


def test_a_cluster_that_is_left_out_of_the_run_is_not_left_over() -> None:
    (row, gone) = mesh_plan([member("east", "west", "gone")], cut_off=[member("far-host", cluster_name="west")])[
        "left_over"
    ]
    assert (row["cluster"], row["cut_off"], gone["cluster"], gone["cut_off"]) == ("west", True, "gone", False)


def test_tokens_are_renewed_all_or_none() -> None:
    one = member("east", "west", "gone")
    limited, left = mesh_plan([one], cut_off=[member("far-host", cluster_name="west")], renew=True)["refusals"]
    assert limited.startswith("--limit leaves far-host out of this run, so the tokens by which they are read")
    assert left.startswith("east reads gone (Secret istio-remote-secret-gone), which is not in this run, so that token")
    foreign = replace(one, found={**one.found, "clusters": {"uid": "east", "remote_secrets": [secret("gone", False)]}})
    assert mesh_plan([foreign], renew=True)["refusals"] == [], "it is not ours to renew"
    assert mesh_plan([one], cut_off=[member("far-host", cluster_name="west")])["refusals"] == []
    assert mesh_plan([member("east", "west"), member("west", "east")], renew=True)["refusals"] == []


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
    "mode": ([member("east", mode="dedicated"), member("west")], "east has the mode 'dedicated' and west 'hosted'"),
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


@pytest.mark.parametrize(
    ("what", "called"), [("mesh_id", "mesh_name"), ("network", "mesh_network"), ("cluster_name", "the cluster name")]
)
def test_a_name_that_cannot_be_a_label(what: str, called: str) -> None:
    fits: dict[str, Any] = {what: "Shop_1.east"}
    assert refusals(member("east", **fits)) == []
    (said,) = refusals(member("east", **{**fits, what: "two words"}))
    assert said.startswith(f"east has {called} 'two words', and Istio makes a label of it (at most 63")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("west.example.com", "it becomes a part of names of objects: at most 63 lower-case letters"),
        ("West_1", "it becomes a part of names of objects"),
        ("", "it becomes a part of names of objects"),
        ("far-token-renewal", "while a token is renewed, istiod reads far by that name"),
    ],
)
def test_a_label_that_cannot_be_the_name_of_a_cluster_that_others_read(name: str, why: str) -> None:
    """Alone it may be called so; the module that registers it would refuse it when all else is written."""
    west = member("west", cluster_name=name)
    assert refusals(west) == []
    (said,) = refusals(member("east"), west)
    told = f"west has the cluster name '{name}', which cannot be the name of a cluster that others read"
    assert said.startswith(f"{told}, or that reads others: {why}")
    assert said.endswith(": set mesh_cluster_name")
    unread = [
        member("east", network="one", gateways={"door": "door"}),
        replace(west, network="two", gateways={"door": "door"}),
    ]
    apart = mesh_plan(unread, [["one"], ["two"]])
    assert (apart["pairs"], apart["refusals"]) == ([], []), "nobody reads it"


@pytest.mark.parametrize(
    ("more", "name"), [({"ours": False}, "istio-remote-secret-west"), ({"name": "by-hand", "ours": False}, "by-hand")]
)
def test_a_cluster_that_is_read_by_a_secret_of_somebody_else(more: dict[str, Any], name: str) -> None:
    """The module that registers it would refuse it when all else is written."""
    east, west = member("east"), member("west", "east")
    rows = [{**secret("west"), **more}]
    read = replace(east, found={**east.found, "clusters": {"uid": "east", "remote_secrets": rows}})
    (said,) = refusals(read, west)
    assert said.startswith(f"east reads west already by the Secret istio-system/{name}, which is not made by")
    assert refusals(member("east", "west"), west) == []


def test_the_name_of_a_cluster_that_only_reads() -> None:
    remote = member("west", role="remote")
    (said,) = refusals(member("east", cluster_name="East", gateways={"door": "door"}), remote)
    assert said.startswith("east has the cluster name 'East'")
    assert refusals(member("east", cluster_name="far-token-renewal", gateways={"door": "door"}), remote) == []


def test_a_cluster_that_is_installed_otherwise() -> None:
    planes = {"control_planes": [PLANE], "mesh_id": "shop", "cluster_name": "Kubernetes", "network": "one"}
    other = member("west")
    installed = Member(**{**vars(other), "found": {**other.found, **planes}})
    (said,) = refusals(member("east"), installed)
    assert said.startswith("west is installed with the cluster name 'Kubernetes', and the inventory says 'west'")
    trusting = replace(other, found={**other.found, **planes, "cluster_name": "west", "trust_domain": "old.example"})
    (said,) = refusals(member("east"), trusting)
    assert said.startswith("west is installed with the trust domain 'old.example', and the inventory says 'cluster.l")
    assert refusals(*(replace(one, trust_domain="old.example") for one in (member("east"), trusting))) == []
    others = {**PLANE, "namespace": "istio-of-others", "revision": "theirs"}
    another = replace(installed, found={**installed.found, "control_planes": [others]})
    assert refusals(member("east"), another) == []
    (said,) = refusals(member("east"), replace(another, revision="theirs"))
    assert said.startswith("west has the control plane of revision theirs in istio-of-others, and mesh_root_namespace")


def served(host: str, version: str = "1.29.1", namespace: str = "istio-system", **more: Any) -> Member:
    """A cluster in which the charts of a remote one are, as they were told."""
    row = {"namespace": namespace, "revision": "default", "primary": "east", "version": version}
    told = {"mesh_id": "shop", "cluster_name": "west", "network": "one"}
    found = {**member(host).found, **told, "served_by": [row], "control_planes": []}
    return member(host, **{"role": "remote", "found": found, **more})


EAST = member("east", gateways={"eastwest": "eastwest"})


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"cluster_name": "far"}, "west is installed with the cluster name 'west', and the inventory says 'far': let"),
        (
            {"network": "two", "gateways": {"door": "door"}},
            "west is installed with the network 'one', and the inventory says",
        ),
    ],
)
def test_a_remote_cluster_keeps_its_names_until_it_has_left(more: dict[str, Any], said: str) -> None:
    plan = mesh_plan([EAST, served("west", **more)])
    assert [line.startswith(said) for line in plan["refusals"]] == [True], plan["refusals"]
    assert "(playbook unregister)" in plan["refusals"][0]


def test_a_remote_cluster_of_which_nothing_is_recorded_is_not_compared() -> None:
    """Helm has installed it, its charts are half there, or they are those of another mesh."""
    for one in (served("far", version=""), served("far", namespace="istio-of-others"), member("far", role="remote")):
        assert refusals(EAST, one) == []
    assert refusals(EAST, served("west")) == []


def test_a_part_in_the_mesh_is_not_changed_by_the_inventory_alone() -> None:
    planes = {"control_planes": [PLANE]}
    told = {"mesh_id": "shop", "cluster_name": "west", "network": "one"}
    remote = member("west", role="remote", found={**member("west").found, **told, **planes})
    (said,) = refusals(EAST, remote)
    assert said.startswith("west has the mesh_cluster_role remote, and runs a control plane of its own in istio-system")
    elsewhere = {"control_planes": [{"namespace": "istio-of-others", "name": "istiod", "revision": "theirs"}]}
    assert refusals(EAST, replace(remote, found={**remote.found, **elsewhere})) == []
    (said,) = refusals(EAST, served("west", role="primary"))
    assert said.startswith("west has the mesh_cluster_role primary, and its namespace istio-system says that the")
    assert refusals(EAST, served("west", role="primary", namespace="istio-of-others")) == []


def test_who_is_in_no_group_together_does_not_read_each_other() -> None:
    members = [inside(name, name, gateways={"eastwest": "eastwest"}) for name in ("east", "west", "south")]
    plan = mesh_plan(members, [["east", "west"], ["west", "south"]])
    assert {(pair["primary"], pair["cluster"]) for pair in plan["pairs"]} == {
        ("east", "west"),
        ("west", "east"),
        ("west", "south"),
        ("south", "west"),
    }
    assert len(mesh_plan(members)["pairs"]) == 6
    named = mesh_plan(members, [["east", "wets"]])["refusals"]
    assert "names the network 'wets' (did you mean 'west'?), in which no cluster is" in named[0]


def test_a_secret_across_groups_ends() -> None:
    members = [member("east", "west", network="east"), member("west", network="west")]
    plan = mesh_plan(members, [["east"]])
    (row,) = plan["ending"]
    assert (row["reader"], row["host"], row["cluster"], row["state"]) == ("east", "west", "west", "ending")
    assert (row["config"], row["ours"], plan["pairs"], plan["left_over"]) == (False, True, [], [])
    assert mesh_plan(members)["ending"] == []


def test_a_remote_cluster_that_its_control_plane_would_not_read() -> None:
    members = [
        inside("east", "one", gateways={"door": "door"}),
        inside("west", "two", gateways={"door": "door"}, role="remote"),
    ]
    (said,) = mesh_plan(members, [["one"], ["two"]])["refusals"]
    assert said.startswith("west is in the network 'two' and is served by east, whose network 'one' is in no group")
    assert mesh_plan(members, [["one", "two"]])["refusals"] == []


OPENED: dict[str, tuple[Member, list[str]]] = {
    "described": (inside("west", "two", gateways={"eastwest": "eastwest"}), []),
    "given": (inside("west", "two", addresses=[{"address": "203.0.113.9", "port": 443}]), ["203.0.113.9:443"]),
    "there": (inside("west", "two", door("two", "203.0.113.8")), ["203.0.113.8:15443"]),
    "by nodes": (inside("west", "two", door("two", by_nodes=True)), []),
}


@pytest.mark.parametrize("case", OPENED)
def test_a_network_that_can_be_entered(case: str) -> None:
    other, addresses = OPENED[case]
    plan = mesh_plan([inside("east", "one", gateways={"eastwest": "eastwest"}), other])
    assert plan["refusals"] == []
    assert [row["addresses"] for row in plan["networks"]] == [[], addresses]


def test_a_network_that_nobody_can_enter_is_refused() -> None:
    members = [
        inside("east", "one", gateways={"eastwest": "eastwest"}),
        inside("west", "two", door("three", "203.0.113.8")),
    ]
    (said,) = mesh_plan(members)["refusals"]
    assert said.startswith("west: the network 'two' has no east-west gateway")
    assert mesh_plan(members, [["one"]])["refusals"] == []


def test_nobody_is_joined_to_whom_nothing_leads_yet() -> None:
    east = inside("east", "one", gateways={"eastwest": "eastwest"}, addresses=[{"address": "203.0.113.1"}])
    west = inside("west", "two", gateways={"eastwest": "eastwest"})
    (said,) = mesh_plan([east, west], step="join")["refusals"]
    assert said.startswith("east would read west, and nothing leads into its network 'two' yet: its east-west gateway")
    assert "run the playbook mesh" in said
    assert mesh_plan([east, west])["refusals"] == [], "gateways come after"
    assert mesh_plan([east, inside("west", "two", door("two", "203.0.113.8"))], step="join")["refusals"] == []


def test_a_closed_network_is_in_nobodys_way_who_is_told_of_it_already_or_never() -> None:
    west = member("west", network="two", gateways={"eastwest": "eastwest"})
    given: dict[str, Any] = {"addresses": [{"address": "203.0.113.1"}]}
    assert mesh_plan([member("east", "west", **given), west], step="join")["refusals"] == [], "it is read already"
    assert mesh_plan([member("east", **given), west], [["one"], ["two"]], step="join")["refusals"] == []
    near = [member(name, network="two", gateways={"eastwest": "eastwest"}) for name in ("west", "south")]
    assert mesh_plan(near, step="join")["refusals"] == [], "Pods of one network need no door"


def test_a_control_plane_elsewhere_tells_those_that_it_serves() -> None:
    east = inside("east", "one", door("one", "203.0.113.1"))
    far = inside("far", "two", gateways={"eastwest": "eastwest"}, role="remote")
    said, _not_installed = mesh_plan([east, far], step="join")["refusals"]
    assert said.startswith("east would read far, and nothing leads into its network 'two' yet")
    others = [
        member("east", role="remote", config=True),
        member("far", role="remote", network="two", gateways={"d": "d"}),
    ]
    told: list[str] = mesh_plan([external(), *others], step="join")["refusals"]
    assert [line for line in told if "would read east" in line] == []
    assert [line for line in told if line.startswith("ops would read far, and nothing leads into")] != []


def test_pods_of_one_network_have_addresses_of_their_own() -> None:
    members = [
        inside("east", "one", ranges=("10.1.0.0/16", "fd00::/64")),
        inside("west", "one", ranges=("10.1.3.0/24",)),
    ]
    (said,) = mesh_plan(members)["refusals"]
    assert said.startswith("east and west are in the network 'one' and both have Pods in 10.1.0.0/16")
    assert refusals(*(replace(one, pod_ranges=False) for one in members)) == []


def test_control_planes_are_told_of_given_addresses_alone() -> None:
    hosts: list[dict[str, Any]] = [
        {"inventory_hostname": "east", "mesh_network": "one"},
        {"inventory_hostname": "west", "mesh_network": "two", "mesh_cluster_name": "west-1"},
        {"inventory_hostname": "far", "mesh_network": "two"},
    ]
    assert mesh_networks(hosts) == {}
    hosts[1]["mesh_clusters_gateway_addresses"] = [{"address": "203.0.113.9", "port": "443"}]
    registries = [{"fromRegistry": "far"}, {"fromRegistry": "west-1"}]
    told = {"two": {"endpoints": registries, "gateways": [{"address": "203.0.113.9", "port": 443}]}}
    assert mesh_networks(hosts) == {"istiod": {"global": {"meshNetworks": told}}}
    door = [{"address": "203.0.113.1"}]
    hosts.append(
        {"inventory_hostname": "ops", "mesh_cluster_role": "external", "mesh_clusters_gateway_addresses": door}
    )
    assert mesh_networks(hosts) == {"istiod": {"global": {"meshNetworks": told}}}, "it leads to a control plane alone"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"port": 443}, "it has no 'address': {'port': 443}"),
        ("203.0.113.9", "it has no 'address': 203.0.113.9"),
        ({"address": "203.0.113.9", "port": "https"}, "'https' is no port"),
    ],
)
def test_an_address_that_leads_nowhere_is_named_with_its_host(row: Any, why: str) -> None:
    host = {"inventory_hostname": "west", "mesh_network": "two", "mesh_clusters_gateway_addresses": [row]}
    with pytest.raises(InvalidAddress) as refused:
        mesh_networks([host])
    assert str(refused.value).startswith(f"An entry of mesh_clusters_gateway_addresses of west leads nowhere: {why}")
    assert "address: 203.0.113.7" in refused.value.hint
    with pytest.raises(InvalidAddress, match="of west leads nowhere"):
        mesh_plan([member("east"), member("west", addresses=[row])])


def test_clusters_that_are_read_at_one_address_are_refused() -> None:
    """Their certificates may be of one CA, and then a registration alone would find out."""
    there = [member(host, server="https://203.0.113.7:6443") for host in ("east", "west")]
    told = (
        "east and west have one address for their API servers (https://203.0.113.7:6443): correct mesh_clusters_server"
    )
    assert mesh_plan(there)["refusals"] == [told]
    assert mesh_plan([replace(there[0], server="https://203.0.113.8:6443"), there[1]])["refusals"] == []


def test_whoever_is_read_at_another_address_by_now_is_told() -> None:
    """It is asked there before anything is written."""
    west = member("west", "east")
    for server, moves in (("", False), ("https://west:6443", False), ("https://203.0.113.7:6443", True)):
        pairs = mesh_plan([member("east", "west"), replace(west, server=server)])["pairs"]
        assert {pair["cluster"]: pair["moves"] for pair in pairs} == {"west": moves, "east": False}


def test_a_remote_cluster_is_served_by_its_primary_and_read_by_the_others() -> None:
    members = [member(name, gateways={"eastwest": "eastwest"}) for name in ("east", "west")]
    plan = mesh_plan([*members, member("far", role="remote", primary="west"), member("near", role="remote")])
    assert plan["refusals"] == []
    assert [(pair["reader"], pair["host"]) for pair in plan["pairs"] if pair["serves"]] == [
        ("east", "near"),
        ("west", "far"),
    ]


def test_a_remote_cluster_has_to_reach_its_control_plane() -> None:
    (said,) = refusals(member("east"), member("west", role="remote"))
    assert said.startswith("west is served by east, which has no east-west gateway")
    (said,) = refusals(
        member("east", gateways={"eastwest": "eastwest"}), member("west", role="remote", primary="north")
    )
    assert said.startswith("west is to be served by north, which is no primary")
    cut = [member("east", gateways={"eastwest": "eastwest"}), member("west", role="remote", primary="north")]
    (said,) = mesh_plan(cut, cut_off=[member("north")])["refusals"]
    assert said == "west is served by north, which is not in this run (--limit): run it for both"


def test_the_door_of_another_cluster_leads_to_another_control_plane() -> None:
    there = {"uid": "west", "gateways": [door("one", "203.0.113.8")], "remote_secrets": []}
    members = [member("east"), member("west", found={"trust": trust(ROOT), "clusters": there})]
    (said,) = refusals(*members, member("far", role="remote", primary="east"))
    assert said.startswith("far is served by east, which has no east-west gateway")
    assert refusals(*members, member("far", role="remote", primary="west")) == []


DOORS = {"eastwest": "eastwest"}


def served_far(by: str, **more: Any) -> Member:
    row = {"primary": by, "namespace": "istio-system", "version": "", "revision": ""}
    return member("far", role="remote", found={"trust": trust(ROOT), "served_by": [row]}, **more)


def served_by(plan: dict[str, Any]) -> dict[str, str]:
    told: dict[str, str] = plan["serving"]
    return told


def test_a_remote_cluster_keeps_its_control_plane_until_another_one_is_named() -> None:
    """A run for some, or another order of the inventory, moves nobody."""
    east, west = (member(name, gateways=DOORS) for name in ("east", "west"))
    for members in ([east, west, served_far("east")], [west, east, served_far("east")]):
        plan = mesh_plan(members)
        assert (plan["refusals"], served_by(plan)) == ([], {"far": "east"})
    (said,) = refusals(west, served_far("east"))
    assert said.startswith("far is served by the control plane of east, which is not in this run: run it for the whole")
    assert served_by(mesh_plan([west, served_far("east")])) == {}
    assert mesh_plan([west, served_far("east")], step="join")["refusals"] == [], "who reads it does not serve it"
    renamed = replace(west, found={**west.found, "cluster_name": "former"})
    for names, whose in {"east,west": "west", "*": "west", "former": "west"}.items():
        plan = mesh_plan([renamed, east, served_far(names)])
        assert ([row for row in plan["refusals"] if row.startswith("far")], served_by(plan)) == ([], {"far": whose})


def test_a_remote_cluster_is_moved_by_what_installs_it_alone() -> None:
    members = [member("east", gateways=DOORS), member("west", gateways=DOORS), served_far("east", primary="west")]
    for step, whose in {"install": "west", "open": "west", "join": "east", "rotate": "east"}.items():
        plan = mesh_plan(members, step=step)
        assert (plan["refusals"], served_by(plan)) == ([], {"far": whose})
        assert [pair["reader"] for pair in plan["pairs"] if pair["serves"]] == [whose]
        assert [pair["reader"] for pair in plan["pairs"] if pair["serves_now"]] == ["east"], "it keeps its rights"


def test_a_remote_cluster_that_is_reached_otherwise_needs_no_gateway_of_its_primary() -> None:
    far = member("far", role="remote", remote={"address": "203.0.113.9"})
    plan = mesh_plan([member("east"), member("west"), far])
    assert (plan["refusals"], plan["serving"]) == ([], {"far": "east"})
    named = replace(far, remote={**far.remote, "primary": "west"})
    assert mesh_plan([member("east"), member("west"), named])["serving"] == {"far": "west"}
    (said,) = refusals(member("east"), named)
    assert said.startswith("far is to be served by west, which is no primary")


def test_a_remote_cluster_is_in_the_namespace_of_its_control_plane() -> None:
    far = member("far", role="remote", namespace="istio-far", found={"trust": [], "clusters": {"uid": "far"}})
    (said,) = refusals(member("east", gateways=DOORS), far)
    assert said.startswith("far has mesh_root_namespace istio-far, and is served by the control plane of east in istio")


def test_a_remote_cluster_belongs_to_a_hosted_mesh() -> None:
    members = [member("east", gateways=DOORS, mode="dedicated"), member("far", role="remote", mode="dedicated")]
    (said,) = refusals(*members)
    assert said.startswith("far has the mesh_cluster_role remote, and mesh_mode 'dedicated'")
    assert mesh_plan(members, step="rotate")["refusals"] == [], "nothing is installed"


def test_who_is_read_at_once_has_been_installed() -> None:
    far = member("far", role="remote")
    (said,) = mesh_plan([member("east", gateways=DOORS), far], step="join")["refusals"]
    assert said.startswith("far has no webhook in istio-system that would ask a control plane elsewhere")


def test_what_a_limit_leaves_out_is_said_so() -> None:
    east, far = member("east", network="one"), member("far", role="remote")
    (said,) = mesh_plan([far], cut_off=[east])["refusals"]
    assert said == "far would be served by east, and no control plane is in this run (--limit): run it for both"
    ops, config = external(), member("config", **CONFIG)
    (said,) = mesh_plan([ops, member("west", role="remote", network="elsewhere")], cut_off=[config])["refusals"]
    assert said.startswith("config has the configuration of the external control plane of ops, and is not in this run")
    both = [["one"], ["two"]]
    members = [member("west", network="one", gateways=DOORS, groups=both)]
    assert mesh_plan(members, both, cut_off=[member("south", network="two")])["refusals"] == []
    assert len(mesh_plan(members, both)["refusals"]) == 1


def test_all_clusters_have_the_same_groups() -> None:
    """The plan is made by those of one host, whichever comes first."""
    one, other = (member(name, groups=groups) for name, groups in {"east": [["b", "a"], ["c"]], "west": []}.items())
    assert refusals(one, replace(other, groups=[["c"], ["a", "b"]])) == []
    (said,) = refusals(one, other)
    assert said.startswith("east has the mesh_clusters_groups '[['a', 'b'], ['c']]' and west '[]'")


def test_gateways_are_selected_by_the_label_of_their_pods() -> None:
    """Of several clusters whose gateways have one name, each takes its own label; the inventory knows what comes."""
    by_hand = {**door("east", "203.0.113.9"), "name": "by-hand", "istio_label": "hand"}
    old = {**door("east", "203.0.113.8"), "istio_label": "old"}
    east = inside("east", "east", by_hand, old, gateways={"eastwest": "own"})
    west = inside("west", "west", gateways={"eastwest": "west-door"})
    plan = mesh_plan([east, west])
    assert plan["refusals"] == []
    assert plan["labels"] == {
        "east": {"by-hand": "hand", "eastwest": "own"},
        "west": {"by-hand": "hand", "eastwest": "west-door"},
    }
    far = inside("far", "far", role="remote", gateways={"eastwest": "far-door"})
    (said,) = refusals(east, far)
    assert said.startswith("far and east have an east-west gateway 'eastwest' each, with the labels 'istio: far-door'")
    assert refusals(east, replace(far, gateways={"eastwest": "own"})) == []
    assert refusals(east, replace(far, network="east")) == [], "no gateway of theirs is selected by it"
    other_mesh = {**door("elsewhere", "203.0.113.7"), "istio_label": "theirs"}
    assert refusals(east, inside("far", "far", other_mesh, role="remote", gateways={"inner": "inner"})) == []
    assert mesh_plan([east, west, replace(far, primary="west")])["labels"].keys() == {"east", "west"}


def test_a_door_that_is_about_to_go_opens_nothing() -> None:
    going = [{"namespace": "istio-eastwest", "name": "eastwest"}]
    east, west = (inside(name, name, door(name, "203.0.113.8")) for name in ("east", "west"))
    assert refusals(east, west) == []
    (said,) = refusals(east, replace(west, closing=going))
    assert said.startswith("west: the network 'west' has no east-west gateway")
    assert refusals(east, replace(west, closing=going, gateways={"new": "new"})) == []
    assert mesh_plan([east, replace(west, closing=going)], step="rotate")["refusals"] == []
    (said,) = refusals(replace(east, closing=going), member("far", role="remote", network="east"))
    assert "which has no east-west gateway" in said


def external(**more: Any) -> Member:
    return member("ops", role="external", network="elsewhere", **more)


CONFIG: dict[str, Any] = {"role": "remote", "config": True, "above": ROOT}


def test_an_external_control_plane_reads_all_and_has_its_configuration_from_one() -> None:
    plan = mesh_plan([external(), member("east", **CONFIG), member("west", role="remote")])
    assert (plan["topology"], plan["refusals"]) == ("1 external control plane, 2 remote, one network", [])
    told = [(pair["reader"], pair["cluster"], pair["serves"], pair["config"]) for pair in plan["pairs"]]
    assert told == [("ops", "east", True, True), ("ops", "west", True, False)]
    assert [door["hosts"] for door in plan["networks"]] == [["east", "west"]], "no Pod of its own is in the mesh"


def test_an_external_control_plane_bears_the_name_of_its_configurations_cluster() -> None:
    found = {
        "control_planes": [PLANE],
        "mesh_id": "shop",
        "cluster_name": "east",
        "network": "one",
        "trust": trust(ROOT),
    }
    assert refusals(external(found=found), member("east", **CONFIG)) == []
    other = {**found, "cluster_name": "west"}
    refused = refusals(external(found=other), member("east", **CONFIG))
    assert ["ops is installed with the cluster name 'west', and the inventory says 'east'" in refused[0]] == [True]


MISPLACED: dict[str, tuple[list[Member], str]] = {
    "two": ([external(), member("east", **CONFIG), member("west", **CONFIG)], "east and west are both to have"),
    "none": ([external(), member("east", role="remote")], "no cluster has its configuration: set mesh_cluster_config"),
    "a primary": ([member("east", config=True), member("west")], "east has mesh_cluster_config, which is for a remote"),
    "nobody's": (
        [member("east", gateways={"door": "door"}), member("west", **CONFIG)],
        "west has mesh_cluster_config, which",
    ),
    "beside": ([external(), member("east", **CONFIG), member("west")], "ops and west have control planes"),
    "places": ([external(namespace="mesh"), member("east", **CONFIG)], "the namespace mesh, and east has"),
}


@pytest.mark.parametrize("case", MISPLACED)
def test_what_an_external_control_plane_cannot_be_beside(case: str) -> None:
    members, message = MISPLACED[case]
    assert [message in line for line in refusals(*members)] == [True]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"host": "a"}, "cluster 1 of the list lacks cluster_name; a cluster has addresses, "),
        ({"cluster_name": "a", "rule": "remote"}, "cluster 1 of the list lacks host and has rule; a cluster has "),
    ],
)
def test_a_row_that_is_no_cluster_is_told(row: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        members_of([{"host": "b", "cluster_name": "b"}, row])


def to_come(host: str, above: Authority | None = None, **more: Any) -> Member:
    """A cluster without certificates, before it gets them by a root that is there, or by one that is made then."""
    there = [cacerts(above.issues("signer", NOW + YEAR), above)] if above else []
    found = {"trust": [{"namespace": "istio-system", **trust_of([]).told(NOW)}], "clusters": {"uid": host}}
    return member(host, found=found, **{"signing": trust_of(there).told(NOW), "root_file": "root.pem", **more})


TO_COME: dict[str, tuple[list[Member], str]] = {
    "a root that is there": ([to_come("east", ROOT), member("west")], ""),
    "a new root for all": ([to_come("east"), to_come("west", root_file="./root.pem")], ""),
    "one primary": (
        [to_come("east", signing={}, gateways={"door": "door"}), member("west", role="remote")],
        "",
    ),
    "two new roots": ([to_come("east"), to_come("west", root_file="b.pem")], "east would get a new root in root.pem"),
    "a new one beside one": ([to_come("east"), member("west")], "east would get a new root, as there is no file root"),
    "another root": ([to_come("east", OTHER), member("west")], "east and west do not trust each other"),
    "no root": ([to_come("east", signing={}), to_come("west", signing={})], "east and west have no certificates, and"),
    "refused": ([to_come("east", ROOT), member("west", refused="no key")], "west: no key"),
}


@pytest.mark.parametrize("case", TO_COME)
def test_certificates_are_judged_before_they_are_written(case: str) -> None:
    members, message = TO_COME[case]
    said: list[str] = mesh_plan(members, step="install")["refusals"]
    assert [line.startswith(message) for line in said] == ([True] if message else []), said
