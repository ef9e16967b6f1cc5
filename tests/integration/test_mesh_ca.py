"""The authority of a cluster: four ways, kept while it is right, never another root, and no key anywhere."""

from __future__ import annotations

import base64
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio import mesh_ca
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.issuing import BadAuthority
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.mesh_ca import RootChange
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict, Failure
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.playbook import Runner
from integration.support.secrets import contents, files, traces
from unit.support.certificates import Authority, cacerts, root

Changes = Callable[[], list[str]]
NOW = datetime.now(timezone.utc).replace(microsecond=0)
YEAR = timedelta(days=365)
ROOT, OTHER = root("mesh root", NOW + 10 * YEAR), root("other root", NOW + 10 * YEAR)


@pytest.fixture
def wanted(new_namespace: str, tmp_path: Path) -> dict[str, Any]:
    """A root that does not exist yet, nor does the namespace."""
    return {
        "cluster_name": "east",
        "mesh_id": "shop",
        "namespace": new_namespace,
        "root_file": str(tmp_path / "roots" / "root.pem"),
    }


@pytest.fixture
def vaulted(namespace: str) -> dict[str, Any]:
    """A root that was given as text, for a namespace that is there."""
    return {"cluster_name": "east", "namespace": namespace, "root_certificate": ROOT.pem, "root_key": ROOT.key}


@pytest.fixture
def second(namespaces: list[str], new_namespace: str) -> str:
    """The name of one more namespace that does not exist."""
    namespaces.append(f"{new_namespace}-second")
    return namespaces[-1]


def data(cluster: Cluster, namespace: str) -> dict[str, str]:
    found: dict[str, str] = cluster.get("secret", "cacerts", namespace)["data"]
    return found


def there(cluster: Cluster, namespace: str, secret: dict[str, Any], manager: str = "kubectl") -> None:
    secret["metadata"]["namespace"] = namespace
    cluster.apply(secret, manager=manager)


@contextmanager
def refused(kind: type[Failure], message: str, changes: Changes) -> Iterator[None]:
    changes()
    with pytest.raises(kind, match=message) as error:
        yield
    assert "PRIVATE" not in str(error.value)
    assert changes() == []


def test_four_ways(wanted: dict[str, Any], operations: Operations, cluster: Cluster, changes: Changes) -> None:
    file = Path(wanted["root_file"])
    check = operations.run("mesh_ca", wanted, check=True)
    assert (check["changed"], changes(), file.exists()) == (True, [], False)
    done = operations.run("mesh_ca", wanted)
    for planned in (check, done):
        assert [(row["action"], row["kind"]) for row in planned["plan"]] == [
            ("create", "Namespace"),
            ("create", "Secret"),
        ]
    assert len(changes()) == 2
    kept = data(cluster, wanted["namespace"])
    for again in (operations.run("mesh_ca", wanted, check=True), operations.run("mesh_ca", wanted)):
        assert (again["changed"], again["trust"]) == (False, done["trust"])
    assert (changes(), data(cluster, wanted["namespace"])) == ([], kept)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    trust = done["trust"]
    assert (trust["source"], trust["problems"]) == ("cacerts", [])
    assert trust["signer"]["subject"] == "CN=Intermediate CA,L=east,O=shop"
    assert trust["roots"][0]["subject"] == "CN=Root CA,O=shop"


def test_a_drifted_certificate_is_healed(
    vaulted: dict[str, Any], operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    operations.run("mesh_ca", vaulted)
    broken = base64.b64encode(OTHER.issues("stranger", NOW + YEAR).pem.encode()).decode()
    cluster.patch("secret", "cacerts", vaulted["namespace"], {"data": {"ca-cert.pem": broken}})
    with refused(Conflict, "kubectl-patch", changes):
        operations.run("mesh_ca", vaulted, check=True)
    healing = {**vaulted, "take_ownership_from": ["kubectl-patch"]}
    check = operations.run("mesh_ca", healing, check=True)
    healed = operations.run("mesh_ca", healing)
    assert "data.[ca-cert.pem]" in check["plan"][0]["fields"]
    assert (healed["plan"], healed["trust"]["problems"]) == (check["plan"], [])


def test_clusters_of_one_root_file_trust_each_other(
    wanted: dict[str, Any], second: str, operations: Operations
) -> None:
    east = operations.run("mesh_ca", wanted)["trust"]
    west = operations.run("mesh_ca", {**wanted, "cluster_name": "west", "namespace": second})["trust"]
    assert east["anchor"] == west["anchor"]
    assert east["signer"]["fingerprint"] != west["signer"]["fingerprint"]


@pytest.mark.parametrize("days", [59, -1], ids=["ends soon", "expired"])
def test_what_ends_is_made_anew(
    days: int, vaulted: dict[str, Any], operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    there(cluster, vaulted["namespace"], cacerts(ROOT.issues("old", NOW + timedelta(days=days)), ROOT), "setup")
    renewed = operations.run("mesh_ca", {**vaulted, "take_ownership_from": ["setup"]})
    assert renewed["trust"]["signer"]["ends"] > (NOW + YEAR).isoformat()
    changes()
    assert operations.run("mesh_ca", vaulted)["changed"] is False
    assert changes() == []


def test_what_somebody_has_made_of_the_same_root_stays(
    vaulted: dict[str, Any], operations: Operations, cluster: Cluster
) -> None:
    there(cluster, vaulted["namespace"], cacerts(ROOT.issues("theirs", NOW + YEAR), ROOT))
    before = data(cluster, vaulted["namespace"])
    assert operations.run("mesh_ca", vaulted)["trust"]["signer"]["subject"] == "CN=theirs"
    assert data(cluster, vaulted["namespace"]) == before


def test_a_signer_is_never_valid_for_longer_than_its_root(
    vaulted: dict[str, Any], operations: Operations, changes: Changes
) -> None:
    """And is not made anew for that."""
    short = root("short", NOW + timedelta(days=20))
    given = {**vaulted, "root_certificate": short.pem, "root_key": short.key}
    first = operations.run("mesh_ca", given)
    assert first["trust"]["signer"]["ends"] == first["trust"]["roots"][0]["ends"]
    assert "ends on" in " ".join(first["warnings"])
    changes()
    assert operations.run("mesh_ca", given)["changed"] is False
    assert changes() == []


def external(signer: Authority, above: Authority, chain: str = "") -> dict[str, Any]:
    return {
        "root_certificate": above.pem,
        "root_key": None,
        "certificate": signer.pem,
        "key": signer.key,
        "chain": chain,
    }


def test_what_another_authority_has_signed(
    vaulted: dict[str, Any], operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    middle = ROOT.issues("middle", NOW + YEAR)
    wanted = {**vaulted, **external(middle.issues("east", NOW + YEAR), ROOT, middle.pem)}
    done = operations.run("mesh_ca", wanted)
    assert (done["trust"]["problems"], done["trust"]["signer"]["subject"]) == ([], "CN=east")
    chain = base64.b64decode(data(cluster, wanted["namespace"])["cert-chain.pem"]).decode()
    assert chain.count("BEGIN CERTIFICATE") == 2
    changes()
    assert operations.run("mesh_ca", wanted)["changed"] is False
    assert changes() == []


def test_a_root_never_changes_in_place(vaulted: dict[str, Any], operations: Operations, changes: Changes) -> None:
    operations.run("mesh_ca", vaulted)
    other = {**vaulted, "root_certificate": OTHER.pem, "root_key": OTHER.key}
    with refused(RootChange, "'CN=mesh root'.*'CN=other root'", changes):
        operations.run("mesh_ca", other)
    with refused(RootChange, "'CN=mesh root'", changes):
        operations.run("mesh_ca", {**vaulted, "root_certificate": ROOT.pem + OTHER.pem}, check=True)


def test_nor_does_that_of_a_running_istiod(
    vaulted: dict[str, Any], operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    own = cacerts(OTHER, OTHER)
    own["metadata"]["name"] = "istio-ca-secret"
    there(cluster, vaulted["namespace"], own)
    pod = {"metadata": {"labels": {"app": "istiod"}}, "spec": {"containers": [{"name": "discovery", "image": "pilot"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "istiod"}}, "template": pod}
    metadata = {"name": "istiod", "namespace": vaulted["namespace"], "labels": {"app": "istiod"}}
    cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    with refused(RootChange, "istio-ca-secret", changes):
        operations.run("mesh_ca", vaulted)
    cluster.kubectl("delete", "deployment", "istiod", "-n", vaulted["namespace"])
    assert operations.run("mesh_ca", vaulted)["changed"] is True, "what a control plane left behind is in nobody's way"


def test_one_that_has_ended_is_replaced_at_once(
    vaulted: dict[str, Any], operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    """Nobody trusts anybody by it any more; of itself it is never signed by again."""
    ended = root("ended root", NOW - timedelta(days=1))
    there(cluster, vaulted["namespace"], cacerts(ended.issues("old", NOW + timedelta(days=1)), ended))
    changes()
    itself = {**vaulted, "root_certificate": ended.pem, "root_key": ended.key, "take_ownership_from": ["kubectl"]}
    with refused(BadAuthority, "The root 'CN=ended root'.* cannot sign.*has ended on", changes):
        operations.run("mesh_ca", itself)
    wanted = {**vaulted, "take_ownership_from": ["kubectl"]}
    done = operations.run("mesh_ca", wanted)
    assert (len(changes()), done["trust"]["problems"]) == (1, [])
    assert [one["subject"] for one in done["trust"]["roots"]] == ["CN=mesh root"]
    (warning,) = (line for line in done["warnings"] if "has ended" in line)
    assert "takes it up when it is restarted" in warning
    again = operations.run("mesh_ca", wanted)
    assert (again["changed"], changes(), [line for line in again["warnings"] if "ended" in line]) == (False, [], [])


def test_what_cert_manager_keeps_is_left_to_it(
    vaulted: dict[str, Any], operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    signer, soon = ROOT.issues("theirs", NOW + YEAR), ROOT.issues("theirs", NOW + timedelta(days=5))
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in _tls(signer).items()}
    secret = {**cacerts(signer, ROOT), "type": "kubernetes.io/tls", "data": encoded}
    there(cluster, vaulted["namespace"], secret, "cert-manager")
    changes()
    assert operations.run("mesh_ca", vaulted)["changed"] is False
    ending = {key: base64.b64encode(text.encode()).decode() for key, text in _tls(soon).items()}
    there(cluster, vaulted["namespace"], {**secret, "data": ending}, "cert-manager")
    with refused(BadAuthority, "kept by somebody else.*cert-manager", changes):
        operations.run("mesh_ca", vaulted)


def _tls(signer: Authority) -> dict[str, str]:
    return {"tls.crt": signer.pem, "tls.key": signer.key, "ca.crt": ROOT.pem}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no certificate": ({"root_certificate": "x"}, "'root_certificate' holds no certificate"),
    "no key": ({"root_key": None}, "without 'root_key' and without 'certificate'"),
    "key that is none": (
        {"root_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"},
        "no private key",
    ),
    "key of another": ({"root_key": OTHER.key}, "'root_key' does not belong to its certificate"),
    "days": ({"lifetime_days": 0}, "'lifetime_days' is 0"),
    "no authority": (external(ROOT.issues("leaf", NOW + YEAR, ca=False), ROOT), "may not sign others"),
    "expired": (external(ROOT.issues("old", NOW - YEAR), ROOT), "has expired"),
    "not yet valid": (external(ROOT.issues("new", NOW + 2 * YEAR, NOW + YEAR), ROOT), "compare the clocks"),
    "another root": (external(OTHER.issues("east", NOW + YEAR), ROOT), "does not lead to the root"),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_is_refused(bad: str, vaulted: dict[str, Any], operations: Operations, changes: Changes) -> None:
    options, message = BAD[bad]
    with refused(BadAuthority, message, changes):
        operations.run("mesh_ca", {**vaulted, **options})


def test_a_clock_that_is_ahead_of_the_clusters(
    wanted: dict[str, Any], operations: Operations, changes: Changes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its certificates would not be valid yet where they are needed; who has right ones needs no clock."""
    with monkeypatch.context() as ahead:
        ahead.setattr(mesh_ca, "right_now", lambda: datetime.now(timezone.utc) + timedelta(minutes=10))
        with refused(BadAuthority, "the clock of this machine is 0:(09:5|10:0).* ahead", changes):
            operations.run("mesh_ca", wanted)
        assert not Path(wanted["root_file"]).exists()
    operations.run("mesh_ca", wanted)
    with monkeypatch.context() as ahead:
        ahead.setattr(mesh_ca, "right_now", lambda: datetime.now(timezone.utc) + timedelta(minutes=10))
        assert operations.run("mesh_ca", wanted)["changed"] is False


@pytest.mark.parametrize("text", ["$ANSIBLE_VAULT;1.1;AES256\n61", "neither"], ids=["vaulted", "nothing"])
def test_a_root_file_that_cannot_be_used(
    text: str, wanted: dict[str, Any], operations: Operations, changes: Changes
) -> None:
    file = Path(wanted["root_file"])
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    with refused(BadAuthority, "root file|root.pem", changes):
        operations.run("mesh_ca", wanted)


@pytest.mark.parametrize("check", [True, False], ids=["check", "run"])
def test_a_root_file_behind_a_link_that_leads_nowhere(
    check: bool, wanted: dict[str, Any], operations: Operations, changes: Changes, tmp_path: Path
) -> None:
    """The mount on which the root is kept is not there: a new root would be lost, and another one in each cluster."""
    file = Path(wanted["root_file"])
    file.parent.mkdir()
    file.symlink_to(tmp_path / "vault" / "root.pem")
    with refused(BadAuthority, f"{file} is a link to {tmp_path}/vault/root.pem, and nothing is there", changes):
        operations.run("mesh_ca", wanted, check=check)
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("way", [{}, {"vars": {"ansible_connection": "elsewhere"}}], ids=["worker", "module"])
def test_nothing_shows_a_key(way: dict[str, Any], wanted: dict[str, Any], second: str, runner: Runner) -> None:
    seeded = {"ROOT": ROOT.pem, "KEY": ROOT.key, "WRONG": OTHER.key}
    given = {"cluster_name": "east", "namespace": second, "root_certificate": "{{ lookup('env', 'ROOT') }}"}
    calls = [wanted, *({**given, "root_key": f"{{{{ lookup('env', '{name}') }}}}"} for name in ("KEY", "WRONG", "KEY"))]
    played = runner.run(
        *({"name": "task", "service_mesh.istio.mesh_ca": call, **way, "ignore_errors": True} for call in calls),
        arguments=["-vvv", "--diff"],
        env=seeded,
    )
    assert [result.status for result in played.results] == ["ok", "ok", "ignored", "ok"], played.output
    made = Path(wanted["root_file"]).read_text(encoding="utf-8")
    keys = [line for text in (ROOT.key, OTHER.key, made[made.index("-----BEGIN PRIVATE") :]) for line in _lines(text)]
    texts = {"output": played.output, **contents(files(runner.folder))}
    texts.pop(wanted["root_file"])
    assert traces(keys, texts) == []


def _lines(key: str) -> list[str]:
    return [line for line in key.splitlines() if not line.startswith("-----")]
