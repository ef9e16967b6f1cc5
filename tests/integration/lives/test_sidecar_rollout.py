"""Restarts in waves on a real API server: who restarts, in which order, what stops it, and how it goes on."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_gates import APPROVAL, APPROVED
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_plan import FREEZE
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_waves import RolloutError
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from integration.support.bed import ROOT, Cluster
from integration.support.playbook import Runner
from integration.support.prometheus import Metrics, prometheus
from integration.support.rollouts import Mesh, install, killed

Changes = Callable[[], list[str]]


def fails(mesh: Mesh, **options: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        mesh.run(**options)
    return caught.value


@pytest.fixture(scope="module")
def root(cluster: Cluster, charts: Path) -> str:
    return install(cluster, charts)


@pytest.fixture
def mesh(cluster: Cluster, root: str) -> Mesh:
    return Mesh.made(cluster, root)


@pytest.fixture(scope="module")
def still(cluster: Cluster, root: str) -> Mesh:
    """For tests that restart nothing."""
    return Mesh.made(cluster, root)


def states(told: dict[str, Any]) -> dict[str, list[str]]:
    """What the workloads of each wave have come to."""
    return {wave["name"]: [row["state"] for row in wave["workloads"]] for wave in told["waves"]}


def test_four_ways_in_waves(mesh: Mesh, changes: Changes) -> None:
    changes()
    check = mesh.run(check=True, waves=mesh.waves())
    assert (check["changed"], changes()) == (True, [])
    assert states(check["rollout"]) == {"one": ["waiting"] * 2, "two": ["waiting"] * 2, "rest": ["waiting"] * 2}
    lines: list[str] = []
    with mesh.rollers.rolling() as rollers:
        done = mesh.run(waves=mesh.waves(), lines=lines)
    assert done["plan"] == check["plan"]
    assert done["plan"][0]["fields"] == ["spec.template.metadata.annotations.[kubectl.kubernetes.io/restartedAt]"]
    assert [place.partition("/")[0] for place in rollers.restarts] == [space for space in mesh.spaces for _two in "ab"]
    assert set(rollers.proxies().values()) == {"r2"}
    assert set(changes()) == {f"patch deployments {space}/{name}" for space in mesh.spaces for name in ("cart", "shop")}
    assert [mesh.run(check=way, waves=mesh.waves())["changed"] for way in (True, False)] == [False, False]
    assert changes() == []
    shown = [line.partition(": ")[2] for line in lines]
    assert shown[0] == "wave 'one' (1 of 3): 2 workloads in 1 namespaces"
    assert f"Deployment {mesh.spaces[0]}/cart: ready" in shown
    assert shown[-1] == "wave 'rest' (3 of 3): done"

    rollers.renew(mesh.spaces[1], "shop", "r1")
    drifted = mesh.run(check=True)
    assert [(row["namespace"], row["name"]) for row in drifted["plan"]] == [(mesh.spaces[1], "shop")]
    with mesh.rollers.rolling():
        assert mesh.run()["plan"] == drifted["plan"]
    assert mesh.run()["changed"] is False


def test_what_is_named_restarts_whatever_its_proxy_is_and_nobody_else(mesh: Mesh) -> None:
    space = mesh.spaces[0]
    pods = mesh.rollers.rest.items(f"/api/v1/namespaces/{space}/pods")
    named = [f"{space}/{pod['metadata']['name']}" for pod in pods if pod["metadata"]["labels"]["app"] == "cart"]
    for _time in range(2):
        with mesh.rollers.rolling() as rollers:
            done = mesh.run(pods=[*named, f"{space}/gone"])
        assert [(row["namespace"], row["name"], row["reason"]) for row in done["plan"]] == [
            (space, "cart", "its Pods were named")
        ]
    assert rollers.restarts == [f"{space}/cart"] * 2


def test_an_empty_selection_restarts_nothing(still: Mesh, changes: Changes) -> None:
    changes()
    nobody = [{"name": "a", "namespaces": []}]
    cases: list[dict[str, Any]] = [{"namespaces": []}, {"selector": "nobody=has-it"}, {"waves": nobody}]
    for nothing in cases:
        assert still.run(**nothing)["changed"] is False
    assert changes() == []


@pytest.mark.parametrize(
    ("nothing", "words"),
    [
        ({"selector": ""}, "The selector is empty"),
        ({"waves": [{"name": "front", "selector": ""}]}, "The selector is empty (wave 'front')"),
        ({"window": {"begin": "00:00", "end": "00:00", "days": []}}, "The window has no day"),
    ],
)
def test_what_is_empty_is_not_everything(still: Mesh, changes: Changes, nothing: dict[str, Any], words: str) -> None:
    changes()
    assert words in str(fails(still, **nothing))
    assert changes() == []


def test_who_is_held_back_or_removed_meanwhile_is_left_alone(mesh: Mesh) -> None:
    first, second, third = mesh.spaces

    def disturb(line: str) -> None:
        if line.endswith(f"{first}/cart: ready"):
            mesh.cluster.kubectl("label", "deployment", "cart", "-n", second, f"{FREEZE}=true")
            mesh.cluster.kubectl("delete", "deployment", "shop", "-n", third)

    with mesh.rollers.rolling() as rollers:
        options = mesh.options(waves=mesh.waves(), max_parallel=1)
        done = mesh.operations.run("sidecar_rollout", options, progress=disturb)
    assert (done["rollout"]["state"], len(done["plan"])) == ("done", 4)
    assert states(done["rollout"])["two"] == ["left", "restarted"]
    left = {(row["namespace"], row["name"]): row["how"] for row in done["rollout"]["left"]["workloads"]}
    assert left == {(second, "cart"): "frozen", (third, "shop"): "gone"}
    assert f"{second}/cart" not in rollers.restarts


def test_a_failure_stops_later_waves_and_a_later_run_goes_on(mesh: Mesh) -> None:
    broken = f"{mesh.spaces[1]}/cart"
    with mesh.rollers.rolling() as rollers:
        rollers.broken = {broken}
        error = fails(mesh, waves=mesh.waves(), max_parallel=1)
        assert error.as_dict()["code"] == "rollout_stopped"
        assert error.changed
        assert f"stopped in wave 'two' (2 of 3): Deployment {broken} on" in str(error)
        assert "1 of 1 replicas available, 1 updated" in str(error)
        assert f"Restarted: Deployment {mesh.spaces[0]}/cart, Deployment {mesh.spaces[0]}/shop" in str(error)
        assert f"Not begun: Deployment {mesh.spaces[1]}/shop, Deployment {mesh.spaces[2]}/cart" in str(error)
        told = error.extra["rollout"]
        assert states(told) == {"one": ["restarted"] * 2, "two": ["failed", "waiting"], "rest": ["waiting"] * 2}
        assert [wave["state"] for wave in told["waves"]] == ["done", "failed", "waiting"]
        assert len(rollers.restarts) == 3
        rollers.renew(mesh.spaces[1], "cart", "r2")
        rollers.say(mesh.spaces[1], "cart", ready=True)  # somebody has corrected it
        done = mesh.run(waves=mesh.waves())
    assert len(done["plan"]) == 3
    assert len(rollers.restarts) == len(set(rollers.restarts)) == 6


def test_undo_brings_back_what_has_not_become_ready(mesh: Mesh) -> None:
    broken = f"{mesh.spaces[1]}/cart"
    mesh.rollers.broken = {broken}
    before = mesh.rollers.marks()
    with mesh.rollers.rolling() as rollers:
        error = fails(mesh, waves=mesh.waves(), on_failure="undo", max_parallel=1)
    assert f"Undone: Deployment {broken}" in str(error)
    assert error.extra["rollout"]["state"] == "undone"
    assert rollers.marks()[broken] == before[broken] == ""


def test_a_budget_of_failures(mesh: Mesh) -> None:
    with mesh.rollers.rolling() as rollers:
        rollers.broken = {f"{mesh.spaces[0]}/cart"}
        done = mesh.run(failure_budget=1, waves=mesh.waves())
    assert done["rollout"]["waves"][0]["workloads"][0]["state"] == "failed"
    assert any("failed within the budget" in line for line in done["warnings"])
    assert len(rollers.restarts) == 6


def test_what_is_left_alone_is_told(mesh: Mesh) -> None:
    first, second, third = mesh.spaces
    rest = mesh.rollers.rest
    rest.patch(f"/api/v1/namespaces/{third}", {"metadata": {"labels": {FREEZE: "true"}}})
    rest.patch(
        f"/apis/apps/v1/namespaces/{first}/deployments/cart",
        {"spec": {"strategy": {"type": "Recreate", "rollingUpdate": None}}},
    )
    mesh.rollers.say(first, "cart", ready=True)
    as_of_argo = {"pod-template-hash": None, "rollouts-pod-template-hash": "77f6"}
    rest.patch(f"/api/v1/namespaces/{third}/pods/shop-pod", {"metadata": {"labels": as_of_argo}})
    with mesh.rollers.rolling() as rollers:
        done = mesh.run()
    left = {(row["kind"], row["namespace"], row["name"]): row["how"] for row in done["rollout"]["left"]["workloads"]}
    deployments = {("Deployment", first, "cart"): "downtime", ("Deployment", third, "cart"): "frozen"}
    assert left == {**deployments, ("Rollout", third, "shop"): "by_hand"}
    assert any(
        f"Rollout {third}/shop is not restarted, because only its own tools" in line for line in done["warnings"]
    )
    assert any("its update takes down its only Pod at once" in line for line in done["warnings"])
    assert sorted(rollers.restarts) == [f"{first}/shop", f"{second}/cart", f"{second}/shop"]
    with mesh.rollers.rolling() as rollers:
        assert len(mesh.run(allow_downtime=True)["plan"]) == 1


def test_bad_input_is_refused_before_anything_is_written(still: Mesh, changes: Changes) -> None:
    first = still.spaces[0]
    changes()
    unknown = {"kind": "Deployment", "namespace": first, "name": "shp"}
    for waves, message in (
        (
            [{"name": "a", "workloads": [unknown]}],
            f"Deployment {first}/shp is not among what this task looks at .*did you mean",
        ),
        ([{"name": "a", "namespaces": [first]}, {"name": "b", "namespaces": [first]}], "Two waves claim the namespace"),
        ([{"name": "a", "percentage": -5}], "-5 is no percentage"),
        ([{"name": "a", "namespaces": [f"{first}x"]}], "is not among what this task looks at .*did you mean"),
    ):
        with pytest.raises(RolloutError, match=message):
            still.run(waves=waves)
    with pytest.raises(RolloutError, match=r"'max_parallel'.*1 or more"):
        still.run(max_parallel=0)
    with pytest.raises(Failure, match=r"'nowhere' does not exist on"):
        still.run(namespaces=["nowhere"])
    assert changes() == []


IN_A_NAMESPACE = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["get", "list", "watch", "patch"]},
    {"apiGroups": ["policy"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
]
EVERYWHERE = [
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
    {"apiGroups": ["admissionregistration.k8s.io"], "resources": ["*"], "verbs": ["list"]},
]


def allow(mesh: Mesh, user: str, spaces: Sequence[str], everywhere_rules: Sequence[Any] = EVERYWHERE) -> None:
    """Give a user what a rollout needs in some namespaces. The file's server goes at its end, and so does this."""
    rest, rbac = mesh.rollers.rest, "/apis/rbac.authorization.k8s.io/v1"
    subject: dict[str, Any] = {"subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]}
    for role, rules in ((f"{user}-in", IN_A_NAMESPACE), (f"{user}-all", everywhere_rules)):
        rest.create(f"{rbac}/clusterroles", {"metadata": {"name": role}, "rules": list(rules)})
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole"}
    everywhere = {"metadata": {"name": user}, **subject, "roleRef": {**reference, "name": f"{user}-all"}}
    rest.create(f"{rbac}/clusterrolebindings", everywhere)
    for space in spaces:
        bound = {"metadata": {"name": user}, **subject, "roleRef": {**reference, "name": f"{user}-in"}}
        rest.create(f"{rbac}/namespaces/{space}/rolebindings", bound)


def test_a_namespace_that_may_not_be_read(mesh: Mesh) -> None:
    user: dict[str, Any] = {"impersonate_user": "roller"}
    allow(mesh, "roller", mesh.spaces[:2])
    error = fails(mesh, **user)
    assert mesh.spaces[2] in str(error)
    assert "allow_partial" in str(error)
    with mesh.rollers.rolling():
        done = mesh.run(allow_partial=True, **user)
    assert done["not_read"] == [mesh.spaces[2]]
    assert {row["namespace"] for row in done["plan"]} == set(mesh.spaces[:2])
    hidden = [{"name": "hidden", "namespaces": mesh.spaces[2:]}, {"name": "rest"}]
    assert mesh.run(allow_partial=True, waves=hidden, **user)["changed"] is False, "nobody knows whether it exists"
    outside = fails(mesh, waves=hidden, **{**user, "namespaces": mesh.spaces[:1]})
    assert f"'{mesh.spaces[2]}' is not among what this task looks at" in str(outside)


def test_versions_that_may_not_be_read_are_told(mesh: Mesh) -> None:
    """Otherwise nothing would differ by its version, and the run would say that all is done."""
    user: dict[str, Any] = {"impersonate_user": "short-sighted"}
    allow(mesh, "short-sighted", mesh.spaces, [rule for rule in EVERYWHERE if "deployments" not in rule["resources"]])
    error = fails(mesh, **user)
    assert "Which version new proxies would have is not known" in str(error)
    assert f"'list' on deployments in {mesh.root} is forbidden" in str(error)
    partly = mesh.run(check=True, allow_partial=True, **user)
    assert f"'list' on deployments in {mesh.root} is forbidden: proxies are not compared by it" in partly["warnings"]


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Metrics]:
    with prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        running.say(success=1.0, latency=20.0)
        yield running


def gated(mesh: Mesh, metrics: Metrics, **gate: Any) -> dict[str, Any]:
    return {"waves": mesh.waves(), "prometheus": {"url": metrics.url, "timeout": 2.0}, "gates": [gate]}


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({"query": "success", "min": 1.5}, ["success has to be at least 1.5", "the value is 1 for success{"]),
        ({"query": "latency", "max": 10}, ["latency has to be at most 10", "the value is 20"]),
        ({"query": "nowhere_measured", "min": 0}, ["nowhere_measured has to be at least 0", "there is no data"]),
        ({"query": "vector(0) / vector(0)", "min": 0}, ["(0) / vector(0) has to be at least 0", "not a number (NaN)"]),
        ({"url": "http://127.0.0.1:9/health"}, ["http://127.0.0.1:9/health has to answer", "refused"]),
    ],
)
def test_a_gate_that_is_closed_stops_with_value_query_and_threshold(
    still: Mesh, metrics: Metrics, changes: Changes, gate: dict[str, Any], words: list[str]
) -> None:
    changes()
    error = fails(still, **gated(still, metrics, name="guard", **gate))
    assert error.as_dict()["code"] == "gate"
    assert [word for word in ("The gate 'guard' is closed", *words) if word not in str(error)] == []
    assert changes() == []
    assert error.changed is False


def test_gates_that_can_never_be_passed_are_refused(still: Mesh, metrics: Metrics, changes: Changes) -> None:
    changes()
    for way in (True, False):
        error = fails(still, check=way, **gated(still, metrics, query="sum(", min=0))
        assert error.as_dict()["code"] == "rollout"
        assert "parse error: unclosed left parenthesis" in str(error)
    assert "answer is a matrix" in str(fails(still, **gated(still, metrics, query="success[1m]", min=0)))
    assert "threshold" in str(fails(still, **gated(still, metrics, query="success")))
    unasked = {**gated(still, metrics, query="success", min=0), "prometheus": None}
    assert "nobody says where Prometheus is" in str(fails(still, **unasked))
    gone = {**gated(still, metrics, query="success", min=0), "prometheus": {"url": "http://127.0.0.1:9"}}
    assert "Prometheus cannot be reached at http://127.0.0.1:9" in str(fails(still, **gone))
    loose: dict[str, Any] = {"prometheus": {"url": metrics.url, "validate_certs": False}}
    assert "'require_tls_verify' is on" in str(fails(still, **loose, require_tls_verify=True))
    assert "is not verified: anyone in between can answer" in str(still.run(**loose, check=True)["warnings"])
    assert changes() == []


def test_a_gate_between_waves(mesh: Mesh, metrics: Metrics) -> None:
    """It holds, and breaks because of the second wave."""
    metrics.say(success=1.0)

    def spoil(line: str) -> None:
        if "wave 'two'" in line and "workloads" in line:
            metrics.say(success=0.5)

    place = {"namespaces": mesh.spaces, "namespace": mesh.root, "wait_timeout": 5.0}
    options = {**place, **gated(mesh, metrics, query="success", min=0.9)}
    with mesh.rollers.rolling() as rollers, pytest.raises(Failure, match=r"at least 0.9: the value is 0.5"):
        mesh.operations.run("sidecar_rollout", options, progress=spoil)
    assert len(rollers.restarts) == 4
    metrics.say(success=1.0)
    with mesh.rollers.rolling():
        assert len(mesh.run(**gated(mesh, metrics, query="success", min=0.9))["plan"]) == 2


def test_what_cannot_go_back_is_not_called_undone(mesh: Mesh) -> None:
    """What has become ready has the proxy that injection gives, and would get it again."""
    gates = [{"name": "page", "url": "http://127.0.0.1:9/health?token=the-token-of-the-page"}]
    waves = [{**one, "gates": gates} if one["name"] == "two" else one for one in mesh.waves()]
    with mesh.rollers.rolling() as rollers:
        error = fails(mesh, waves=waves, on_failure="undo")
        assert (error.extra["rollout"]["state"], len(rollers.restarts)) == ("stopped", 2)
    assert "http://127.0.0.1:9/health has to answer" in str(error)
    assert "the-token-of-the-page" not in f"{error}{error.as_dict()}{error.extra}"


def test_approval(mesh: Mesh) -> None:
    waves: list[dict[str, Any]] = [
        {"name": "first", "namespaces": mesh.spaces[:1]},
        {"name": "rest", "gates": [{"approve_within": 0.5}]},
    ]
    with mesh.rollers.rolling() as rollers:
        error = fails(mesh, waves=waves)
        assert error.as_dict()["code"] == "gate"
        assert f"kubectl annotate configmap {APPROVAL} -n {mesh.root} {APPROVED}='rest'" in str(error)
        assert len(rollers.restarts) == 2
        question = f"/api/v1/namespaces/{mesh.root}/configmaps/{APPROVAL}"
        asked = rollers.rest.get(question)["data"]
        assert (asked["wave"], asked["what"]) == ("rest", "4 workloads in 2 namespaces")
        waves[1]["gates"] = [{"approve_within": 10}]
        answer = {"metadata": {"annotations": {APPROVED: "rest"}}}
        threading.Timer(1.0, rollers.rest.patch, (question, answer)).start()
        assert len(mesh.run(waves=waves)["plan"]) == 4
    assert APPROVAL not in mesh.cluster.names("configmap", mesh.root)
    assert json.dumps(mesh.run(waves=waves)["rollout"]["state"]) == '"done"'


def test_an_answer_is_none_to_another_question(mesh: Mesh) -> None:
    """One that was left behind, most often: by a run whose window has closed, or that nobody has repeated."""
    waves = [{"name": "all", "gates": [{"approve_within": 0.5}]}]
    first, *others = mesh.spaces
    question = f"/api/v1/namespaces/{mesh.root}/configmaps/{APPROVAL}"
    with mesh.rollers.rolling() as rollers:
        fails(mesh, waves=waves, namespaces=others)
        rollers.rest.patch(question, {"metadata": {"annotations": {APPROVED: "all"}}})
        assert "nobody has approved" in str(fails(mesh, waves=waves))
        assert rollers.restarts == []
        rollers.rest.patch(question, {"metadata": {"annotations": {APPROVED: "all"}}})
        assert len(mesh.run(waves=waves, namespaces=[first])["plan"]) == 2, "a part of what was approved"


def test_a_closed_window_begins_nothing_and_is_no_error(still: Mesh, changes: Changes) -> None:
    changes()
    never = {"begin": "00:00", "end": "00:01", "days": ["monday"], "timezone": "Pacific/Kiritimati"}
    done = still.run(window=never)
    assert (done["changed"], done["rollout"]["state"], changes()) == (False, "outside_window", [])
    assert "run the task again when it is open" in done["warnings"][-1]


def test_a_killed_rollout_is_gone_on_with(mesh: Mesh, runner: Runner) -> None:
    """The campaign `rollout` kills it at twenty moments."""
    assert killed(mesh, runner, random.Random(7)) == []


def test_the_playbook_shows_what_happens_while_it_does(mesh: Mesh, metrics: Metrics, runner: Runner) -> None:
    metrics.say(success=1.0)
    variables = {
        "mesh_kubeconfig": mesh.cluster.kubeconfig,
        "mesh_root_namespace": mesh.root,
        "mesh_rollout_namespaces": mesh.spaces,
        "mesh_rollout_waves": mesh.waves(),
        "mesh_rollout_window": {"begin": "00:00", "end": "00:00", "timezone": "UTC"},
        "mesh_rollout_prometheus": {"url": metrics.url, "token": "the-token-of-prometheus"},
        "mesh_rollout_gates": [{"name": "success", "query": "success", "min": 0.9}],
        "mesh_rollout_wait_timeout": 30.0,
    }
    arguments = (str(ROOT / "playbooks" / "restart.yml"), "-e", json.dumps(variables), "-vvv")
    with mesh.rollers.rolling() as rollers:
        played = runner.run(arguments=arguments)
    assert played.rc == 0, played.output
    assert len(rollers.restarts) == 6
    assert "wave 'two' (2 of 3): 2 workloads in 1 namespaces" in played.output
    assert "gate 'success' holds: 1 for success{" in played.output
    assert "the-token-of-prometheus" not in played.output.replace(json.dumps(variables), "")
    assert "the-token-of-prometheus" not in json.dumps(played.last.data)
    again = runner.run(arguments=arguments[:-1])
    assert (again.rc, again.last.changed) == (0, False), again.output


def test_the_role_in_the_examples_is_enough(mesh: Mesh) -> None:
    mesh.cluster.kubectl("apply", "-f", str(ROOT / "examples" / "rbac" / "rollout.yaml"))
    role, user = "--clusterrole=service-mesh-istio-rollout", "--user=restarter"
    mesh.cluster.kubectl("create", "clusterrolebinding", "restarter", role, user)
    waves = [{"name": "all", "gates": [{"approve_within": 10}]}]
    question = f"/api/v1/namespaces/{mesh.root}/configmaps/{APPROVAL}"

    def approve(line: str) -> None:
        if "waits up to" in line:
            mesh.rollers.rest.patch(question, {"metadata": {"annotations": {APPROVED: "all"}}})

    options = mesh.options(waves=waves, impersonate_user="restarter")
    with mesh.rollers.rolling():
        done = mesh.operations.run("sidecar_rollout", options, progress=approve)
    assert len(done["plan"]) == 6
