"""Several real clusters, one mesh, by the playbooks of a user: joined, asked across, renewed under traffic, left."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from integration.support import bed
from integration.support.meshes import ROUTER_PORT, SHOP, Changes, Meshes, cloud, route_in, shared
from integration.support.playbook import Played, Result, Runner
from integration.support.presence import presence
from integration.support.shapes import SHAPES, Shape

pytestmark = [pytest.mark.root, pytest.mark.slow]
WHOLE, ALONE = "A probe gets a sidecar, and that what it needs", "A Pod of this cluster would get a sidecar"
# A remote cluster asks once it has a control plane, and takes the probe away: a check has nobody to ask.
OF_A_PROBE = re.compile(r"(Deployment|Service) istio-system/mesh-probe-.*")
APPLICATION = {"Deployment shop/shop", "Deployment shop/client", "Service shop/shop"}


# `make campaign NAME=clusters` tries all shapes with three.
COUNT = int(os.environ.get("CLUSTERS", "2"))
CAMPAIGN = "CLUSTERS" in os.environ
TRIED = list(SHAPES) if CAMPAIGN else ["multi-primary on networks", "primary and remotes"]
# A bar where nothing else runs, as in a campaign; in the gate other tests run beside it.
MOST_SECONDS = 120.0 if CAMPAIGN else 300.0


@dataclass(frozen=True)
class Run:
    """A playbook, how many seconds it took, what it has persisted, and what of that it has created, by cluster."""

    played: Played
    seconds: float
    created: Mapping[str, set[str]]
    persisted: list[str]


@dataclass(frozen=True)
class Joined:
    """A mesh, and how it came to be."""

    meshes: Meshes
    shape: Shape
    remotes: list[str]
    before: Mapping[str, set[str]]
    check: Run
    run: Run
    again: Run

    @property
    def inside(self) -> list[str]:
        return self.shape.inside(self.meshes.clusters)

    def door(self, name: str) -> str:
        """What leads to a network of its own from the others."""
        port = self.meshes.node_port(name) if self.shape.cloud else self.shape.door
        return f"{self.meshes.clusters[name].gateway}:{port}"


@pytest.fixture(scope="module", params=TRIED)
def mesh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Joined]:
    """Empty clusters that one playbook has made a mesh of this shape."""
    folder, shape = tmp_path_factory.mktemp("clusters"), SHAPES[request.param]
    with bed.own_clusters(folder, COUNT, *shape.options) as several, cloud(several.clusters):
        meshes = Meshes(several, Runner(folder, within=("nsenter", f"--net={several.switch}")))
        if shape.door == ROUTER_PORT:
            route_in(several.clusters.values())
        meshes.describe({**shared(folder, several), **shape.shared}, shape.hosts(several.clusters))
        yield joined(meshes, shape)


def joined(meshes: Meshes, shape: Shape) -> Joined:
    changes, remotes = Changes(meshes.clusters), shape.remotes(meshes.clusters)
    before = {name: presence(cluster) for name, cluster in meshes.clusters.items()}
    check, run, again = (_timed(meshes, changes, *arguments) for arguments in (("--check",), (), ()))
    assert run.played.rc == 0, run.played.output
    for name in shape.without_configuration(meshes.clusters):
        meshes.deploy(name)
    meshes.await_application(shape.inside(meshes.clusters))
    return Joined(meshes, shape, remotes, before, check, run, again)


def _timed(meshes: Meshes, changes: Changes, *arguments: str) -> Run:
    begin = time.monotonic()
    played = meshes.play("mesh", *arguments)
    return Run(played, time.monotonic() - begin, changes.created(), changes.since())


def test_one_playbook_makes_them_one_mesh(mesh: Joined, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f" {mesh.run.seconds:.1f} s for {COUNT} clusters, {mesh.again.seconds:.1f} s again", end=" ")
    assert (mesh.check.played.rc, mesh.check.persisted) == (0, []), mesh.check.played.output
    assert len(mesh.run.persisted) > 15 * COUNT
    assert mesh.run.seconds < MOST_SECONDS


def test_a_check_before_it_tells_what_it_creates_and_nothing_else(mesh: Joined) -> None:
    made = {
        name: {what for what in found if not OF_A_PROBE.fullmatch(what)} for name, found in mesh.run.created.items()
    }
    planned = planned_in(mesh.meshes.clusters, mesh.check.played)
    assert all(len(found) > 5 for found in made.values()), made
    assert {name: made[name] - planned[name] for name in made} == {name: set() for name in made}
    assert set().union(*planned.values()) == set().union(*made.values())


def planned_in(clusters: Iterable[str], played: Played) -> dict[str, set[str]]:
    """What would be created in each cluster. A task about two clusters does not say in which of them."""
    names = list(clusters)
    found: dict[str, set[str]] = {name: set() for name in names}
    for result in played.results:
        host = names[int(result.host.removeprefix("host"))]
        for told in (result.data, *result.data.get("results", [])):
            rows = [row for row in told.get("plan", []) if row["action"] == "create"]
            made = {f"{row['kind']} {row['namespace']}/{row['name']}" for row in rows}
            for name in (told["primary"], told["cluster"]) if "primary" in told else (host,):
                found[name] |= made
    return found


def test_remote_clusters_ask_their_control_plane_once(mesh: Joined) -> None:
    """With all that a Pod needs; later for an injection alone, which persists nothing."""
    runs = (mesh.check, mesh.run, mesh.again)
    asked = {task: [_hosts_that_have_done(task, run.played) for run in runs] for task in (WHOLE, ALONE)}
    remotes = len(mesh.remotes)
    assert asked == {WHOLE: [0, remotes, 0], ALONE: [0, 0, remotes]}
    assert_no_probe_is_left(mesh)


def test_a_way_that_was_not_seen_is_asked_again(mesh: Joined) -> None:
    """Until a Pod has been served by it: a run that has failed, or was cut off, must not be the last that looks."""
    for name in mesh.remotes[:1]:
        remote, within = mesh.meshes.clusters[name], ("-e", "mesh_clusters_probe_timeout=20")
        remote.kubectl("annotate", "configmap", "values", "-n", "istio-system", "service-mesh-istio/served-")
        with remote.shut_off(15012):
            refused = mesh.meshes.play("mesh", *within)
        assert refused.rc == 2, refused.output
        assert "does not serve a Pod of it" in refused.output
        assert_no_probe_is_left(mesh)
        changes = Changes(mesh.meshes.clusters)
        served, again = mesh.meshes.play("mesh", *within), mesh.meshes.play("mesh", *within)
        assert [_hosts_that_have_done(WHOLE, played) for played in (served, again)] == [1, 0], served.output
        assert (served.rc, again.rc) == (0, 0)
        assert "probe" in " ".join(changes.since())
        assert_no_probe_is_left(mesh)


def _hosts_that_have_done(task: str, played: Played) -> int:
    return sum(result.task.endswith(task) and result.status != "skipped" for result in played.results)


def test_the_second_run_persists_nothing(mesh: Joined) -> None:
    assert (mesh.again.played.rc, mesh.again.persisted) == (0, []), mesh.again.played.output


def test_every_cluster_reaches_the_pods_of_the_others(mesh: Joined) -> None:
    everybody = set(mesh.inside)
    for name in set(mesh.meshes.clusters) - set(mesh.remotes):
        assert mesh.meshes.read_by(name) == dict.fromkeys(everybody, "synced")
    for name in everybody:
        assert mesh.meshes.answered_by(name, everybody).keys() == everybody
        others = [other for other in mesh.meshes.clusters if other != name]
        doors = {mesh.door(other) for other in others} if mesh.shape.network == "separate" else set()
        found = mesh.meshes.endpoints(name)
        assert (len(found), found & doors) == (len(everybody), doors)


def test_a_playbook_says_that_they_reach_each_other(mesh: Joined) -> None:
    found = ways(mesh)
    assert {(way["from"], way["to"]) for way in found} == {*product(mesh.inside, repeat=2)}
    assert all(way["ok"] and way["answered"] == 3 and way["endpoints"] for way in found), found
    assert_no_probe_is_left(mesh)
    if mesh.remotes and not mesh.shape.is_external:
        assert_told_where_a_control_plane_is_not_reached(mesh)


def assert_told_where_a_control_plane_is_not_reached(mesh: Joined) -> None:
    """The gateway that leads to it does so for injection alone, for a moment."""
    primary = next(iter(mesh.meshes.clusters.values()))
    way = ("patch", "virtualservices.networking.istio.io", "istiod-eastwest", "-n", "istio-system", "--type=json", "-p")
    path = "/spec/tls/0/match/0/port"
    primary.kubectl(*way, json.dumps([{"op": "replace", "path": path, "value": 15999}]))
    try:
        played = mesh.meshes.play("connectivity", "-e", "mesh_clusters_probe_timeout=15")
    finally:
        primary.kubectl(*way, json.dumps([{"op": "replace", "path": path, "value": 15012}]))
    assert played.rc == 2, played.output
    said = "its sidecar asks the control plane at istiod.istio-system.svc:15012, which is not reached there"
    assert said in played.output, played.output
    assert_no_probe_is_left(mesh)


def ways(mesh: Joined, *arguments: str) -> list[dict[str, Any]]:
    """What the playbook says of each way; it fails where one of them is not open."""
    played = mesh.meshes.play("connectivity", *arguments)
    (told,) = (
        result.data["ansible_facts"]["mesh_clusters_connectivity"] for result in played.results if _tells(result)
    )
    assert played.rc == (0 if all(way["ok"] for way in told) else 2), played.output
    return list(told)


def _tells(result: Result) -> bool:
    return "mesh_clusters_connectivity" in (result.data.get("ansible_facts") or {})


def assert_no_probe_is_left(mesh: Joined) -> None:
    for cluster in mesh.meshes.clusters.values():
        asked = ("get", "deployments,services,pods", "-A", "-l", "service-mesh-istio/probe", "-o", "name")
        assert cluster.kubectl(*asked) == ""


def test_new_tokens_fail_no_request(mesh: Joined) -> None:
    """Nor any to Pods that one cluster alone has. The old ones are refused afterwards."""
    *_others, last = mesh.inside
    old = mesh.meshes.tokens()
    with mesh.meshes.only_in(last, mesh.inside) as elsewhere:
        for name in mesh.inside:
            assert mesh.meshes.answered_by(name, {last}, elsewhere).keys() == {last}
        with mesh.meshes.under_traffic(*mesh.inside, urls=(SHOP, elsewhere)) as seen:
            done = mesh.meshes.play("rotate_remote_secrets")
    assert done.rc == 0, done.output
    assert {name: one.failed for name, one in seen.items()} == {name: {} for name in seen}, [
        one.lines for one in seen.values()
    ]
    assert all(one.statuses["200"] > 100 for one in seen.values())
    new = mesh.meshes.tokens()
    assert old
    assert len(old) == len(new) == len(old | new) / 2
    assert all(mesh.meshes.refuses(name, token) for name, token in old)
    assert not any(mesh.meshes.refuses(name, token, within=0) for name, token in new)
    assert mesh.meshes.configuration_arrives(mesh.inside[0]), "an external istiod reads it by a new token as well"
    test_every_cluster_reaches_the_pods_of_the_others(mesh)


def test_who_leaves_is_nowhere_any_more(mesh: Joined) -> None:
    """The first as it is; the next, or the first in a mesh that all serve, when its API server is gone for good.

    A remote cluster that has left has nothing of the mesh any more.
    """
    names, first = list(mesh.meshes.clusters), mesh.shape.stays
    for number in range(first, COUNT):
        gone = number == first + 1 or not (mesh.remotes or COUNT > 2)
        kept = {*names[:first], *names[number + 1 :]}
        stay = kept.intersection(mesh.inside)
        if gone:
            mesh.meshes.clusters[names[number]].stop_answering()
        elif mesh.remotes:
            refused(mesh, number)
            mesh.meshes.switch_off(names[number], stay, doors=mesh.shape.network == "separate")
        with mesh.meshes.under_traffic(*stay) as seen:
            left = unregistered(mesh, number)
            for name in stay:
                assert mesh.meshes.answered_by(name, stay).keys() == stay
        assert left.rc == 0, left.output
        assert {name: one.failed for name, one in seen.items()} == {name: {} for name in stay}, [*seen.values()]
        assert all(one.statuses["200"] > 100 for one in seen.values()), [*seen.values()]
        nowhere(mesh, names[number], kept)
        if mesh.remotes and not gone:
            there = presence(mesh.meshes.clusters[names[number]])
            assert there - mesh.before[names[number]] == APPLICATION
        said = "was not asked" if gone else "has left shop: nothing of it is left in "
        assert f"host{number} {said}" in left.output


def unregistered(mesh: Joined, last: int, *arguments: str) -> Played:
    """Those up to this one leave; the ones that have left already leave again."""
    leaving = {"mesh_clusters_leaving": [f"host{number}" for number in range(mesh.shape.stays, last + 1)]}
    unreachable = {"mesh_clusters_unreachable": True}
    return mesh.meshes.play("unregister", "-e", json.dumps({**leaving, **unreachable}), *arguments)


def refused(mesh: Joined, last: int) -> None:
    """While its Pods would lose their control plane."""
    changes = Changes(mesh.meshes.clusters)
    played = unregistered(mesh, last)
    assert (played.rc, changes.since()) == (2, []), played.output
    assert "Pods still have a proxy of this control plane [sidecars_left, 2]" in played.output


def nowhere(mesh: Joined, leaving: str, kept: set[str]) -> None:
    """In no cluster that stays, nor in its istiod."""
    stay = kept.intersection(mesh.inside)
    for name in kept:
        own = mesh.meshes.clusters[name]
        assert {what for what in presence(own) if re.search(rf"\b{leaving}\b", what)} == set()
        if name not in mesh.remotes:
            assert mesh.meshes.read_by(name) == dict.fromkeys(stay, "synced")
    assert {name: len(mesh.meshes.endpoints(name)) for name in stay} == dict.fromkeys(stay, len(stay))
