"""Two API servers, of which one reads the other: registered, renewed, taken out; and what is refused before a write."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.registration import RemoteClusterError
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.remote_secret import (
    CLUSTER_ANNOTATION,
    interim_of,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import (
    CertificateRejected,
    Failure,
    Forbidden,
    Unauthorized,
    Unreachable,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import POD, SECRET
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from integration.engine.bound import bound
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.playbook import Runner
from integration.support.secrets import contents, files, traces

Changes = Callable[[], list[str]]
ACCOUNT, REMOTE = "istio-reader-east", "istio-remote-secret-west"
INTERIM = f"{REMOTE}-token-renewal"
MADE = ["Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Secret", "Secret"]


@dataclass(frozen=True)
class Pair:
    """East, which reads, and west, in a namespace of the test's own in each."""

    operations: Operations
    east: Cluster
    west: Cluster
    namespace: str

    def run(self, check: bool = False, **more: Any) -> dict[str, Any]:
        named = {"primary": "east", "cluster_name": "west", "namespace": self.namespace, "server": self.west.server}
        remote = {"remote": {"kubeconfig": self.west.kubeconfig}}
        return self.operations.run("remote_cluster", {**named, **remote, **more}, check=check)

    def kubeconfig(self) -> dict[str, Any]:
        data = self.east.get("secret", REMOTE, self.namespace)["data"]["west"]
        found: dict[str, Any] = yaml.safe_load(base64.b64decode(data))
        return found

    def as_istiod(self) -> Client:
        """West, by what east's istiod is given."""
        return Client(connect(ConnectionOptions(kubeconfig=self.kubeconfig())))

    def there(self) -> set[str]:
        """What is in west of this pair."""
        kinds = "serviceaccounts,secrets,clusterroles,clusterrolebindings"
        printed = self.west.kubectl("get", kinds, "-n", self.namespace, "-l", "service-mesh-istio/reader", "-o", "name")
        return {line for line in printed.split() if self.namespace in line or "cluster" not in line}


@pytest.fixture
def pair(operations: Operations, cluster: Cluster, west: Cluster, namespace: str) -> Pair:
    return Pair(operations, cluster, west, namespace)


@pytest.fixture
def changes(changes_in_both: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """What we have persisted in both since the last call."""
    return changes_in_both


def test_four_ways_and_gone(pair: Pair, changes: Changes) -> None:
    check = pair.run(check=True)
    assert (check["changed"], changes(), check["token_ends"]) == (True, [], "")
    done = pair.run()
    for planned in (check, done):
        assert [(row["action"], row["kind"]) for row in planned["plan"]] == [("create", kind) for kind in MADE]
    assert len(changes()) == len(MADE)
    again = [pair.run(check=True), pair.run()]
    assert [(result["changed"], result["token_ends"], result["renewed"]) for result in again] == [
        (False, done["token_ends"], "")
    ] * 2
    assert changes() == []
    left = [pair.run(check=True, state="absent"), pair.run(state="absent")]
    assert left[0]["plan"] == left[1]["plan"]
    assert {row["action"] for row in left[1]["plan"]} == {"delete"}
    assert left[1]["plan"][0]["name"] == REMOTE, "the primary forgets it first"
    assert len(changes()) == 5
    assert (pair.there(), pair.east.names("secrets", pair.namespace)) == (set(), set())
    assert [pair.run(check=check, state="absent")["changed"] for check in (True, False)] == [False, False]
    assert changes() == []


def test_what_istiod_is_given_works_and_only_reads(pair: Pair) -> None:
    pair.run()
    given = pair.as_istiod()
    assert list(given.list_objects(POD)) == []
    pod = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": pair.namespace}}
    with pytest.raises(Forbidden):
        given.create(SECRET, pod, "tests")


def test_drift_is_healed(pair: Pair, changes: Changes) -> None:
    pair.run()
    pair.west.patch("clusterrole", f"{ACCOUNT}-{pair.namespace}", "", {"rules": []})
    healing: dict[str, Any] = {"take_ownership_from": ["kubectl-patch"]}
    check = pair.run(check=True, **healing)
    assert [(row["name"], row["fields"]) for row in check["plan"]] == [(f"{ACCOUNT}-{pair.namespace}", ["rules"])]
    changes()
    assert pair.run(**healing)["plan"] == check["plan"]
    assert len(changes()) == 1


def test_a_token_is_renewed_and_the_old_one_refused(pair: Pair, changes: Changes) -> None:
    pair.run()
    old = pair.as_istiod()
    check = pair.run(check=True, rotate=True)
    done = pair.run(rotate=True)
    assert (done["plan"], done["renewed"]) == (check["plan"], "a new token was asked for")
    assert done["warnings"] == [], "this server gives tokens for as long as it is asked to"
    assert list(pair.as_istiod().list_objects(POD)) == []
    assert _refused_soon(old), "the API server remembers for ten seconds that a token was good"
    changes()
    assert (pair.run()["changed"], changes()) == (False, [])


def _refused_soon(client: Client) -> bool:
    for _ in range(60):
        if _is_refused(client):
            return True
        time.sleep(0.25)
    return False


def _is_refused(client: Client) -> bool:
    try:
        list(client.list_objects(POD))
    except Unauthorized:
        return True
    return False


@pytest.mark.parametrize("rotate", [True, False], ids=["repeated", "registered"])
def test_a_renewal_that_istiod_was_late_for_is_finished(
    rotate: bool, pair: Pair, changes: Changes, istiod_in_east: Callable[[str], None]
) -> None:
    """By the run that comes next, whether it asks for a new token or not: the old one is refused after it."""
    pair.run()
    old = pair.as_istiod()
    istiod_in_east("1.31.1")
    pair.east.patch("deployment", "istiod", pair.namespace, {"spec": {"replicas": 1}})
    with pytest.raises(NotReady, match="run this again"):
        pair.run(rotate=True, wait_timeout=0.5)
    with pytest.raises(NotReady, match="run this again"):
        pair.run(rotate=rotate, wait_timeout=0.5)
    assert not _is_refused(old), "istiod may have no other"
    made = pair.kubeconfig()
    pair.east.patch("deployment", "istiod", pair.namespace, {"spec": {"replicas": 0}})
    changes()
    check, done = pair.run(check=True, rotate=rotate), pair.run(rotate=rotate)
    assert (check["plan"], _done(done)) == (done["plan"], [("delete", f"{ACCOUNT}-a")])
    assert done["renewed"] == "a renewal that was cut off is finished"
    assert [("run this once more" in told) for told in done["warnings"]] == [True] * rotate
    assert _refused_soon(old)
    assert (pair.kubeconfig(), list(pair.as_istiod().list_objects(POD))) == (made, [])
    changes()
    assert (pair.run()["changed"], changes()) == (False, [])


def test_a_new_token_is_bound_to_a_new_secret(pair: Pair) -> None:
    """Where a run was killed that had made the Secret, and maybe a token that nobody knows."""
    pair.run()
    old = pair.as_istiod()
    time.sleep(1.1)
    metadata = {"name": f"{ACCOUNT}-b", "namespace": pair.namespace}
    pair.west.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    before = pair.west.get("secret", f"{ACCOUNT}-b", pair.namespace)["metadata"]["uid"]
    assert pair.run(rotate=True)["renewed"] == "a new token was asked for"
    assert pair.west.get("secret", f"{ACCOUNT}-b", pair.namespace)["metadata"]["uid"] != before
    assert _refused_soon(old)


def test_a_token_that_west_has_revoked_is_renewed(pair: Pair) -> None:
    pair.run()
    pair.west.kubectl("delete", "secret", f"{ACCOUNT}-a", "-n", pair.namespace)
    assert pair.run()["renewed"] == "west does not accept its token any more"


def _istiod(namespace: str, version: str) -> dict[str, Any]:
    pod = {
        "metadata": {"labels": {"app": "istiod"}},
        "spec": {"containers": [{"name": "discovery", "image": f"pilot:{version}"}]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "istiod"}}, "template": pod}
    metadata = {"name": "istiod", "namespace": namespace, "labels": {"app": "istiod"}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


@pytest.fixture
def istiod_in_east(pair: Pair) -> Iterator[Callable[[str], None]]:
    """Makes one of a version, without Pods."""
    yield lambda version: pair.east.apply(_istiod(pair.namespace, version))
    pair.east.kubectl("delete", "deployment/istiod", "pod/istiod-old", "-n", pair.namespace, "--ignore-not-found")


@pytest.mark.parametrize(
    ("version", "writes"),
    [
        ("1.29.1", [f"patch {INTERIM}", f"delete {REMOTE}", f"patch {REMOTE}", f"delete {INTERIM}"]),
        ("1.31.1", [f"patch {REMOTE}"]),
    ],
)
def test_an_istiod_that_takes_up_no_change_gets_a_new_secret(
    version: str, writes: list[str], pair: Pair, changes: Changes, istiod_in_east: Callable[[str], None]
) -> None:
    """And reads the cluster by another one as long as there is none."""
    pair.run()
    istiod_in_east(version)
    changes()
    done = pair.run(rotate=True)
    assert _of_secrets(changes()) == writes
    reasons = {row["name"]: row["reason"] for row in done["plan"]}
    assert (f"deleted and created: istiod {version}" in reasons[REMOTE]) is (len(writes) > 1)
    assert list(pair.as_istiod().list_objects(POD)) == []
    assert (pair.run()["changed"], changes()) == (False, [])


def _of_secrets(changed: list[str]) -> list[str]:
    """Verb and name of what was done to the Secrets that istiod reads."""
    words = [re.split(r"[\s/]", one) for one in changed if REMOTE in one]
    return [f"{one[0]} {next(word for word in one if word.startswith(REMOTE))}" for one in words]


def _interim(pair: Pair) -> str:
    """As it is while the other Secret is not there; returns the token in it."""
    secret, west = pair.east.get("secret", REMOTE, pair.namespace), interim_of("west")
    kept = {"labels": secret["metadata"]["labels"], "annotations": {CLUSTER_ANNOTATION: "west"}}
    metadata = {"name": INTERIM, "namespace": pair.namespace, **kept}
    data = {west: secret["data"]["west"]}
    pair.east.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    return str(pair.kubeconfig()["users"][0]["user"]["token"])


def test_a_run_that_was_killed_between_two_secrets_is_finished(pair: Pair, changes: Changes) -> None:
    """By the token that istiod reads the cluster with meanwhile, and the other Secret goes last."""
    pair.run()
    token = _interim(pair)
    pair.east.kubectl("delete", "secret", REMOTE, "-n", pair.namespace)
    changes()
    check, done = pair.run(check=True), pair.run()
    assert (check["plan"], done["renewed"]) == (done["plan"], "a renewal that was cut off is finished")
    assert [(row["action"], row["name"]) for row in done["plan"]] == [("create", REMOTE), ("delete", INTERIM)]
    assert _of_secrets(changes()) == [f"patch {REMOTE}", f"delete {INTERIM}"]
    assert pair.kubeconfig()["users"][0]["user"]["token"] == token
    assert (pair.run()["changed"], changes()) == (False, [])


def test_what_a_killed_renewal_has_left_goes_before_the_next_one(
    pair: Pair, changes: Changes, istiod_in_east: Callable[[str], None]
) -> None:
    pair.run()
    istiod_in_east("1.29.1")
    _interim(pair)
    changes()
    assert pair.run(rotate=True)["renewed"] == "a renewal that was cut off is finished"
    assert _of_secrets(changes()) == [f"delete {INTERIM}"], "the other one was there, by the same token"
    _interim(pair)
    pair.west.kubectl("delete", "secret", f"{ACCOUNT}-a", "-n", pair.namespace)
    changes()
    assert pair.run()["renewed"] == "west does not accept its token any more"
    first, second = [f"patch {INTERIM}", f"delete {REMOTE}"], [f"patch {REMOTE}", f"delete {INTERIM}"]
    assert _of_secrets(changes()) == [f"delete {INTERIM}", *first, *second]
    _interim(pair)
    assert {row["name"] for row in pair.run(state="absent")["plan"][:2]} == {REMOTE, INTERIM}
    assert pair.east.names("secrets", pair.namespace) == set()


def test_an_interim_secret_that_leads_elsewhere_is_not_changed_in_place(
    pair: Pair, changes: Changes, istiod_in_east: Callable[[str], None]
) -> None:
    """A run with a wrong address has got as far as that; istiods that take up no change would not take up this one."""
    pair.run()
    istiod_in_east("1.29.1")
    _leading_elsewhere(pair)
    _interim(pair)
    changes()
    pair.run(take_ownership_from=["kubectl", "kubectl-patch"])
    first, second = [f"patch {INTERIM}", f"delete {REMOTE}"], [f"patch {REMOTE}", f"delete {INTERIM}"]
    assert _of_secrets(changes()) == [f"delete {INTERIM}", *first, *second]
    assert (pair.run()["changed"], changes()) == (False, [])


def _rolled_out(pair: Pair) -> None:
    """What a controller does to istiod's Deployment, and says of it."""
    pair.east.kubectl("delete", "pod", "istiod-old", "-n", pair.namespace, "--force", "--grace-period=0")
    found = pair.east.get("deployment", "istiod", pair.namespace)
    status = json.dumps({"status": {"observedGeneration": found["metadata"]["generation"]}})
    changed = ("patch", "deployment", "istiod", "-n", pair.namespace, "--subresource=status", "--type=merge", "-p")
    pair.east.kubectl(*changed, status)


def _old_pod(pair: Pair) -> None:
    """One of istiod's, from before what comes next by the server's clock, which tells seconds."""
    pod = _istiod(pair.namespace, "1.29.1")["spec"]["template"]
    metadata = {**pod["metadata"], "name": "istiod-old", "namespace": pair.namespace}
    pair.east.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod["spec"]})
    time.sleep(1.1)


def _done(outcome: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["action"], row["name"]) for row in outcome["plan"]]


def test_an_istiod_that_serves_the_cluster_is_restarted(
    pair: Pair, changes: Changes, istiod_in_east: Callable[[str], None]
) -> None:
    """It keeps what it has read until then. A restart that is under way is not begun again, but waited for."""
    pair.run(serves=True)
    istiod_in_east("1.29.1")
    _old_pod(pair)
    changes()
    check = pair.run(check=True, serves=True, rotate=True)
    assert (("update", "istiod") in _done(check), ("update", REMOTE) in _done(check), changes()) == (True, True, [])
    with pytest.raises(NotReady, match="istiod"):
        pair.run(serves=True, rotate=True, wait_timeout=0.5)
    written = changes()
    assert _of_secrets(written) == [f"patch {REMOTE}"]
    assert len([one for one in written if "deployments" in one]) == 1
    with pytest.raises(NotReady, match="istiod"):
        pair.run(serves=True, wait_timeout=0.5)
    assert changes() == []
    assert {f"{ACCOUNT}-a", f"{ACCOUNT}-b"} <= pair.west.names("secrets", pair.namespace), "the old token is still good"
    _rolled_out(pair)
    assert _done(pair.run(serves=True)) == [("delete", f"{ACCOUNT}-a")]
    assert (len(changes()), pair.run(serves=True)["changed"], changes()) == (1, False, [])


def test_a_run_that_was_killed_before_the_restart_restarts(
    pair: Pair, changes: Changes, istiod_in_east: Callable[[str], None]
) -> None:
    """As after one that changed the Secret where no restart was needed; nothing else tells of it."""
    pair.run(serves=True)
    istiod_in_east("1.31.0")
    _old_pod(pair)
    assert pair.run(serves=True, rotate=True)["changed"]
    istiod_in_east("1.29.1")
    changes()
    check = pair.run(check=True, serves=True)
    assert (_done(check), changes()) == ([("update", "istiod")], [])
    _rolled_out(pair)
    assert _done(pair.run(serves=True)) == []


def test_a_secret_that_was_never_changed_restarts_nobody(pair: Pair, istiod_in_east: Callable[[str], None]) -> None:
    """After a run that was killed when it had made the place of a new token."""
    istiod_in_east("1.29.1")
    _old_pod(pair)
    pair.run(serves=True)
    metadata = {"name": f"{ACCOUNT}-b", "namespace": pair.namespace}
    pair.west.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    assert _done(pair.run(serves=True)) == [("delete", f"{ACCOUNT}-b")]


def test_what_a_killed_run_has_left_is_finished(pair: Pair) -> None:
    """After the account was made and before the primary knew of it; and after a new token, before the old one went."""
    pair.run()
    pair.east.kubectl("delete", "secret", REMOTE, "-n", pair.namespace)
    assert pair.run()["renewed"] == "it has no token of ours yet"
    metadata = {"name": f"{ACCOUNT}-b", "namespace": pair.namespace}
    pair.west.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    assert [(row["action"], row["name"]) for row in pair.run()["plan"]] == [("delete", f"{ACCOUNT}-b")]


def test_a_remote_that_is_gone(pair: Pair, changes: Changes) -> None:
    pair.run()
    gone: dict[str, Any] = {"remote": {"host": "https://127.0.0.1:1", "api_key": "none"}, "state": "absent"}
    changes()
    with pytest.raises(Unreachable, match="unreachable: true"):
        pair.run(**gone)
    assert changes() == []
    done = pair.run(remote=None, state="absent", unreachable=True)
    assert [row["name"] for row in done["plan"]] == [REMOTE]
    assert f"ServiceAccount {pair.namespace}/{ACCOUNT}" in done["left"]
    assert "was not asked" in done["warnings"][0]
    assert pair.run(state="absent")["changed"] is True, "what it left is found when the remote is back"


@pytest.fixture
def istiod_in_west(pair: Pair) -> Iterator[Callable[[], None]]:
    """Makes the account that charts bring, with what of its rights is needed here."""
    bound = ("--clusterrole=view", f"--serviceaccount={pair.namespace}:istiod")

    def make() -> None:
        pair.west.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": pair.namespace}})
        pair.west.kubectl("create", "serviceaccount", "istiod", "-n", pair.namespace)
        pair.west.kubectl("create", "clusterrolebinding", pair.namespace, *bound)

    yield make
    pair.west.kubectl("delete", "clusterrolebinding", pair.namespace, "--ignore-not-found")


def test_an_external_control_plane_has_a_file_with_its_token(
    pair: Pair, changes: Changes, istiod_in_west: Callable[[], None]
) -> None:
    config: dict[str, Any] = {"config_account": "istiod"}
    assert [row["kind"] for row in pair.run(check=True, **config)["plan"]] == ["Namespace", "Secret", "Secret"]
    with pytest.raises(RemoteClusterError, match="west has no ServiceAccount"):
        pair.run(**config)
    assert changes() == []
    istiod_in_west()
    done = pair.run(**config)
    again = pair.run(**config)
    assert (again["changed"], again["token_ends"]) == (False, done["token_ends"])
    assert pair.run(rotate=True, **config)["renewed"] == "a new token was asked for"
    assert (_is_refused(_client(_mounted(pair))), pair.there()) == (False, {"secret/istio-config-east-b"})
    told = pair.operations.run("mesh_info", {"gather": ["clusters"], "namespace": pair.namespace})["mesh"]
    told_of = ("name", "cluster", "ours", "token_state", "account")
    rows = [tuple(row[name] for name in told_of) for row in told["clusters"]["remote_secrets"]]
    assert rows == [("istio-kubeconfig", "west", True, "valid", "istiod")]
    assert {row["name"] for row in pair.run(state="absent", **config)["plan"]} == {
        "istio-kubeconfig",
        "istio-config-east-b",
    }
    assert (pair.there(), pair.east.names("secrets", pair.namespace)) == (set(), set())


def _mounted(pair: Pair) -> dict[str, str]:
    """The files that an external istiod has."""
    data = pair.east.get("secret", "istio-kubeconfig", pair.namespace)["data"]
    return {name: base64.b64decode(text).decode() for name, text in data.items()}


def _client(mounted: dict[str, str]) -> Client:
    content = yaml.safe_load(mounted["config"])
    user = content["users"][0]["user"]
    assert user.pop("tokenFile") == "/var/run/secrets/remote/token"
    user["token"] = mounted["token"]
    return Client(connect(ConnectionOptions(kubeconfig=content)))


def test_a_primary_that_is_gone(pair: Pair, changes: Changes) -> None:
    pair.run()
    gone: dict[str, Any] = {"state": "absent", "primary_unreachable": True}
    changes()
    check, done = pair.run(check=True, **gone), pair.run(**gone)
    assert (check["plan"], len(changes()), pair.there()) == (done["plan"], 4, set())
    assert done["left"] == [f"Secret {pair.namespace}/{REMOTE}"]
    assert "east was not asked" in done["warnings"][0]
    assert (pair.run(**gone)["changed"], changes()) == (False, [])


BAD: dict[str, tuple[dict[str, Any], type[Failure], str]] = {
    "loopback": ({"server": None}, RemoteClusterError, "east cannot reach west at https://127.*Give 'server'"),
    "itself": ({"cluster_name": "east"}, RemoteClusterError, "cannot be remote to itself"),
    "name": ({"cluster_name": "West"}, RemoteClusterError, "'West' cannot be the name"),
    "unnamed": ({"remote": None}, RemoteClusterError, "not named"),
    "interim": ({"cluster_name": "west-token-renewal"}, RemoteClusterError, "istiod reads west by that name"),
    "short": ({"token_lifetime": 60}, RemoteClusterError, "less than 600 s"),
    "unreachable": ({"unreachable": True}, RemoteClusterError, "cannot be registered"),
    "primary": ({"primary_unreachable": True}, RemoteClusterError, "cannot be registered"),
    "both": (
        {"state": "absent", "unreachable": True, "primary_unreachable": True},
        RemoteClusterError,
        "nothing to take out",
    ),
    "not https": ({"server": "http://192.0.2.1"}, RemoteClusterError, "does not begin with https://"),
    "no URL": (
        {"server": "192.0.2.1:6443"},
        RemoteClusterError,
        "does not begin with https://.*https://203.0.113.7:6443",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_bad_input_is_refused(bad: str, pair: Pair, changes: Changes) -> None:
    options, kind, message = BAD[bad]
    _refused(pair, changes, kind, message, **options)


def test_the_same_cluster_twice(pair: Pair, changes: Changes) -> None:
    again: dict[str, Any] = {"remote": {"kubeconfig": pair.east.kubeconfig}}
    _refused(pair, changes, RemoteClusterError, "east and west are the same cluster", **again)
    pair.run()
    _refused(pair, changes, RemoteClusterError, "east and west are the same cluster", **again, state="absent")


def test_an_address_of_another_cluster(pair: Pair, changes: Changes) -> None:
    both = f"{re.escape(pair.east.server)}, by which east would read west, does not prove that it is west"
    _refused(pair, changes, CertificateRejected, f"{both}.*mesh_clusters_server of west", server=pair.east.server)


def test_an_address_of_another_cluster_of_the_same_ca(pair: Pair, changes: Changes) -> None:
    """Its certificate is the right one; it shows that it is another when it is asked with what west has made."""
    authority = Path(pair.east.ca_file).read_text(encoding="utf-8")
    why = "does not take the token that west has just made.*mesh_clusters_server of west"
    with pytest.raises(RemoteClusterError, match=f"{re.escape(pair.east.server)} is another cluster than west.*{why}"):
        pair.run(server=pair.east.server, server_ca=authority)
    assert not [line for line in changes() if REMOTE in line], "east reads nobody by that token"
    assert pair.run()["changed"] is True
    assert pair.as_istiod().version()


def test_an_address_of_another_cluster_where_the_remote_alone_is_written(pair: Pair, changes: Changes) -> None:
    """The Secret in the primary leads there already, and the remote has drifted."""
    pair.run()
    _leading_elsewhere(pair)
    pair.west.kubectl("delete", "clusterrolebinding", f"{ACCOUNT}-{pair.namespace}")
    changes()
    with pytest.raises(CertificateRejected, match="by which east would read west"):
        pair.run(server=pair.east.server)
    assert changes() == []


def _leading_elsewhere(pair: Pair) -> None:
    """As a run with that address would have left it."""
    content = pair.kubeconfig()
    content["clusters"][0]["cluster"]["server"] = pair.east.server
    text = base64.b64encode(yaml.safe_dump(content, sort_keys=False).encode()).decode()
    pair.east.patch("secret", REMOTE, pair.namespace, {"data": {"west": text}})


def test_a_second_secret_for_the_same_cluster(pair: Pair, changes: Changes) -> None:
    labels = {"istio/multiCluster": "true"}
    metadata = {"name": "by-hand", "namespace": pair.namespace, "labels": labels}
    pair.east.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"west": "x"}})
    _refused(pair, changes, RemoteClusterError, "by-hand")


def test_a_secret_of_somebody_else_stays(pair: Pair, changes: Changes) -> None:
    metadata = {"name": REMOTE, "namespace": pair.namespace}
    pair.east.apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"west": "eA=="}})
    _refused(pair, changes, Failure, "kubectl")
    _refused(pair, changes, RemoteClusterError, "is not ours.*kubectl", state="absent")
    assert pair.run(take_ownership_from=["kubectl"])["changed"] is True


def _refused(pair: Pair, changes: Changes, kind: type[Failure], message: str, **options: Any) -> None:
    changes()
    for check in (True, False):
        with pytest.raises(kind, match=message):
            pair.run(check=check, **options)
    assert changes() == []


@pytest.mark.parametrize("way", [{}, {"vars": {"ansible_connection": "elsewhere"}}], ids=["worker", "module"])
def test_nothing_shows_a_token(way: dict[str, Any], pair: Pair, runner: Runner) -> None:
    admin = yaml.safe_load(Path(pair.west.kubeconfig).read_text(encoding="utf-8"))["users"][0]["user"]
    named = {"primary": "east", "cluster_name": "west", "namespace": pair.namespace, "server": pair.west.server}
    remote = {"remote": {"kubeconfig": "{{ lookup('file', origin) | from_yaml }}"}}
    calls = [{**named, **remote}, {**named, **remote, "rotate": True}, {**named, **remote, "server": pair.east.server}]
    played = runner.run(
        *({"name": "task", "service_mesh.istio.remote_cluster": call, **way, "ignore_errors": True} for call in calls),
        arguments=["-vvv", "--diff"],
        play={"vars": {"origin": pair.west.kubeconfig}},
    )
    assert [result.status for result in played.results] == ["ok", "ok", "ignored"], played.output
    token = pair.kubeconfig()["users"][0]["user"]["token"]
    texts = {"output": played.output, **contents(files(runner.folder))}
    assert traces([token, admin["client-key-data"]], texts) == []


def test_a_remote_that_forbids_accounts(pair: Pair, changes: Changes) -> None:
    """Nothing is written in the primary either."""
    pair.west.create_namespace(pair.namespace)
    with bound(pair.west, "clusters-remote") as user:
        user.grant(missing=("create", "serviceaccounts"))
        remote = {"kubeconfig": pair.west.kubeconfig, "impersonate_user": user.user}
        _refused(pair, changes, Forbidden, "ServiceAccount .*cannot create resource.*examples/rbac", remote=remote)


def test_credentials_of_a_plugin_stay_where_they_are(pair: Pair, tmp_path: Path) -> None:
    """An istiod cannot run a plugin of ours, so it is given a token of its own."""
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    answer = tmp_path / "credential.json"
    answer.write_text(json.dumps({**credential, "status": {"token": pair.west.token}}), encoding="utf-8")
    kubeconfig = yaml.safe_load(Path(pair.west.kubeconfig).read_text(encoding="utf-8"))
    plugin = {"apiVersion": credential["apiVersion"], "command": "cat", "args": [str(answer)]}
    kubeconfig["users"][0]["user"] = {"exec": {**plugin, "interactiveMode": "Never"}}
    assert pair.run(remote={"kubeconfig": kubeconfig})["changed"] is True
    assert set(pair.kubeconfig()["users"][0]["user"]) == {"token"}
    assert list(pair.as_istiod().list_objects(POD)) == []
