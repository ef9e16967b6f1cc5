"""A set that two runs change at a time, or that a run fails to change: no member is lost, nobody acts on old news."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure, Interrupted
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import PART_OF
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objectset import ObjectSet, SetNamespace
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.outcome import Outcome
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import Plan
from faults import Proxy, Rule
from faults.catalogue import WRITES, Answer, Fault
from integration.engine.driver import Engine, Object, config_map, state, unguarded, verbs, virtual_service
from integration.support.bed import Cluster

pytestmark = pytest.mark.usefixtures("crds")
KINDS = "configmaps,virtualservices,leases.coordination.k8s.io"
HINTS = "applyset.kubernetes.io/contains-group-kinds"
REFUSED = Fault("refused", Answer(403, b'{"kind": "Status", "code": 403, "reason": "Forbidden"}'), WRITES)


@dataclass
class World:
    """A namespace with a set, a way to it, and what is there."""

    cluster: Cluster
    proxy: Proxy
    namespace: str

    @property
    def engine(self) -> Engine:
        return Engine(self.proxy.kubeconfig)

    @property
    def of(self) -> ObjectSet:
        return ObjectSet("shop", self.namespace, prune=True)

    def run(self, *present: Object, before_write: Callable[[], None] = unguarded) -> Outcome:
        return replace(self.engine, before_write=before_write).run(present, object_set=self.of)

    def state(self) -> dict[str, Object]:
        return state(self.cluster, self.namespace, KINDS)

    def objects(self) -> dict[str, Object]:
        """What a person has asked for, without the lock."""
        return {name: found for name, found in self.state().items() if not name.startswith("Lease")}

    def unled(self) -> set[str]:
        """Kinds of members to which the parent does not lead."""
        found = self.state()
        parent = found.get("ConfigMap shop", {"metadata": {}})
        hinted = {
            hint.partition(".")[0] for hint in parent["metadata"].get("annotations", {}).get(HINTS, "").split(",")
        }
        members = [item for item in found.values() if PART_OF in item["metadata"].get("labels", {})]
        return {item["kind"] for item in members} - hinted


@pytest.fixture
def world(cluster: Cluster, namespace: str) -> Iterator[World]:
    with Proxy(cluster) as proxy:
        yield World(cluster, proxy, namespace)


def late(world: World) -> list[Object]:
    """What another run adds: of a kind that the set has, and of one that it has not."""
    return [config_map("late", world.namespace, by="the other"), virtual_service("late", world.namespace)]


@pytest.mark.parametrize("kind", [0, 1], ids=["same-hints", "other-hints"])
def test_run_that_waited_for_another_knows_what_that_one_has_done(world: World, kind: int) -> None:
    """The second has planned before the first one writes, and then waits for its lock."""
    stays = config_map("stays", world.namespace, by="the first")
    world.run(stays)
    writing, over = threading.Event(), threading.Event()

    def slowly() -> None:
        if world.cluster.names("leases.coordination.k8s.io", world.namespace):
            writing.set()
            over.wait(30)

    first = threading.Thread(target=world.run, args=(stays, late(world)[kind]), kwargs={"before_write": slowly})
    first.start()
    assert writing.wait(30)
    calls: list[int] = []

    def let_go() -> None:
        calls.append(1)
        over.set()

    done = world.run(config_map("stays", world.namespace, by="the second"), before_write=let_go)
    first.join()
    assert calls
    assert ("delete", late(world)[kind]["kind"], "late") in verbs(done)
    assert set(world.state()) & {"ConfigMap late", "VirtualService late"} == set()
    assert not world.run(config_map("stays", world.namespace, by="the second")).changed


@pytest.mark.parametrize("kind", [0, 1], ids=["same-hints", "other-hints"])
def test_run_between_plan_and_lock_is_noticed(world: World, kind: int) -> None:
    """Nobody has to wait then; what is restored after a failure is what the other run has left."""
    stays, other = (config_map("stays", world.namespace, by=who) for who in ("nobody", "the other"))
    world.run(stays, config_map("refused", world.namespace))
    left: list[dict[str, Object]] = []

    def another_run(_plan: Plan) -> list[str]:
        if not left:
            world.run(other, late(world)[kind], config_map("refused", world.namespace))
            left.append(world.state())
            world.proxy.play([Rule(REFUSED, verb="apply", path="configmaps/refused", dry_run=False)])
        return []

    wanted = [config_map("stays", world.namespace, by="us"), config_map("refused", world.namespace, by="us")]
    with pytest.raises(Failure) as raised:
        world.engine.run(wanted, object_set=world.of, review=another_run)
    assert not raised.value.changed, str(raised.value)
    assert world.state() == left[0]
    world.proxy.play([])
    done = world.run(*wanted)
    assert ("delete", late(world)[kind]["kind"], "late") in verbs(done)


def first(world: World) -> list[Object]:
    return [config_map("a", world.namespace, at="first"), virtual_service("goes", world.namespace)]


def second(world: World) -> list[Object]:
    return [config_map("a", world.namespace, at="second"), config_map("new", world.namespace)]


def attempted(world: World) -> Failure | None:
    """What comes of the second run."""
    try:
        world.run(*second(world))
    except Failure as failure:
        return failure
    return None


@pytest.mark.parametrize("before", [[], ["a"]], ids=["first-run", "later-run"])
def test_failure_at_every_write_leaves_the_set_as_it_was(world: World, before: list[str]) -> None:
    """The parent, its hints and its managers included, whichever write fails; and no lock stays."""
    if before:
        world.run(*first(world))
    was = world.state()
    for number in range(2, 20):  # the first write is the lock's
        world.proxy.play([Rule(REFUSED, dry_run=False, nth={number})])
        failure = attempted(world)
        if failure is None:  # the last write is the lock's, too, which expires
            break
        assert (world.state(), failure.changed) == (was, False), f"write {number}: {failure}"
    assert number > 5
    assert world.unled() == set()


def test_run_that_ends_while_it_takes_back_leaves_no_member_alone(world: World) -> None:
    """Whether it goes forth or back: wherever it ends, the parent leads to every member."""
    for end in range(2, 20):
        world.run(*first(world))
        was, calls = world.objects(), list[int]()

        def until_the_end(calls: list[int] = calls, end: int = end) -> None:
            calls.append(1)
            if len(calls) >= end:
                raise Interrupted("The playbook behind this task has gone")

        world.proxy.play([Rule(REFUSED, verb="delete", path="virtualservices/goes", dry_run=False, nth={1})])
        with pytest.raises(Failure) as raised:
            world.run(*second(world), before_write=until_the_end)
        world.proxy.play([])
        assert world.unled() == set(), f"ended before write {end}"
        assert raised.value.changed == (world.objects() != was), f"ended before write {end}: {raised.value}"
        if len(calls) < end:
            break
    assert end > 6
    world.run(*second(world))
    assert not world.run(*second(world)).changed


def test_what_a_roll_back_left_half_brought_back_is_pruned_another_time(world: World) -> None:
    """It is there again, and nobody has restored its managers: the set's own has written it, and has not applied it."""
    world.run(*first(world))
    fails = Rule(REFUSED, verb="apply", path="configmaps/shop", dry_run=False, nth={2})
    world.proxy.play([fails, Rule(REFUSED, verb="update", path="virtualservices/goes")])
    with pytest.raises(Failure, match=r"Not restored: .*VirtualService \S+/goes"):
        world.run(*second(world))
    world.proxy.play([])
    operations = [entry["operation"] for entry in world.state()["VirtualService goes"]["metadata"]["managedFields"]]
    assert "Apply" not in operations
    assert ("delete", "VirtualService", "goes") in verbs(world.run(*second(world)))
    assert "VirtualService goes" not in world.state()


@pytest.mark.parametrize("label", [None, "applyset-another-v1"], ids=["none", "another"])
def test_what_leaves_the_set_after_the_plan_is_not_pruned(world: World, label: str | None) -> None:
    world.run(*first(world))
    written: list[str] = []

    def somebody_takes_it() -> None:
        if not written and "new" in world.cluster.names("configmaps", world.namespace):
            written.append("goes")
            change = {"metadata": {"labels": {PART_OF: label}}}
            world.cluster.patch("virtualservice", "goes", world.namespace, change)

    with pytest.raises(Failure, match="somebody has changed in which set it is") as raised:
        world.run(*second(world), before_write=somebody_takes_it)
    assert not raised.value.changed
    assert "VirtualService goes" in world.state()


def test_namespace_of_the_set_has_to_be_there_before(world: World, new_namespace: str) -> None:
    """In check mode as in a run; nothing is written. And it has to stay."""
    assert new_namespace == world.namespace
    home: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{new_namespace}-home"}}
    of = ObjectSet("shop", f"{new_namespace}-home")
    for check in (True, False):
        with pytest.raises(SetNamespace, match="the task creates this namespace itself"):
            world.engine.run([home, config_map("a", new_namespace)], object_set=of, check=check)
    assert "ConfigMap a" not in world.state()
    kept = ObjectSet("shop", new_namespace)
    mine = {**home, "metadata": {"name": new_namespace}}
    for check in (True, False):
        with pytest.raises(SetNamespace, match="the task deletes this namespace itself"):
            world.engine.run([], [mine], object_set=kept, check=check)
    assert world.engine.run([config_map("a", new_namespace)], object_set=kept).changed
