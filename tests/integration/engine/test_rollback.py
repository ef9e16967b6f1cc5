"""A failure at any write of a run: every object is as it was, down to who owns which field; what is not is named."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure, Forbidden, Interrupted
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired, label_paths
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.writing import OnError, PartlyDone
from faults import Proxy, Rule
from faults.catalogue import WRITES, Answer, Fault
from integration.engine.driver import (
    Engine,
    Object,
    config_map,
    essence,
    named,
    state,
    unguarded,
    verbs,
    virtual_service,
)
from integration.support.bed import Cluster

pytestmark = pytest.mark.usefixtures("crds")
KINDS = "configmaps,secrets,services,serviceaccounts,roles,deployments,hpa,virtualservices,destinationrules"
OURS = "rolled-back=yes"
LABELS = {"rolled-back": "yes"}
_FULL = {"kind": "Status", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "exceeded quota: tests"}
# An answer that no client may ask about again.
REFUSED = Fault("refused", Answer(403, json.dumps(_FULL).encode()), WRITES)


def deployment(namespace: str, image: str) -> Object:
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": pod}
    return named("Deployment", "web", namespace, "apps/v1", labels=LABELS, spec=spec)


def role(name: str, namespace: str, verb: str) -> Object:
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": [verb]}]
    return named("Role", name, namespace, "rbac.authorization.k8s.io/v1", labels=LABELS, rules=rules)


def service(name: str, namespace: str, port: int) -> Object:
    spec = {"selector": {"app": name}, "ports": [{"name": "http", "port": port}]}
    return named("Service", name, namespace, labels=LABELS, spec=spec)


def secret(name: str, namespace: str, value: str) -> Object:
    return named("Secret", name, namespace, labels=LABELS, stringData={"key": value})


def destination_rule(namespace: str, host: str) -> Object:
    spec = {"host": host}
    return named("DestinationRule", "web", namespace, "networking.istio.io/v1", labels=LABELS, spec=spec)


def service_account(name: str, namespace: str, **annotations: str) -> Object:
    return named("ServiceAccount", name, namespace, labels=LABELS, annotations=annotations)


def before(namespace: str) -> list[Object]:
    """What our manager has applied; others add to it."""
    return [
        config_map("changed", namespace, LABELS, a="1", gone="with the update"),
        config_map("old", namespace, LABELS, a="1"),
        config_map("same", namespace, LABELS, a="1"),
        secret("changed", namespace, "first"),
        service("old", namespace, 80),
        service("changed", namespace, 80),
        service_account("old", namespace),
        role("changed", namespace, "get"),
        deployment(namespace, "example.com/web:1"),
        virtual_service("changed", namespace, "before", labels=LABELS),
        virtual_service("old", namespace, "old", labels=LABELS),
        destination_rule(namespace, "before"),
    ]


def after(namespace: str) -> list[Object]:
    """Thirteen writes with `absent`: creations, updates of fields of our own and of others, deletions."""
    return [
        config_map("changed", namespace, LABELS, a="2"),
        config_map("new", namespace, LABELS, a="1"),
        config_map("same", namespace, LABELS, a="1"),
        config_map("theirs", namespace, LABELS, a="2"),
        secret("changed", namespace, "second"),
        service("changed", namespace, 8080),
        service("new", namespace, 80),
        role("changed", namespace, "list"),
        deployment(namespace, "example.com/web:2"),
        virtual_service("changed", namespace, "after", labels=LABELS),
        virtual_service("new", namespace, "new", labels=LABELS),
        destination_rule(namespace, "after"),
    ]


def absent(namespace: str) -> list[Object]:
    return [
        config_map("old", namespace),
        service("old", namespace, 80),
        service_account("old", namespace),
        virtual_service("old", namespace),
    ]


@dataclass
class World:
    """A namespace where each object has more than one owner, and an engine whose way to the server may refuse."""

    cluster: Cluster
    proxy: Proxy
    namespace: str

    @property
    def engine(self) -> Engine:
        return Engine(self.proxy.kubeconfig, take_ownership_from=("somebody",))

    def state(self) -> dict[str, Object]:
        return state(self.cluster, self.namespace, KINDS, OURS)

    def refuse(self, number: int) -> None:
        """The answer to one write; nothing else is disturbed."""
        self.proxy.play([Rule(REFUSED, dry_run=False, nth={number})])

    def change(self, before_write: Callable[[], None] = unguarded) -> Failure | None:
        """What comes of the run that is refused."""
        try:
            replace(self.engine, before_write=before_write).run(after(self.namespace), absent(self.namespace))
        except Failure as failure:
            return failure
        return None


@pytest.fixture
def world(cluster: Cluster, namespace: str) -> Iterator[World]:
    with Proxy(cluster) as proxy:
        made = World(cluster, proxy, namespace)
        made.engine.run(before(namespace))
        cluster.apply(config_map("theirs", namespace, LABELS, a="1", b="kept"), manager="somebody")
        cluster.patch("deployment", "web", namespace, {"spec": {"minReadySeconds": 3}})
        cluster.patch("virtualservice", "changed", namespace, {"metadata": {"labels": {"stray": "yes"}}})
        cluster.patch("virtualservice", "old", namespace, {"metadata": {"annotations": {"example.com/by": "hand"}}})
        cluster.patch("configmap", "old", namespace, {"data": {"b": "by hand"}})
        cluster.patch("service", "old", namespace, {"spec": {"sessionAffinity": "ClientIP"}})
        yield made


def planned(world: World) -> int:
    plan = verbs(world.engine.run(after(world.namespace), absent(world.namespace), check=True))
    assert {verb for verb, _kind, _name in plan} == {"create", "update", "delete"}
    assert len({kind for _verb, kind, _name in plan}) >= 7
    return len(plan)


def test_failure_at_every_write(world: World) -> None:
    was, writes, wrong = world.state(), planned(world), []
    for number in range(1, 2 * writes):
        world.refuse(number)
        failure = world.change()
        if failure is None:
            break
        wrong += [f"write {number}: {name}: {failure}" for name in differing(was, world.state())]
        wrong += [f"write {number} says changed={failure.changed}: {failure}"] if failure.changed else []
    assert number > writes, "a write was never refused"
    assert wrong == []


def differing(one: dict[str, Object], other: dict[str, Object]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def test_label_that_was_dropped_comes_back(world: World) -> None:
    """Dropping somebody's label is a write of its own, before the one that may fail."""
    was = world.state()
    content = virtual_service("changed", world.namespace, "after", labels=LABELS)
    for number in (1, 2):
        world.refuse(number)
        with pytest.raises(Failure) as raised:
            world.engine.run([Desired(content, drops=label_paths("stray"))])
        assert differing(was, world.state()) == [], f"write {number}: {raised.value}"


def test_what_somebody_else_has_changed_is_left_and_named(world: World) -> None:
    was = world.state()
    touched: list[Object] = []

    def somebody_is_faster() -> None:
        """When the last write is about to fail, the first object that we had changed is not ours alone any more."""
        live = world.cluster.get("configmap", "changed", world.namespace)
        if live["data"]["a"] == "2" and not touched:
            touched.append(live)
            world.cluster.patch("configmap", "changed", world.namespace, {"data": {"urgent": "yes"}})

    world.refuse(planned(world))
    failure = world.change(somebody_is_faster)
    assert touched
    assert failure
    assert failure.changed
    assert f"ConfigMap {world.namespace}/changed" in failure.hint.partition("Not restored: ")[2]
    now = world.state()
    assert now["ConfigMap changed"]["data"] == {"a": "2", "urgent": "yes"}
    assert differing(was, now) == ["ConfigMap changed"]


def test_a_roll_back_that_is_interrupted_says_what_it_leaves(world: World) -> None:
    """The playbook goes when two objects have been put back: nothing more is written, and nothing is concealed."""
    was, writes, asked = world.state(), planned(world), itertools.count(1)

    def playbook_goes() -> None:
        if next(asked) > writes + 2:
            raise Interrupted("The playbook behind this task has gone", reason="its process does not exist any more")

    world.refuse(writes)
    failure = world.change(playbook_goes)
    assert failure
    assert failure.changed
    assert f"is restored: 2 of {writes - 1}. Not restored: " in failure.hint
    assert failure.hint.count("its process does not exist any more") == 1
    left = differing(was, world.state())
    assert len(left) == writes - 3
    paths = [name.replace(" ", f" {world.namespace}/") for name in left]
    assert [path for path in paths if not re.search(rf"\b{path}\b", failure.hint)] == []


@pytest.mark.parametrize("on_error", ["stop", "continue"])
def test_other_policies_keep_what_was_done(world: World, on_error: str) -> None:
    was, writes = world.state(), planned(world)
    world.refuse(2)
    with pytest.raises(Failure) as raised:
        world.engine.run(after(world.namespace), absent(world.namespace), on_error=on_error)
    assert raised.value.changed
    assert world.state() != was
    left = world.engine.run(after(world.namespace), absent(world.namespace), check=True)
    assert 1 <= len(left.plan()) < writes
    assert (len(left.plan()) == 1) == (on_error == "continue")
    world.engine.run(after(world.namespace), absent(world.namespace))


@pytest.mark.parametrize("on_error", ["rollback", "stop", "continue"])
def test_a_failed_write_is_told_with_its_place(cluster: Cluster, namespace: str, on_error: OnError) -> None:
    wanted = [Desired(config_map("a", namespace, a="1"), "shop.yaml, document 3")]
    with Proxy(cluster) as proxy:
        proxy.play([Rule(REFUSED, path="configmaps/a", dry_run=False)])
        with pytest.raises(Forbidden, match=r"\(shop\.yaml, document 3\): exceeded quota"):
            Engine(proxy.kubeconfig).run(wanted, on_error=on_error)


def test_who_goes_on_is_told_of_every_failure(cluster: Cluster, namespace: str) -> None:
    names = ["good", *(f"bad{number:02}" for number in range(12))]
    wanted = [Desired(config_map(name, namespace, a="1"), f"objects[{at}]") for at, name in enumerate(names)]
    with Proxy(cluster) as proxy:
        proxy.play([Rule(REFUSED, path="configmaps/bad", dry_run=False)])
        with pytest.raises(PartlyDone) as raised:
            Engine(proxy.kubeconfig).run(wanted, on_error="continue")
    told = str(raised.value)
    assert f"Done: ConfigMap {namespace}/good. Not done: 12 (12 failed). Failed as well: " in told
    assert " and 2 more. " in told
    seen = re.findall(rf"ConfigMap {namespace}/bad(\d\d)(?: on \w+)? \(objects\[(\d+)\]\): exceeded quota: tests", told)
    assert len(dict(seen)) == 10
    assert all(int(at) == int(number) + 1 for number, at in seen)


def test_essence_sees_owners() -> None:
    """The judge of this file is no fool: another owner of the same content is another object."""

    def owned_by(manager: str, uid: str) -> Object:
        entry = {"manager": manager, "operation": "Apply", "time": uid, "fieldsV1": {}}
        return {"kind": "ConfigMap", "metadata": {"name": "x", "uid": uid, "managedFields": [entry]}}

    assert essence(owned_by("a", "1")) == essence(owned_by("a", "2"))
    assert essence(owned_by("a", "1")) != essence(owned_by("b", "1"))
