"""Control plane and gateway from the real charts on a cluster with a node, and what only a running istiod answers.

The cluster is of a bed of its own, so that it is empty whatever the developer's has, and stays so.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.prechecks import PrecheckFailed
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.proxy_logs import LogLevelError
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import DeniedByWebhook
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from integration.support import bed
from integration.support.audit import Audit
from integration.support.bed import ISTIO, Cluster
from integration.support.operations import Operations
from integration.support.watcher import watched
from integration.support.whole import values

pytestmark = [pytest.mark.root, pytest.mark.slow]


@dataclass(frozen=True)
class FourWays:
    """Check, run, check, run; and what each run has persisted."""

    results: tuple[dict[str, Any], ...]
    persisted: tuple[list[str], ...]
    webhooks: tuple[str, ...]


@dataclass(frozen=True)
class Told:
    """The message at the end, the lines before it, and when it ended."""

    message: str
    lines: list[str]
    ended: float


@dataclass(frozen=True)
class Empty:
    """A cluster with nothing on it."""

    cluster: Cluster
    operations: Operations
    audit: Audit
    charts: Path

    def options(self, **more: Any) -> dict[str, Any]:
        source = {"version": ISTIO, "charts": {"directory": str(self.charts)}}
        return {**source, "helm_binary": str(self.cluster.bin / "helm"), "wait_timeout": 100.0, **more}

    def four_ways(self, module: str, **options: Any) -> FourWays:
        wanted = self.options(**options)
        results, persisted, webhooks = [], [], []
        for check in (True, False, True, False):
            mark = self.audit.mark()
            results.append(self.operations.run(module, wanted, check=check))
            persisted.append(self.audit.persisted(mark))
            webhooks.append(self.webhooks())
        return FourWays(tuple(results), tuple(persisted), tuple(webhooks))

    def fails(self, **options: Any) -> Told:
        """A control plane that cannot come up: what is told of it."""
        lines: list[str] = []
        with pytest.raises(NotReady) as ended:
            self.operations.run("control_plane", self.options(**options), progress=lines.append)
        return Told(str(ended.value), lines, time.time())

    def first_failure(self, pod: str) -> tuple[float, str]:
        """When the kubelet first said that something of a Pod has failed, and what."""
        failed = ("--field-selector=reason=Failed", "-o", "json")
        events = json.loads(self.cluster.kubectl("get", "events", "-n", "istio-system", *failed))["items"]
        its_own = [event for event in events if event["involvedObject"]["name"].startswith(pod)]
        first = min(its_own, key=lambda event: str(event["firstTimestamp"]))
        return datetime.fromisoformat(first["firstTimestamp"]).timestamp(), first["message"]

    def webhooks(self) -> str:
        """resourceVersions: they move when anybody writes, even what was there before."""
        path = "jsonpath={range .items[*]}{.metadata.name}={.metadata.resourceVersion} {end}"
        return self.cluster.kubectl("get", "mutatingwebhookconfiguration,validatingwebhookconfiguration", "-o", path)


@pytest.fixture(scope="module")
def empty(charts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Empty]:
    with bed.own_cluster("cluster", tmp_path_factory.mktemp("whole")) as cluster:
        yield Empty(cluster, Operations({"kubeconfig": cluster.kubeconfig}), Audit(Path(cluster.audit_log)), charts)


@pytest.fixture(scope="module")
def control_plane(empty: Empty) -> FourWays:
    return empty.four_ways("control_plane", values={"istiod": values("istiod")})


@pytest.fixture(scope="module")
def gateway(empty: Empty, control_plane: FourWays) -> FourWays:
    assert control_plane.results[1]["changed"]
    return empty.four_ways("gateway_deployment", name="ingress", namespace="istio-ingress", values=values("gateway"))


@pytest.fixture(scope="module")
def revision(empty: Empty, control_plane: FourWays) -> FourWays:
    """A second control plane, replicated, beside the first."""
    assert control_plane.results[1]["changed"]
    more = {"high_availability": True, "sizing": "S50P200"}
    return empty.four_ways("control_plane", revision="r1", values={"istiod": values("istiod")}, **more)


@pytest.mark.parametrize("name", ["control_plane", "gateway", "revision"])
def test_four_ways(name: str, request: pytest.FixtureRequest) -> None:
    done: FourWays = request.getfixturevalue(name)
    check, run, check_again, run_again = done.results
    assert [(row["action"], row["kind"], row["name"]) for row in check["plan"]] == [
        (row["action"], row["kind"], row["name"]) for row in run["plan"]
    ]
    assert check["summary"] == run["summary"]
    assert (check["changed"], run["changed"]) == (True, True)
    assert len(done.persisted[1]) == len(run["plan"])
    assert [(result["changed"], result["plan"]) for result in (check_again, run_again)] == [(False, [])] * 2
    assert (done.persisted[0], done.persisted[2], done.persisted[3]) == ([], [], [])
    assert done.webhooks[1] == done.webhooks[2] == done.webhooks[3]


def test_everything_is_ready(empty: Empty, gateway: FourWays) -> None:
    assert gateway.results[1]["changed"]
    mesh = empty.operations.run("mesh_info", {})["mesh"]
    assert (mesh["ready"], mesh["versions"]) == (True, [ISTIO])
    assert {component["owner"] for part in ("control_planes", "gateways", "webhooks") for component in mesh[part]} == {
        "service_mesh.istio"
    }


def test_the_log_level_of_a_running_proxy(empty: Empty, gateway: FourWays) -> None:
    """Truthful: the proxy itself is asked, before and after."""
    assert gateway.results[1]["changed"]
    wanted = {"namespace": "istio-ingress", "selector": "istio=ingress", "level": "debug"}
    mark = empty.audit.mark()
    check, done, again = (empty.operations.run("proxy_log_level", wanted, check=one) for one in (True, False, False))
    (row,) = check["plan"]
    assert (row["kind"], row["fields"], done["plan"]) == ("Pod", ["proxy.logLevel"], check["plan"])
    assert (check["changed"], done["changed"], again["changed"]) == (True, True, False)
    assert done["proxies"][0]["before"].get("warning", 0) > 10
    assert list(again["proxies"][0]["before"]) == ["debug"]
    assert "debug" in done["diff"][0]["after"]
    assert (check["requests"]["exec"], done["requests"]["exec"], again["requests"]["exec"]) == (1, 2, 1)
    back = {"namespace": "istio-ingress", "pods": [row["name"]], "level": "warning"}
    assert empty.operations.run("proxy_log_level", back)["changed"]
    assert empty.audit.persisted(mark) == []
    with pytest.raises(LogLevelError, match=r"'istio-ingress/nobody' on .* does not exist"):
        empty.operations.run("proxy_log_level", {**back, "pods": ["nobody"]})
    istiod = next(iter(empty.cluster.names("pods", "istio-system")))
    with pytest.raises(LogLevelError, match="runs no sidecar"):
        empty.operations.run("proxy_log_level", {**back, "namespace": "istio-system", "pods": [istiod]})


def test_istiod_refuses_what_the_schema_lets_pass(empty: Empty, control_plane: FourWays) -> None:
    """What istiod says has to arrive as it is."""
    assert control_plane.results[1]["changed"]
    route = [{"destination": {"host": "reviews"}, "weight": -1}]
    wanted = {"name": "subject", "namespace": "default", "hosts": ["reviews"], "http": [{"route": route}]}
    mark = empty.audit.mark()
    for check in (True, False):
        with pytest.raises(DeniedByWebhook, match="weight -1 < 0") as refused:
            empty.operations.run("virtual_service", wanted, check=check)
        assert refused.value.as_dict()["code"] == "denied_by_webhook"
        assert "Correct the object as the webhook says" in str(refused.value)
    assert empty.audit.persisted(mark) == []


def test_drifted_control_plane_heals(empty: Empty, control_plane: FourWays) -> None:
    assert control_plane.results[1]["changed"]
    change = {"metadata": {"labels": {"istio": None}}}
    empty.cluster.patch("deployment", "istiod", "istio-system", change)
    options = {"values": {"istiod": values("istiod")}}
    first, healed, *again = empty.four_ways("control_plane", **options).results
    assert [(row["name"], row["fields"]) for row in first["plan"]] == [("istiod", ["metadata.labels.istio"])]
    assert healed["plan"] == first["plan"]
    assert [result["changed"] for result in again] == [False, False]


@pytest.fixture
def broken(empty: Empty, control_plane: FourWays) -> Iterator[dict[str, Any]]:
    """A revision that cannot come up; nothing of it is left."""
    assert control_plane.results[1]["changed"]
    yield {"revision": "broken", "components": ["istiod"]}
    kinds = "deployments,mutatingwebhookconfigurations,validatingwebhookconfigurations"
    empty.cluster.kubectl("delete", kinds, "-n", "istio-system", "-l", "istio.io/rev=broken")


def test_an_image_that_cannot_be_pulled_is_told_with_the_kubelets_reason(empty: Empty, broken: dict[str, Any]) -> None:
    told = empty.fails(**broken, image_hub="127.0.0.1:9/istio")
    assert "Deployment istio-system/istiod-broken" in told.message
    assert "container discovery: " in told.message
    assert "127.0.0.1:9/istio/pilot:1.29.1" in told.message
    assert any("ErrImagePull" in line or "ImagePullBackOff" in line for line in told.lines)
    assert all(line != before for before, line in itertools.pairwise(told.lines)), "a line is a change"
    happened, why = empty.first_failure("istiod-broken")
    assert "127.0.0.1:9/istio/pilot:1.29.1" in why
    assert told.ended - happened < 30


def test_a_pod_without_a_node_is_told_with_the_schedulers_reason(empty: Empty, broken: dict[str, Any]) -> None:
    elsewhere = {"istiod": {"nodeSelector": {"example.com/nowhere": "true"}}}
    told = empty.fails(**broken, values=elsewhere, wait_timeout=8.0)
    assert "is not ready after 8 s: 0 of 1 replicas available" in told.message
    assert "has no node: 0/1 nodes are available" in told.message


@dataclass
class Visitors:
    """Requests from outside, each by a connection of its own, one after the other until the block ends."""

    url: str
    answers: Counter[str] = field(default_factory=Counter)
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Visitors:
        self._thread = threading.Thread(target=self._come)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join()

    def _come(self) -> None:
        while not self._over.is_set():
            self.answers[self.ask()] += 1
            time.sleep(0.02)

    def ask(self) -> str:
        """The status, or what went wrong."""
        try:
            with urllib.request.urlopen(self.url, timeout=5) as answer:
                return str(answer.status)
        except (OSError, http.client.HTTPException) as error:
            return repr(error)

    def await_answer(self) -> None:
        deadline = time.monotonic() + 30
        while self.ask() != "200":
            assert time.monotonic() < deadline, self.ask()
            time.sleep(0.2)


PUBLIC = {"name": "public", "namespace": "istio-public", "revision": "stable"}


@pytest.fixture
def public(empty: Empty, control_plane: FourWays, revision: FourWays) -> Iterator[Visitors]:
    """A gateway that answers, injected by a tag of the first control plane; it goes at the end, and its tag."""
    assert control_plane.results[1]["changed"]
    assert revision.results[1]["changed"]
    empty.operations.run("revision_tag", {"tag": "stable", "revision": "default"})
    empty.operations.run("gateway_deployment", empty.options(**PUBLIC, values=values("gateway")))
    server = {"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}
    place = {"name": "public", "namespace": "istio-public"}
    empty.operations.run("gateway", {**place, "selector": {"istio": "public"}, "servers": [server]})
    route = {"hosts": ["*"], "gateways": ["public"], "http": [{"directResponse": {"status": 200}}]}
    empty.operations.run("virtual_service", {**place, **route})
    ports = empty.cluster.get("service", "public", "istio-public")["spec"]["ports"]
    (node_port,) = [port["nodePort"] for port in ports if port["port"] == 80]
    visitors = Visitors(f"http://127.0.0.1:{empty.cluster.forward('east', node_port)}")
    visitors.await_answer()
    yield visitors
    gone = [empty.operations.run("gateway_deployment", empty.options(**PUBLIC, state="absent")) for _twice in "12"]
    assert [result["changed"] for result in gone] == [True, False]
    empty.operations.run("revision_tag", {"tag": "stable", "state": "absent", "force": True})


def proxies(empty: Empty) -> set[tuple[str, str]]:
    """Who has injected the gateway's Pods, and the label that selects them."""
    pods = json.loads(empty.cluster.kubectl("get", "pods", "-n", "istio-public", "-o", "json"))["items"]
    staying = [pod["metadata"] for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return {(pod["annotations"]["istio.io/rev"], pod["labels"]["app"]) for pod in staying}


def test_nobody_is_turned_away_while_a_gateway_changes(empty: Empty, public: Visitors) -> None:
    """To another control plane, by a restart that the plan shows, and to other labels, by a Deployment beside."""
    assert proxies(empty) == {("default", "public")}
    empty.operations.run("revision_tag", {"tag": "stable", "revision": "r1"})
    with public:
        moved = empty.four_ways("gateway_deployment", **PUBLIC, values=values("gateway"))
        assert proxies(empty) == {("r1", "public")}
        edge = {"labels": {"app": "edge"}, "replace": "beside"}
        beside = empty.four_ways("gateway_deployment", **PUBLIC, **edge, values=values("gateway"))
        assert proxies(empty) == {("r1", "edge")}
    assert [row["reason"] for row in moved.results[0]["restarts"]] == [
        "its proxy is of revision default, and would be of r1"
    ]
    assert moved.persisted[1] == ["patch deployments istio-public/public"]
    for done in (moved, beside):
        assert [result["changed"] for result in done.results] == [True, True, False, False]
        assert (done.persisted[0], done.persisted[2], done.persisted[3]) == ([], [], [])
    assert beside.persisted[1][-1] == "delete deployments istio-public/public"
    assert set(public.answers) == {"200"}, public.answers
    assert public.answers["200"] > 100


def test_agents_that_no_node_wants_are_ready(empty: Empty, gateway: FourWays, revision: FourWays) -> None:
    """All four components of ambient mode; the bed has no image of ztunnel, so no node is selected."""
    assert gateway.results[1]["changed"]
    assert revision.results[1]["changed"]
    nowhere = {"example.com/nowhere": "true"}
    terms = [{"matchExpressions": [{"key": "example.com/nowhere", "operator": "Exists"}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    istiod = {**values("istiod"), "global": {"variant": ""}}
    own = {"istiod": istiod, "cni": {"affinity": affinity}, "ztunnel": {"nodeSelector": nowhere}}
    four = ["base", "istiod", "cni", "ztunnel"]
    done = empty.four_ways("control_plane", components=four, profile="ambient", values=own)
    assert [result["changed"] for result in done.results] == [True, True, False, False]
    assert (done.persisted[0], done.persisted[2], done.persisted[3]) == ([], [], [])
    assert done.webhooks[1] == done.webhooks[2] == done.webhooks[3]


def test_everything_is_removed_and_no_webhook_is_ever_left_alone(
    empty: Empty, gateway: FourWays, revision: FourWays
) -> None:
    """One revision beside the other, then the last with all that is shared; Pods can be made all the time."""
    assert gateway.results[1]["changed"]
    assert revision.results[1]["changed"]
    everything: dict[str, Any] = {"state": "absent", "components": ["base", "istiod", "cni", "ztunnel"]}
    with watched(empty.cluster) as watcher:
        empty.operations.run("control_plane", {"state": "absent", "revision": "r1"})
        with pytest.raises(PrecheckFailed) as refused:
            empty.operations.run("control_plane", everything)
        assert [entry["code"] for entry in refused.value.extra["precheck"]["blockers"]] == ["gateways_left"]
        empty.cluster.kubectl("delete", "namespace", "--ignore-not-found", "istio-ingress", "istio-public")
        removed = empty.operations.run("control_plane", {**everything, "remove_crds": True, "remove_leftovers": True})
    # Every change of a webhook or of a Service that one leads to has been judged: at least each that is gone.
    assert (watcher.dangling, watcher.judged >= 5) == ({}, True)
    assert [item["kind"] for item in removed["left"]] == ["Namespace"]
    again = empty.operations.run("control_plane", {**everything, "remove_crds": True, "remove_leftovers": True})
    assert (again["changed"], again["plan"]) == (False, [])
    assert empty.webhooks() == ""
    printed = empty.cluster.kubectl(
        "get", "all,configmaps,leases,secrets,serviceaccounts", "-n", "istio-system", "-o", "name"
    )
    left = {line.rpartition("/")[2] for line in printed.split()}
    of_others = {
        name for name in left if name.endswith("-broken")
    }  # another test's revision, of which nobody has spoken
    assert left - of_others <= {"default", "kube-root-ca.crt"}
