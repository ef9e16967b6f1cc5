"""The phases of an upgrade on a real API server: four ways, cut off and gone on with, and the way back from each."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.completion import StillInUse
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.refusals import UpgradePath
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.upgrade_record import UpgradeError
from integration.support import bed
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.playbook import Played, Runner
from integration.support.revisions import Revisions
from integration.support.workloads import Workload
from integration.test_interrupted import wait_for

pytestmark = pytest.mark.usefixtures("crds")
OLDEST, OLDER, NEWER = "1.28.3", bed.ISTIO, "1.31.0"
RECORD = "service-mesh-istio-upgrade"
_CHANGING = ("resourceVersion", "generation", "uid", "creationTimestamp")
Changes = Callable[[], list[str]]


@dataclass(frozen=True)
class Meshed:
    """A mesh of a test's own: two control planes, namespaces by two kinds of label and by a tag, a workload in each."""

    revisions: Revisions
    operations: Operations
    cluster: Cluster
    spaces: tuple[str, ...]

    @property
    def root(self) -> str:
        return self.revisions.namespace

    def run(self, phase: str, *, check: bool = False, **options: Any) -> dict[str, Any]:
        place = {"namespace": self.root, "wait_timeout": 20.0}
        return self.operations.run("upgrade", {"phase": phase, **place, **options}, check=check)

    def start(self, *, check: bool = False, **options: Any) -> dict[str, Any]:
        to = {"strategy": "revision", "version": NEWER, "revision": "r2", "from_revision": "r1"}
        return self.run("start", check=check, **{**to, **options})

    def four_ways(self, changes: Changes, phase: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        changes()
        check = phase(check=True)
        assert (check["changed"], changes()) == (True, [])
        done = phase()
        assert done["plan"] == check["plan"]
        assert changes() != []
        assert [phase(check=check)["changed"] for check in (True, False)] == [False, False]
        assert changes() == []
        return done

    def state(self) -> dict[str, str]:
        """Labels, tags and webhooks, with who manages them; without what every write changes."""
        kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations"
        found = self.cluster.objects(kinds) + self.cluster.objects("services", self.root, "istio.io/tag")
        spaces = [one for one in self.cluster.objects("namespaces") if one["metadata"]["name"] in self.spaces]
        return {f"{one['kind']} {one['metadata']['name']}": essence(one) for one in [*found, *spaces]}

    def workload(self, number: int) -> Workload:
        return Workload(self.cluster, self.spaces[number])

    def begin_end_of_pod(self, name: str, revision: str) -> None:
        """A Pod with a proxy of a revision is deleted, and something still holds it."""
        annotations = {"istio.io/rev": revision, "sidecar.istio.io/status": "{}"}
        metadata = {
            "name": name,
            "namespace": self.root,
            "annotations": annotations,
            "finalizers": ["example.com/drain"],
        }
        spec = {"containers": [{"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{OLDER}"}]}
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "default", "namespace": self.root},
        }
        self.cluster.apply(account, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
        self.cluster.kubectl("delete", "pod", name, "-n", self.root, "--wait=false")

    def end_pod(self, name: str) -> None:
        self.cluster.patch("pod", name, self.root, {"metadata": {"finalizers": None}})

    @contextlib.contextmanager
    def restarting(self, revision: str, version: str) -> Iterator[None]:
        with contextlib.ExitStack() as stack:
            for number in range(len(self.spaces)):
                stack.enter_context(self.workload(number).restarting(revision, version))
            yield


def essence(found: dict[str, Any]) -> str:
    metadata = {key: value for key, value in found["metadata"].items() if key not in _CHANGING}
    entries = ({**entry, "time": ""} for entry in metadata["managedFields"])
    metadata["managedFields"] = sorted(entries, key=lambda entry: json.dumps(entry, sort_keys=True))
    return json.dumps({**found, "metadata": metadata}, sort_keys=True)


@pytest.fixture
def meshed(
    cluster: Cluster, charts: Path, namespace: str, namespaces: list[str], operations: Operations
) -> Iterator[Meshed]:
    older = Revisions(cluster, charts, namespace)
    part = f"charts-{NEWER}"
    newer = replace(older, version=NEWER, charts=bed.parts(part)[part])
    older.remove()
    older.install("r1")
    older.install_validator("r1")
    newer.install("r2")
    spaces = tuple(f"{namespace}-{name}" for name in ("a", "b", "c"))
    made = Meshed(older, operations, cluster, spaces)
    for number, space in enumerate(spaces):
        namespaces.append(space)
        cluster.create_namespace(space)
        made.workload(number).make("r1", OLDER)
    operations.run("revision_tag", {"tag": "prod", "revision": "r1", "namespace": namespace})
    cluster.label(spaces[0], {"istio.io/rev": "r1"})
    cluster.apply(_labelled(spaces[1], "r1"), manager="platform-team")
    cluster.label(spaces[2], {"istio.io/rev": "prod"})
    yield made
    for space in spaces:
        cluster.clear("pods", space)
        cluster.label(space, {"istio.io/rev": None, "istio-injection": None})
    older.remove()


def _labelled(name: str, revision: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"istio.io/rev": revision}},
    }


def route_to(istiod: str, namespace: str) -> dict[str, Any]:
    """What leads remote clusters to a control plane, as the role mesh_clusters writes it."""
    to = {"destination": {"host": f"{istiod}.{namespace}.svc.cluster.local", "port": {"number": 443}}}
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "istiod-eastwest", "namespace": namespace},
        "spec": {"hosts": ["*"], "tls": [{"match": [{"port": 15017, "sniHosts": ["*"]}], "route": [to]}]},
    }


TAKEN: dict[str, Any] = {"take_ownership_from": ["kubectl-label", "platform-team"]}


def test_every_phase_four_ways_and_back_from_each(meshed: Meshed, changes: Changes) -> None:
    before = meshed.state()
    started = meshed.four_ways(changes, meshed.start)
    assert [(row["action"], row["name"]) for row in started["plan"]] == [("create", RECORD)]
    assert started["upgrade"]["from"] == {"version": OLDER, "revision": "r1"}

    with meshed.restarting("r2", NEWER):
        moved = meshed.four_ways(changes, lambda **how: meshed.run("shift", percentage=100, **TAKEN, **how))
    assert moved["namespaces"] == list(meshed.spaces[:2])
    assert [(row["kind"], row["namespace"]) for row in moved["plan"]] == [
        *(("Namespace", "") for _space in meshed.spaces[:2]),
        *(("Deployment", space) for space in meshed.spaces[:2]),
    ]
    (wave,) = moved["rollout"]["waves"]
    assert [(row["namespace"], row["state"]) for row in wave["workloads"]] == [
        (space, "restarted") for space in meshed.spaces[:2]
    ]
    meshed.cluster.apply(route_to("istiod-r1", meshed.root))
    with pytest.raises(StillInUse, match="tag prod") as refused:
        meshed.run("complete")
    users = {(use["kind"], use["name"]) for use in refused.value.extra["users"]}
    assert {("Namespace", meshed.spaces[2]), ("Pod", "app-pod"), ("Deployment", "app")} <= users
    assert ("VirtualService", "istiod-eastwest") in users
    meshed.cluster.apply(route_to("istiod-r2", meshed.root))

    with meshed.restarting("r2", NEWER):
        by_tag = meshed.four_ways(changes, lambda **how: meshed.run("shift", tag="prod", **how))
    assert by_tag["namespaces"] == [meshed.spaces[2]]
    completed = meshed.four_ways(changes, lambda **how: meshed.run("complete", **how))
    assert [row["name"] for row in completed["plan"]] == ["istiod-default-validator"]
    with pytest.raises(UpgradeError, match="its old control plane is still there"):
        meshed.run("close")

    meshed.four_ways(changes, lambda **how: meshed.run("restore", **how))
    assert meshed.state() == before
    with meshed.restarting("r1", OLDER):
        back = meshed.four_ways(changes, lambda **how: meshed.run("rollback", **how))
    assert [wave["count"] for wave in back["rollout"]["waves"]] == [3]
    assert ("control plane", "r2") in {(one["kind"], one["name"]) for one in back["remains"]}
    assert meshed.state() == before


def test_completing_waits_for_pods_that_are_ending(meshed: Meshed, changes: Changes) -> None:
    """A gateway's old Pod drains for a while: it is no reason to refuse, and its control plane has to stay for it."""
    meshed.start()
    with meshed.restarting("r2", NEWER):
        meshed.run("shift", percentage=100, **TAKEN)
        meshed.run("shift", tag="prod")
    last_request = threading.Timer(2, meshed.end_pod, ("gateway",))
    meshed.begin_end_of_pod("gateway", "r1")
    assert meshed.run("complete", check=True)["changed"]
    changes()
    last_request.start()
    meshed.run("complete")
    assert last_request.finished.is_set()
    assert len(changes()) == 1


@pytest.mark.parametrize("phases", [0, 1, 2])
def test_back_from_each_phase(meshed: Meshed, phases: int) -> None:
    before = meshed.state()
    meshed.start()
    meshed.operations.run("revision_tag", {"tag": "canary", "revision": "r2", "namespace": meshed.root})
    with meshed.restarting("r2", NEWER):
        for options in ({"percentage": 100, **TAKEN}, {"tag": "prod"})[:phases]:
            meshed.run("shift", **options)
    with meshed.restarting("r1", OLDER):
        meshed.run("rollback")
    assert meshed.state() == before
    assert RECORD not in meshed.cluster.names("configmap", meshed.root)
    assert meshed.run("rollback")["upgrade"] == {"open": False}


def test_the_record_is_written_once(meshed: Meshed) -> None:
    meshed.start()
    before = meshed.cluster.get("configmap", RECORD, meshed.root)
    meshed.run("shift", namespaces=[meshed.spaces[0]], restart=False, **TAKEN)
    meshed.start()
    assert meshed.cluster.get("configmap", RECORD, meshed.root) == before
    assert "caBundle" not in json.dumps(before["data"])
    with pytest.raises(UpgradeError, match="Another upgrade is under way"):
        meshed.start(version="1.30.7")


def test_what_does_not_belong_is_refused(meshed: Meshed, changes: Changes) -> None:
    with pytest.raises(UpgradeError, match="No upgrade is under way"):
        meshed.run("shift", percentage=10)
    with pytest.raises(UpgradeError, match="hosted mesh, which is not upgraded by revision"):
        meshed.start(mode="hosted")
    meshed.start()
    changes()
    for options, message in (
        ({"namespaces": [meshed.spaces[2]]}, "it names 'prod', not the revision r1"),
        ({"namespaces": [f"{meshed.spaces[0]}x"]}, "does not exist .*did you mean"),
        ({"namespaces": [meshed.root]}, "it has no injection"),
        ({"percentage": 101}, "is no percentage"),
    ):
        with pytest.raises(UpgradeError, match=message):
            meshed.run("shift", **options)
    assert changes() == []


def test_a_selector_moves_what_it_selects(meshed: Meshed) -> None:
    meshed.start()
    meshed.cluster.label(meshed.spaces[1], {"team": "shop"})
    found = meshed.run("shift", selector="team=shop", restart=False, check=True, **TAKEN)
    assert found["namespaces"] == [meshed.spaces[1]]


def test_there_is_no_way_back_to_what_is_gone(meshed: Meshed) -> None:
    meshed.start()
    meshed.cluster.kubectl("delete", "deployment", "istiod-r1", "-n", meshed.root)
    with pytest.raises(UpgradeError, match="There is no way back"):
        meshed.run("restore")


def test_there_is_no_way_back_to_what_is_being_removed(meshed: Meshed, changes: Changes) -> None:
    """Its webhooks go first, so that they never lead nowhere; without them the rest is no control plane any more."""
    meshed.start()
    meshed.cluster.kubectl("delete", "mutatingwebhookconfiguration", f"istio-sidecar-injector-r1-{meshed.root}")
    changes()
    for phase in ("restore", "rollback"):
        with pytest.raises(UpgradeError, match=r"There is no way back .*MutatingWebhookConfiguration .*-r1-"):
            meshed.run(phase)
    assert changes() == []


@pytest.mark.parametrize("writes", [1, 3])  # more of them: `make campaign NAME=upgrade-kill`
def test_a_killed_shift_is_gone_on_with_and_taken_back(
    meshed: Meshed, runner: Runner, audit: Audit, writes: int
) -> None:
    before = meshed.state()
    meshed.start()
    options = {"phase": "shift", "namespace": meshed.root, "percentage": 100, "wait_timeout": 20.0, **TAKEN}
    mark = audit.mark()
    process = runner.start({"name": "Shift", "service_mesh.istio.upgrade": options})
    wait_for(audit, mark, writes)
    process.kill()
    process.wait()
    with meshed.restarting("r2", NEWER):
        for number in (0, 1):
            if meshed.workload(number).restarted_at():
                meshed.workload(number).renew("r2", NEWER)
                meshed.workload(number).say_rolled_out()
        meshed.run("shift", percentage=100, **TAKEN)
    assert not meshed.run("shift", percentage=100, **TAKEN)["changed"]
    with meshed.restarting("r1", OLDER):
        meshed.run("rollback")
    assert meshed.state() == before


def test_in_place_there_and_back(meshed: Meshed, changes: Changes) -> None:
    """The control plane's own task is refused the way back, but for what an upgrade under way came from."""
    oldest = replace(meshed.revisions, version=OLDEST, charts=bed.parts(f"charts-{OLDEST}")[f"charts-{OLDEST}"])
    meshed.cluster.kubectl("delete", "deployment", "istiod-r2", "-n", meshed.root)
    oldest.install("r1")
    for number in range(len(meshed.spaces)):
        meshed.workload(number).renew("r1", OLDEST)
    before = meshed.state()
    options: dict[str, Any] = {"strategy": "in_place", "version": OLDER, "revision": "r1", "from_revision": ""}
    with pytest.raises(UpgradeError, match="There is no control plane of the revision 'r9'"):
        meshed.start(**{**options, "revision": "r9"})
    meshed.four_ways(changes, lambda **how: meshed.start(**options, **how))
    with pytest.raises(UpgradeError, match=f"it is {OLDEST}"):
        meshed.run("shift", percentage=100)
    meshed.revisions.install("r1")
    with meshed.restarting("r1", OLDER):
        moved = meshed.four_ways(changes, lambda **how: meshed.run("shift", percentage=100, **how))
    assert [row["kind"] for row in moved["plan"]] == ["Deployment"] * 3
    assert not meshed.run("complete", check=True)["changed"]
    assert meshed.run("restore")["upgrade"]["from"]["version"] == OLDEST
    with pytest.raises(UpgradeError, match=r"rollback\.yml does so"):
        meshed.run("rollback")
    assert control_plane(meshed, OLDEST)["version"] == OLDEST
    oldest.install("r1")
    with meshed.restarting("r1", OLDEST):
        meshed.run("rollback")
    assert meshed.state() == before
    meshed.revisions.install("r1")
    with pytest.raises(UpgradePath, match=r"goes back by rollback\.yml"):
        control_plane(meshed, OLDEST)


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({"strategy": "in_place", "revision": "r1", "from_revision": ""}, "1.28.3 -> 1.29.9 -> 1.30.7 -> 1.31.0"),
        ({"strategy": "revision", "revision": "r3"}, "1.28.3 -> 1.30.7 -> 1.31.0"),
    ],
    ids=["in_place", "revision"],
)
def test_too_far_is_refused_before_anything_is_remembered(
    meshed: Meshed, changes: Changes, options: dict[str, Any], way: str
) -> None:
    """Also where nobody asks the prechecks; the way that works is told."""
    part = f"charts-{OLDEST}"
    replace(meshed.revisions, version=OLDEST, charts=bed.parts(part)[part]).install("r1")
    changes()
    for check in (True, False):
        with pytest.raises(UpgradePath, match=way):
            meshed.start(check=check, **options)
    assert changes() == []
    assert RECORD not in meshed.cluster.names("configmap", meshed.root)


def control_plane(meshed: Meshed, version: str) -> dict[str, Any]:
    part = f"charts-{version}"
    options = {
        "version": version,
        "revision": "r1",
        "namespace": meshed.root,
        "charts": {"directory": str(bed.parts(part)[part])},
        "helm_binary": meshed.revisions.helm,
        "components": ["istiod"],
    }
    return meshed.operations.run("control_plane", options, check=True)


def test_the_playbooks_are_the_phases(meshed: Meshed, runner: Runner, changes: Changes) -> None:
    """In check mode nothing is written; and where istiod has to come up, there is no node for it here."""
    variables = {
        "mesh_kubeconfig": meshed.cluster.kubeconfig,
        "mesh_root_namespace": meshed.root,
        "mesh_cluster_name": "Kubernetes",
        "mesh_control_plane_components": ["istiod"],
        "mesh_control_plane_helm_binary": meshed.revisions.helm,
        "mesh_control_plane_precheck": False,
        "mesh_upgrade_strategy": "revision",
        "mesh_upgrade_version": NEWER,
        "mesh_upgrade_revision": "r2",
        "mesh_upgrade_from_revision": "r1",
        "mesh_upgrade_charts": {"directory": str(bed.parts(f"charts-{NEWER}")[f"charts-{NEWER}"])},
        "mesh_upgrade_canary_tag": "canary",
        "mesh_upgrade_percentage": 100,
        "mesh_upgrade_restart": False,
        "mesh_upgrade_take_ownership_from": TAKEN["take_ownership_from"],
    }

    def play(name: str, *arguments: str) -> Played:
        playbook = str(bed.ROOT / "playbooks" / f"{name}.yml")
        return runner.run(arguments=(playbook, "-e", json.dumps(variables), *arguments))

    before = meshed.state()
    changes()
    started = play("upgrade_start", "--check")
    assert (started.rc, changes()) == (0, []), started.output
    assert {result.data.get("version") for result in started.results} >= {NEWER}
    assert "No upgrade is under way" in play("upgrade_shift").output
    for name in ("upgrade_plan", "upgrade_shift"):
        remote = play(name, "-e", "mesh_cluster_role=remote")
        assert (remote.rc, "is left out: its control plane is elsewhere" in remote.output) == (0, True), remote.output
    assert changes() == []
    meshed.start()
    shifted = play("upgrade_shift")
    assert (shifted.rc, shifted.last.data["namespaces"]) == (0, list(meshed.spaces[:2])), shifted.output
    assert "still use" in play("upgrade_complete").output
    back = play("rollback")
    assert (back.rc, meshed.state()) == (0, before), back.output
