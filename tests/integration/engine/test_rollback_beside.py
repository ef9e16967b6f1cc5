"""A roll-back while others write: a status is no hindrance, what others have changed stays and is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict, Failure
from faults import FAULTS, Proxy, Rule
from faults.catalogue import WRITES, Answer, Fault
from integration.engine.driver import Engine, Object, config_map, state, virtual_service
from integration.engine.test_rollback import REFUSED, deployment, differing
from integration.support.bed import Cluster

pytestmark = pytest.mark.usefixtures("crds")
KINDS = "configmaps,deployments,virtualservices"
METADATA = itemgetter("metadata")
# Deletions come last: whatever else is written has been written when this one is refused.
FAILS = Rule(REFUSED, verb="delete", dry_run=False, path="configmaps/old")


@dataclass
class World:
    """A namespace with an object of each kind, and an engine whose runs fail at their end."""

    cluster: Cluster
    proxy: Proxy
    namespace: str

    def before(self) -> list[Object]:
        place = self.namespace
        return [
            config_map("changed", place, a="1"),
            config_map("old", place, a="1"),
            deployment(place, "example.com/web:1"),
            virtual_service("changed", place, "before"),
        ]

    def after(self) -> list[Object]:
        place = self.namespace
        return [
            config_map("changed", place, a="2"),
            config_map("new", place, a="1"),
            deployment(place, "example.com/web:2"),
            virtual_service("changed", place, "after"),
        ]

    def state(self) -> dict[str, Object]:
        return state(self.cluster, self.namespace, KINDS)

    def fail(self, before_write: Callable[[], None], *rules: Rule, first: Sequence[Rule] = (FAILS,)) -> Failure:
        """What comes of a run that fails at its last write, at the latest."""
        self.proxy.play([*first, *rules])
        engine = replace(Engine(self.proxy.kubeconfig), before_write=before_write)
        with pytest.raises(Failure) as raised:
            engine.run(self.after(), [config_map("old", self.namespace)])
        return raised.value

    def patch(self, name: str) -> None:
        self.cluster.patch("configmap", name, self.namespace, {"data": {"urgent": "yes"}})


@pytest.fixture
def world(cluster: Cluster, namespace: str) -> Iterator[World]:
    with Proxy(cluster) as proxy:
        made = World(cluster, proxy, namespace)
        Engine(proxy.kubeconfig).run(made.before())
        cluster.patch("configmap", "changed", namespace, {"data": {"b": "by hand"}})
        yield made


class Once:
    """A hook that does something before the first write; writes that run in parallel wait for it."""

    def __init__(self, act: Callable[[], None]) -> None:
        self.act, self.called, self.lock = act, False, threading.Lock()

    def __call__(self) -> None:
        with self.lock:
            if not self.called:
                self.called = True
                self.act()


def not_restored(failure: Failure) -> str:
    return failure.hint.partition("Not restored: ")[2]


@pytest.mark.parametrize("fault", ["409", "500", "reset_before", "reset_after"])
def test_managers_come_back_although_their_write_fails_at_first(world: World, fault: str) -> None:
    """The second PUT is the one for ownership: the content is as it was by then."""
    was = world.state()
    rule = Rule(FAULTS[fault], verb="update", path="configmaps/changed", nth=range(2, 6))
    failure = world.fail(lambda: None, rule)
    assert len([entry for entry in world.proxy.injected if entry.what == fault]) >= 3
    assert differing(was, world.state()) == []
    assert not_restored(failure) == ""


def test_managers_that_do_not_come_back_are_named(world: World) -> None:
    rule = Rule(FAULTS["409"], verb="update", path="configmaps/changed", nth=range(2, 99))
    failure = world.fail(lambda: None, rule)
    assert f"ConfigMap {world.namespace}/changed" in not_restored(failure)


def test_status_written_in_between_is_no_hindrance(world: World) -> None:
    was, place = world.state(), ("-n", world.namespace, "--subresource=status", "--type=merge", "-p")
    revision = '{"metadata": {"annotations": {"deployment.kubernetes.io/revision": "7"}}, "status": {"replicas": 0'
    written: list[str] = []

    def controllers_write() -> None:
        """The last of what is written is the VirtualService; before the deletion, and the roll-back, they see it."""
        changed = world.cluster.get("virtualservice", "changed", world.namespace)
        if changed["spec"]["hosts"] == ["after"] and not written:
            for_web = f'{revision}, "observedGeneration": 2}}}}'
            written.append(world.cluster.kubectl("patch", "deployment", "web", *place, for_web))
            status = '{"status": {"observedGeneration": "2"}}'
            written.append(world.cluster.kubectl("patch", "virtualservice", "changed", *place, status))

    failure = world.fail(controllers_write)
    assert len(written) == 2
    assert not_restored(failure) == ""
    assert differing(was, world.state()) == []


def test_what_somebody_changed_after_the_plan_is_left_and_named(world: World) -> None:
    was = world.state()
    failure = world.fail(Once(lambda: world.patch("changed")))
    left = f"ConfigMap {world.namespace}/changed (kubectl-patch wrote it as well, after this run had planned it)"
    assert left in not_restored(failure)
    now = world.state()
    assert differing(was, now) == ["ConfigMap changed"]
    assert now["ConfigMap changed"]["data"] == {"a": "2", "b": "by hand", "urgent": "yes"}


def test_what_somebody_created_after_the_plan_is_not_deleted(world: World) -> None:
    theirs = config_map("new", world.namespace, b="theirs")
    failure = world.fail(Once(lambda: world.cluster.apply(theirs)))
    assert f"ConfigMap {world.namespace}/new (kubectl wrote it as well" in not_restored(failure)
    assert world.cluster.get("configmap", "new", world.namespace)["data"]["b"] == "theirs"


class After:
    """A hook that does something once an object is there, before the next write; the last one is still to come."""

    def __init__(self, is_there: Callable[[], bool], act: Callable[[], None]) -> None:
        self.is_there, self.once = is_there, Once(act)

    def __call__(self) -> None:
        if self.once.called or self.is_there():
            self.once()


def test_what_somebody_wrote_to_what_we_created_is_left_and_named(world: World) -> None:
    was = world.state()
    names = partial(world.cluster.names, "virtualservices", world.namespace)
    failure = fail_with(world, After(lambda: "new" in names(), lambda: annotated(world)))
    left = f"VirtualService {world.namespace}/new (kubectl-patch wrote it as well, after this run had created it)"
    assert left in not_restored(failure)
    assert failure.changed
    now = world.state()
    assert differing(was, now) == ["VirtualService new"]
    assert now["VirtualService new"]["metadata"]["annotations"] == {"example.com/by": "hand"}


def annotated(world: World) -> None:
    change = {"metadata": {"annotations": {"example.com/by": "hand"}}}
    world.cluster.patch("virtualservice", "new", world.namespace, change)


def fail_with(world: World, before_write: Callable[[], None]) -> Failure:
    """A run that creates a VirtualService, and fails afterwards."""
    world.proxy.play([FAILS])
    engine = replace(Engine(world.proxy.kubeconfig), before_write=before_write)
    with pytest.raises(Failure) as raised:
        engine.run([virtual_service("new", world.namespace)], [config_map("old", world.namespace)])
    return raised.value


def test_what_controllers_write_to_what_we_created_is_no_hindrance(world: World) -> None:
    """A status, and a finalizer, which is there to be told of the end."""
    was, there = world.state(), partial(world.cluster.names, "virtualservices", world.namespace)

    def controllers_write() -> None:
        world.cluster.status("virtualservice", "new", world.namespace, {"observedGeneration": "2"})
        held = {"metadata": {"finalizers": ["example.com/held"]}}
        world.cluster.patch("virtualservice", "new", world.namespace, held)

    failure = fail_with(world, After(lambda: "new" in there(), controllers_write))
    assert (not_restored(failure), failure.changed) == ("", False)
    assert world.cluster.get("virtualservice", "new", world.namespace)["metadata"]["deletionTimestamp"]
    world.cluster.patch("virtualservice", "new", world.namespace, {"metadata": {"finalizers": None}})
    assert differing(was, world.state()) == []


@pytest.mark.parametrize("somebody_is_in_it", [True, False])
def test_a_namespace_that_we_created_goes_when_nothing_of_others_is_in_it(
    world: World, namespaces: list[str], somebody_is_in_it: bool
) -> None:
    place = f"{world.namespace}-new"
    namespaces.append(place)
    fresh: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}}

    def somebody_comes() -> None:
        if somebody_is_in_it:
            world.cluster.apply(config_map("theirs", place))

    there = partial(world.cluster.names, "configmaps", place)
    world.proxy.play([FAILS])
    engine = replace(Engine(world.proxy.kubeconfig), before_write=After(lambda: "ours" in there(), somebody_comes))
    with pytest.raises(Failure) as raised:
        engine.run([fresh, config_map("ours", place)], [config_map("old", world.namespace)])
    left = not_restored(raised.value)
    assert (f"Namespace {place} (ConfigMap {place}/theirs is in it)" in left) == somebody_is_in_it
    staying = [
        found for found in map(METADATA, world.cluster.objects("namespaces")) if "deletionTimestamp" not in found
    ]
    stays = place in [found["name"] for found in staying]
    assert (stays, bool(left), raised.value.changed) == (somebody_is_in_it,) * 3
    assert "ours" not in there()


def test_what_only_somebody_else_created_is_none_of_ours(world: World) -> None:
    """Our own write never reached the server: there is nothing to take back."""
    was, theirs = world.state(), config_map("new", world.namespace, b="theirs")
    rule = Rule(FAULTS["reset_before"], verb="apply", dry_run=False, path="configmaps/new")
    failure = world.fail(Once(lambda: world.cluster.apply(theirs)), rule)
    assert not_restored(failure) == ""
    now = world.state()
    assert differing(was, now) == ["ConfigMap new"]
    assert now["ConfigMap new"]["data"] == {"b": "theirs"}


def ended(code: int, message: str) -> Fault:
    """What a server says to the last attempt."""
    status = {"kind": "Status", "status": "Failure", "code": code, "message": message}
    return Fault(str(code), Answer(code, json.dumps(status).encode()), WRITES)


LAST_WORDS = [
    FAULTS["429"],
    ended(401, "Unauthorized"),
    ended(403, "configmaps is forbidden"),
    ended(500, "Internal error occurred: failed calling webhook"),
]


@pytest.mark.parametrize("last", LAST_WORDS, ids=[fault.name for fault in LAST_WORDS])
@pytest.mark.parametrize("verb", ["apply", "delete"])
def test_a_lost_answer_is_asked_for_whatever_came_after_it(world: World, verb: str, last: Fault) -> None:
    """The first attempt was done and its answer lost; the last one ends with an error that says nothing of it."""
    was, path = world.state(), "configmaps/new" if verb == "apply" else "configmaps/old"
    lost = Rule(FAULTS["reset_after"], verb=verb, dry_run=False, path=path, nth={1})
    failure = world.fail(lambda: None, lost, Rule(last, verb=verb, dry_run=False, path=path), first=())
    assert differing(was, world.state()) == []
    assert (not_restored(failure), failure.changed) == ("", False)
    assert "What this run had changed before is restored" in failure.hint


def test_a_refusal_is_one_also_where_nobody_may_look(world: World) -> None:
    """The token has ended, say: nothing was sent again, so nothing can have been done."""
    was, refused = world.state(), ended(401, "Unauthorized")
    rules = [Rule(refused, verb="apply", dry_run=False, path="configmaps"), Rule(refused, verb="get")]
    failure = world.fail(lambda: None, *rules, first=())
    assert differing(was, world.state()) == []
    assert (failure.as_dict()["code"], not_restored(failure), failure.changed) == ("unauthorized", "", False)


def test_what_only_somebody_else_has_changed_is_none_of_ours(world: World) -> None:
    """Our own write is refused because of theirs: nothing of it is ours to take back or to name."""
    was = world.state()

    def theirs() -> None:
        world.cluster.patch("configmap", "changed", world.namespace, {"data": {"a": "theirs"}})

    failure = world.fail(Once(theirs))
    assert (failure.as_dict()["code"], failure.changed, not_restored(failure)) == ("conflict", False, "")
    assert differing(was, world.state()) == ["ConfigMap changed"]


def test_what_somebody_changed_before_we_deleted_it_comes_back_as_they_left_it(world: World) -> None:
    """A VirtualService is deleted before the ConfigMap at which the run fails."""
    left: list[dict[str, Object]] = []

    def somebody_writes() -> None:
        change = {"spec": {"hosts": ["theirs"]}, "metadata": {"annotations": {"example.com/by": "hand"}}}
        world.cluster.patch("virtualservice", "changed", world.namespace, change)
        left.append(world.state())

    world.proxy.play([FAILS])
    engine = replace(Engine(world.proxy.kubeconfig), before_write=Once(somebody_writes))
    with pytest.raises(Failure) as raised:
        engine.run([], [virtual_service("changed", world.namespace), config_map("old", world.namespace)])
    assert (not_restored(raised.value), raised.value.changed) == ("", False)
    assert "is restored: 1 of 1" in raised.value.hint
    assert differing(left[0], world.state()) == []


def test_another_object_of_that_name_is_not_deleted(world: World) -> None:
    def somebody_replaces() -> None:
        world.cluster.kubectl("delete", "configmap", "old", "-n", world.namespace)
        world.cluster.create(config_map("old", world.namespace, b="theirs"))

    engine = replace(Engine(world.proxy.kubeconfig), before_write=Once(somebody_replaces))
    with pytest.raises(Conflict, match="somebody has deleted it and created another one") as raised:
        engine.run([], [config_map("old", world.namespace)])
    assert not raised.value.changed
    assert world.cluster.get("configmap", "old", world.namespace)["data"] == {"b": "theirs"}


def test_a_deletion_whose_answer_was_lost_is_done(world: World) -> None:
    """It waits for a finalizer, so that its repetition meets another version."""
    held = {"metadata": {"finalizers": ["example.com/held"]}}
    world.cluster.patch("configmap", "old", world.namespace, held)
    world.proxy.play([Rule(FAULTS["reset_after"], verb="delete", dry_run=False, path="configmaps/old", nth={1})])
    assert Engine(world.proxy.kubeconfig).run([], [config_map("old", world.namespace)]).changed
    assert world.cluster.get("configmap", "old", world.namespace)["metadata"]["deletionTimestamp"]
    world.cluster.patch("configmap", "old", world.namespace, {"metadata": {"finalizers": None}})


def test_a_write_of_which_nobody_knows_is_named(world: World) -> None:
    """Its answer is lost, and the server cannot be asked what became of it."""
    silent = [Rule(FAULTS["reset_after"], path="configmaps/new", verb=verb) for verb in ("apply", "get")]
    failure = world.fail(Once(lambda: world.proxy.play(silent)))
    assert f"ConfigMap {world.namespace}/new (it is not known whether it was written)" in not_restored(failure)
    assert failure.changed
