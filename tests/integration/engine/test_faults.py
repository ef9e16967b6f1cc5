"""One fault at a time, on every kind of request: the task ends as without it, or fails in a way that is true and helps.

What is persisted is read from the API server's audit log, what is there from the server: both without the proxy.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client, Object
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import KUBERNETES
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import Verdict, Wait
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile import lock
from campaigns.faults import disturbed
from faults import FAULTS, PASSING, Proxy, Rule
from faults.cases import AFTER, AIMS, BEFORE, CASES, MAY_FAIL, PLAN, SET, SET_CASES, Aim, wanted, wanted_in_set
from faults.catalogue import WRITES, Answer, Fault
from integration.engine.driver import unguarded, unwatched
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.operations import Operations

Result = TypeVar("Result")
CONFIG_MAP = KUBERNETES["v1", "ConfigMap"]
MORE_THAN_A_PAGE = 501


@dataclass
class World:
    """A namespace in the state that every case starts from, and the ways to it."""

    cluster: Cluster
    audit: Audit
    proxy: Proxy
    namespace: str
    mark: int = 0
    direct: Operations = field(init=False)
    faulty: Operations = field(init=False)

    def __post_init__(self) -> None:
        self.direct = Operations({"kubeconfig": self.cluster.kubeconfig})
        self.faulty = Operations({"kubeconfig": self.proxy.kubeconfig})

    def begin(self, *rules: Rule) -> None:
        self.direct.run("config", wanted(self.namespace, "before", "absent", "present"))
        self.proxy.play(rules)
        self.mark = self.audit.mark()

    def hosts(self) -> dict[str, list[str]]:
        """The state: what the VirtualServices say, all of it being ours by server-side apply."""
        found = self.cluster.objects("virtualservices", self.namespace)
        owners = {entry["operation"] for item in found for entry in item["metadata"]["managedFields"]}
        assert owners == {"Apply"}, f"fields are owned by {owners}"
        return {item["metadata"]["name"]: item["spec"]["hosts"] for item in found}

    def persisted(self) -> set[str]:
        """Names of what has been written since the begin."""
        return {line.rpartition("/")[2] for line in self.audit.persisted(self.mark)}


@pytest.fixture(scope="module")
def world(
    cluster: Cluster, crds: Path, namespaces: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    assert crds
    assert cluster.audit_log
    namespaces.append(f"test-faults-{tmp_path_factory.getbasetemp().name}")
    cluster.create_namespace(namespaces[-1])
    with Proxy(cluster) as proxy:
        yield World(cluster, Audit(Path(cluster.audit_log)), proxy, namespaces[-1])


def attempted(work: Callable[[], Result]) -> Result | Failure:
    """What comes of it."""
    try:
        return work()
    except Failure as failure:
        return failure


def test_proxy_is_faithful(world: World) -> None:
    """kubectl does the same through it: reads, writes, and watches until something is so."""
    world.proxy.play([])
    through = dataclasses.replace(world.cluster, kubeconfig=world.proxy.kubeconfig)
    metadata = {"name": "faithful", "namespace": world.namespace}
    young = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"is": "young"}}
    through.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(young))
    assert through.get("configmap", "faithful", world.namespace) == world.cluster.get(
        "configmap", "faithful", world.namespace
    )
    assert through.kubectl("get", "--raw", "/openapi/v2") == world.cluster.kubectl("get", "--raw", "/openapi/v2")
    change = threading.Thread(target=_after_watching, args=(world, "faithful", "ready"))
    change.start()
    place = ("configmap/faithful", "-n", world.namespace)
    assert "condition met" in through.kubectl("wait", *place, "--for=jsonpath={.data.is}=ready", "--timeout=10s")
    change.join()
    assert {"get", "apply", "watch"} <= {entry.asked.verb for entry in world.proxy.log}


@pytest.mark.parametrize(("aim", "fault"), CASES, ids=lambda value: getattr(value, "id", value))
def test_task(world: World, aim: Aim, fault: str) -> None:
    world.begin(aim.rule(fault))
    result = attempted(lambda: world.faulty.run("config", wanted(world.namespace)))
    if isinstance(result, Failure):
        assert fault in MAY_FAIL, f"a repeated request would have helped: {result}"
        assert result.as_dict()["code"] == MAY_FAIL[fault]
        fails_truly(world, result)
        world.direct.run("config", wanted(world.namespace))
    else:
        assert result["changed"]
        assert {(row["action"], row["name"]) for row in result["plan"]} == PLAN
    assert world.hosts() == AFTER
    assert [entry.what for entry in world.proxy.injected] == [fault], "the fault never struck"


def fails_truly(world: World, failure: Failure) -> None:
    """It says what to do, and whether the cluster is another than before: half-way, or as it was."""
    assert failure.reason
    assert failure.hint
    state = world.hosts()
    if failure.changed:
        assert world.persisted(), str(failure)
        assert all(state.get(name) in (BEFORE.get(name), AFTER.get(name)) for name in {*BEFORE, *AFTER, *state})
    else:
        assert state == BEFORE, str(failure)


@pytest.mark.parametrize(
    ("aim", "fault"), [("read", "503"), ("update", "reset_before"), ("update", "reset_after"), ("delete", "504_after")]
)
def test_task_gives_up(world: World, aim: str, fault: str) -> None:
    """A fault that does not pass: it is not waited out for ever, and what was written is not denied."""
    aimed = next(entry for entry in AIMS if entry.id == aim)
    world.begin(dataclasses.replace(aimed.rule(fault), nth=None))
    start = time.monotonic()
    with pytest.raises(Failure) as raised:
        world.faulty.run("config", wanted(world.namespace))
    assert time.monotonic() - start < 15
    assert raised.value.as_dict()["code"] in ("unreachable", "timeout", "server_error")
    fails_truly(world, raised.value)
    world.direct.run("config", wanted(world.namespace))
    assert world.hosts() == AFTER


@dataclass
class WorldOfSet(World):
    """The same with a set, which has a parent and a lock."""

    def begin(self, *rules: Rule) -> None:
        self.direct.run("config", wanted_in_set(self.namespace, "before", "old"))
        self.proxy.play(rules)
        self.mark = self.audit.mark()

    def run(self) -> dict[str, Any] | Failure:
        return attempted(lambda: self.faulty.run("config", wanted_in_set(self.namespace)))

    def parent(self) -> dict[str, str]:
        annotations: dict[str, str] = self.cluster.get("configmap", SET, self.namespace)["metadata"]["annotations"]
        return annotations

    def expect_calm(self) -> None:
        """All is done, nobody holds the lock, and the parent is as a run without faults leaves it."""
        assert self.hosts() == AFTER
        assert self.cluster.names("leases", self.namespace) == set()
        assert {name.partition("/")[0] for name in self.parent()} == {"applyset.kubernetes.io"}


@pytest.fixture(scope="module")
def world_of_set(world: World, namespaces: list[str]) -> WorldOfSet:
    namespaces.append(f"{world.namespace}-set")
    world.cluster.create_namespace(namespaces[-1])
    return WorldOfSet(world.cluster, world.audit, world.proxy, namespaces[-1])


@pytest.mark.parametrize(("aim", "fault"), SET_CASES, ids=lambda value: getattr(value, "id", value))
def test_task_with_a_set(world_of_set: WorldOfSet, aim: Aim, fault: str) -> None:
    """Whether the lock is ours is asked of the Lease, not of an answer; a parent that was written is put back."""
    world_of_set.begin(aim.rule(fault))
    parent, result = world_of_set.parent(), world_of_set.run()
    if isinstance(result, Failure):
        assert fault in MAY_FAIL, f"a repeated request would have helped: {result}"
        assert result.as_dict()["code"] == MAY_FAIL[fault]
        fails_truly(world_of_set, result)
        assert result.changed or world_of_set.parent() == parent
        world_of_set.direct.run("config", wanted_in_set(world_of_set.namespace))
    else:
        assert {(row["action"], row["name"]) for row in result["plan"]} == PLAN
    world_of_set.expect_calm()
    assert [entry.what for entry in world_of_set.proxy.injected] == [fault], "the fault never struck"


@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if "update" in fault.verbs])
def test_lock_is_renewed_through_a_fault(world_of_set: WorldOfSet, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    """Before every write, so that there is something to disturb: a lease of which two thirds are left may wait."""
    monkeypatch.setattr(lock, "_RENEW_AFTER", 0.0)
    world_of_set.begin(Rule(FAULTS[fault], verb="update", path="/leases/", nth={1}))
    result = world_of_set.run()
    assert not isinstance(result, Failure), str(result)
    world_of_set.expect_calm()
    assert [entry.what for entry in world_of_set.proxy.injected] == [fault]


@pytest.fixture
def cleared(world: World) -> Iterator[None]:
    """What the test leaves is no burden for others."""
    yield
    world.cluster.kubectl("delete", "virtualservices", "--all", "-n", world.namespace)


@pytest.mark.usefixtures("cleared")
@pytest.mark.parametrize("write", [2, 3])
@pytest.mark.parametrize("fault", [fault.name for fault in PASSING if set(WRITES) <= set(fault.verbs)])
def test_roll_back(world: World, write: int, fault: str) -> None:
    """The last deletion fails, and then a fault meets what restores: whatever is left, the next run can go on."""
    on_writes = dataclasses.replace(FAULTS[fault], verbs=WRITES)
    fails = Rule(FAULTS["200_html"], verb="delete", dry_run=False, path="virtualservices/old")
    world.begin(fails, Rule(on_writes, dry_run=False, path="virtualservices/changed", nth={write}))
    with pytest.raises(Failure) as raised:
        world.faulty.run("config", wanted(world.namespace))
    assert {"200_html", fault} >= {entry.what for entry in world.proxy.injected} >= {"200_html"}
    fails_truly(world, raised.value)
    next_run = attempted(lambda: world.direct.run("config", wanted(world.namespace)))
    assert not isinstance(next_run, Failure), f"the next run fails: {next_run}"
    assert world.hosts() == AFTER


@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if "get" in fault.verbs])
def test_nothing_changes_where_nothing_was_to_change(world: World, fault: str) -> None:
    world.direct.run("config", wanted(world.namespace))
    world.proxy.play([Rule(FAULTS[fault], path="virtualservices/changed", nth={1})])
    mark = world.audit.mark()
    result = attempted(lambda: world.faulty.run("config", wanted(world.namespace)))
    if isinstance(result, Failure):
        assert (result.as_dict()["code"], result.changed) == (MAY_FAIL.get(fault), False)
    else:
        assert (result["changed"], result["plan"]) == (False, [])
    assert world.audit.persisted(mark) == []
    assert world.proxy.injected


def client(kubeconfig: str) -> Client:
    return Client(connect(ConnectionOptions(kubeconfig=kubeconfig)))


@pytest.fixture(scope="module")
def many(world: World) -> set[str]:
    """More objects than fit on a page, by name."""
    head = {"apiVersion": "v1", "kind": "ConfigMap"}
    names = {f"many-{number}" for number in range(MORE_THAN_A_PAGE)}
    metadata = ({"name": name, "namespace": world.namespace, "labels": {"many": "yes"}} for name in names)
    items = [{**head, "metadata": entry} for entry in metadata]
    world.cluster.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
    return names


@pytest.mark.parametrize("fault", [name for name, fault in FAULTS.items() if "list" in fault.verbs])
@pytest.mark.parametrize("page", [1, 2])
def test_list(world: World, many: set[str], page: int, fault: str) -> None:
    world.proxy.play([Rule(FAULTS[fault], verb="list", nth={page})])
    kube = client(world.proxy.kubeconfig)
    found = attempted(lambda: list(kube.list_objects(CONFIG_MAP, world.namespace, labels="many=yes")))
    if isinstance(found, Failure):
        assert fault in MAY_FAIL or (fault, page) == ("410", 1), str(found)
        assert found.hint
    else:
        assert sorted(item["metadata"]["name"] for item in found) == sorted(many)
    assert [entry.what for entry in world.proxy.injected] == [fault]


def expired(world: World) -> tuple[str, Fault]:
    """What a server answers to a token that is too old: another one, for the rest of the list as it is now."""
    path = f"{CONFIG_MAP.path(world.namespace)}?limit=500&labelSelector=many%3Dyes"
    token = json.loads(world.cluster.kubectl("get", "--raw", path))["metadata"]["continue"]
    place = json.loads(base64.urlsafe_b64decode(f"{token}==="))
    now = base64.urlsafe_b64encode(json.dumps({**place, "rv": -1}).encode()).decode().rstrip("=")
    fault = FAULTS["410"]
    assert isinstance(fault.reply, Answer)
    body = json.dumps({**json.loads(fault.reply.body), "metadata": {"continue": now}})
    return now, dataclasses.replace(fault, reply=dataclasses.replace(fault.reply, body=body.encode()))


def test_a_list_goes_on_where_the_server_says(world: World, many: set[str]) -> None:
    """What has come already is not asked for again."""
    token, fault = expired(world)
    world.proxy.play([Rule(fault, verb="list", nth={2})])
    found = list(client(world.proxy.kubeconfig).list_objects(CONFIG_MAP, world.namespace, labels="many=yes"))
    assert sorted(item["metadata"]["name"] for item in found) == sorted(many)
    asked = [parse_qs(urlsplit(entry.asked.target).query).get("continue") for entry in world.proxy.log]
    assert (asked[0], asked[1] is None, asked[2:]) == (None, False, [[token]])


def _judged(found: Object | None) -> Verdict:
    value = (found or {}).get("data", {}).get("is")
    return Verdict(ready=value == "ready", hopeless=value == "broken", state=f"it is {value}")


def _after_watching(world: World, name: str, value: str) -> None:
    """Change the object once somebody watches it."""
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline and "watch" not in {entry.asked.verb for entry in world.proxy.log}:
        time.sleep(0.02)
    world.cluster.patch("configmap", name, world.namespace, {"data": {"is": value}})


def waited(world: World, name: str, value: str, *rules: Rule) -> Object | None:
    """The object that was waited for, through these faults."""
    metadata = {"name": name, "namespace": world.namespace}
    world.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"is": "young"}})
    world.proxy.play(rules)
    change = threading.Thread(target=_after_watching, args=(world, name, value))
    change.start()
    try:
        wait = Wait.within(client(world.proxy.kubeconfig), 20, unwatched, unguarded)
        return wait.until(CONFIG_MAP, name, world.namespace, _judged)
    finally:
        change.join()


@pytest.mark.parametrize(
    ("verb", "fault"),
    [(verb, name) for verb in ("get", "watch") for name, fault in FAULTS.items() if verb in fault.verbs],
)
def test_wait(world: World, verb: str, fault: str) -> None:
    start = time.monotonic()
    name, rule = f"{verb}-{fault}".replace("_", "-"), Rule(FAULTS[fault], verb=verb, nth={1})
    found = attempted(lambda: waited(world, name, "ready", rule))
    assert isinstance(found, dict), str(found)
    assert found["data"] == {"is": "ready"}
    assert time.monotonic() - start < 5
    assert world.proxy.injected


@pytest.mark.usefixtures("crds")
def test_campaign(cluster: Cluster) -> None:
    """Five seeds of what `make campaign NAME=faults` does two hundred times, where time is judged, too."""
    assert disturbed(cluster, range(1, 6), percent=10, objects=40).wrong == []
