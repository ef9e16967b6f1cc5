"""The ClusterRoles of examples/rbac are enough and no wider: all that is granted is used, what is missing is named."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from faults import Proxy, Rule
from faults.catalogue import FAULTS
from integration.engine.bound import Bound, Verb, bound, example
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.case import Case
from integration.support.cases import CASES
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("crds")
ROUTES = "virtualservices.networking.istio.io"
LEASES = "leases.coordination.k8s.io"
Options = dict[str, Any]


@pytest.fixture
def configuration(cluster: Cluster) -> Iterator[Bound]:
    with bound(cluster, "configuration") as found:
        yield found


def in_set(namespace: str, *names: str) -> Options:
    """Istio's objects in a set that prunes: everything that `config` may have to do."""
    rows = [{"name": name, "namespace": namespace, "hosts": [name]} for name in names]
    return {"set": "shop", "set_namespace": namespace, "prune": True, "virtual_services": rows}


def with_another_kind(options: Options) -> Options:
    """A kind more than later on, so that the set's parent changes as well."""
    row = {"name": "goes", "namespace": options["set_namespace"], "hosts": ["goes.example.com"]}
    return {**options, "service_entries": [row]}


def one(namespace: str, *hosts: str) -> Options:
    return {"name": "one", "namespace": namespace, "hosts": list(hosts)}


def strict(namespace: str) -> Options:
    """A policy whose check looks at Pods."""
    return {"name": "default", "namespace": namespace, "mtls": {"mode": "STRICT"}}


def many(namespace: str, state: str) -> Options:
    """So many objects of a kind that they are read by a list."""
    rows = [{"name": f"many-{number}", "namespace": namespace, "hosts": [f"many-{number}"]} for number in range(5)]
    return {"state": state, "virtual_services": rows}


def expired(namespace: str) -> Options:
    """The lock of a run that was killed elsewhere."""
    spec = {"holderIdentity": "elsewhere/1/x", "renewTime": "2020-01-01T00:00:00.000000Z", "leaseDurationSeconds": 1}
    metadata = {"name": "shop", "namespace": namespace}
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}


def refused(by: Operations, module: str, options: Options, missing: Verb, *, check: bool = False) -> None:
    """The task fails, with a sentence that names verb and resource, and has changed nothing."""
    with pytest.raises(Failure) as raised:
        by.run(module, options, check=check)
    assert raised.value.as_dict()["code"] == "forbidden", str(raised.value)
    assert names(str(raised.value), missing), str(raised.value)
    assert "examples/rbac" in raised.value.hint
    assert not raised.value.changed


def names(text: str, missing: Verb) -> bool:
    verb, name = missing
    return f'cannot {verb} resource "{name.partition(".")[0]}"' in text


NEEDED = [
    *((verb, ROUTES) for verb in ("get", "list", "patch", "create", "delete")),
    *((verb, "configmaps") for verb in ("get", "patch")),
    *((verb, LEASES) for verb in ("get", "create")),
]


def test_configuration(configuration: Bound, cluster: Cluster, namespace: str) -> None:
    Operations({"kubeconfig": cluster.kubeconfig}).run("config", in_set(namespace, "stays", "goes"))
    wanted = in_set(namespace, "stays", "comes")
    for missing in NEEDED:
        configuration.grant(missing)
        refused(configuration.operations, "config", wanted, missing)
    configuration.grant(("create", "configmaps"))
    fresh = {**in_set(namespace, "new"), "set": "fresh"}
    refused(configuration.operations, "config", fresh, ("create", "configmaps"), check=True)
    cluster.apply(expired(namespace))
    configuration.grant(("update", LEASES))
    refused(configuration.operations, "config", wanted, ("update", LEASES))
    assert cluster.names("virtualservices", namespace) == {"stays", "goes"}
    configuration.grant()
    assert configuration.operations.run("config", wanted)["changed"]
    assert configuration.operations.run("virtual_service", one(namespace, "a"))["changed"]
    assert not configuration.operations.run("virtual_service", one(namespace, "a"), check=True)["changed"]
    assert cluster.names("virtualservices", namespace) == {"stays", "comes", "one"}


@pytest.mark.usefixtures("every_kind")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_configuration_is_enough_for_every_kind(
    configuration: Bound, cluster: Cluster, namespace: str, case: Case
) -> None:
    wanted = case.given(namespace)
    labelled = {**wanted, "labels": {"team": "other"}}
    for options in (wanted, labelled, {**labelled, "state": "absent"}):
        assert configuration.operations.run(case.module, options)["changed"]
    assert cluster.names(case.resource, namespace) == set()
    kind = case.kind.resource
    missing = ("create", f"{kind.plural}.{kind.group}")
    configuration.grant(missing)
    refused(configuration.operations, case.module, wanted, missing)


def test_what_is_left_undone_without_a_verb_is_said(configuration: Bound, cluster: Cluster, namespace: str) -> None:
    """A lock that stays and a check that is not made are no failures, but warnings."""
    configuration.grant(("delete", LEASES))
    done = configuration.operations.run("config", in_set(namespace, "a"))
    assert any(names(text, ("delete", LEASES)) for text in done["warnings"])
    assert cluster.names("leases", namespace) == {"shop"}
    configuration.grant(("list", "pods"))
    done = configuration.operations.run("peer_authentication", strict(namespace))
    assert any(names(text, ("list", "pods")) for text in done["warnings"])


TAKEN_BACK = [
    (("update", ROUTES), "virtualservices/stays"),
    (("delete", ROUTES), "virtualservices/stays"),
    (("update", "configmaps"), "configmaps/shop"),
    (("delete", "configmaps"), "configmaps/fresh"),
]


@pytest.mark.parametrize(("missing", "lost"), TAKEN_BACK)
def test_what_cannot_be_taken_back_without_a_verb_is_named(
    configuration: Bound, cluster: Cluster, namespace: str, missing: Verb, lost: str
) -> None:
    """The answer to the last write is lost, so that the run is taken back; with the role all of it can be."""
    fresh = {"set": lost.partition("/")[2]} if lost.startswith("configmaps") else {"set": "shop"}
    if missing[0] == "update":
        Operations({"kubeconfig": cluster.kubeconfig}).run("config", with_another_kind(in_set(namespace, "stays")))
    wanted = {**in_set(namespace, "stays", "two"), **fresh}
    wanted["virtual_services"][0]["hosts"] = ["changed"]
    with Proxy(cluster) as proxy:
        operations = configuration.through(proxy.kubeconfig)
        for lacking in (None, missing):
            configuration.grant(lacking)
            proxy.play([Rule(FAULTS["truncated"], verb="apply", path=f"{lost}\\?", dry_run=False, nth={last(lost)})])
            with pytest.raises(Failure) as raised:
                operations.run("config", wanted)
            assert names(str(raised.value), missing) == bool(lacking), str(raised.value)
            if not lacking:
                assert "Not restored" not in str(raised.value)


def last(lost: str) -> int:
    """The parent of a set is written twice: wide before everything else, exact at the end."""
    return 2 if lost.startswith("configmaps") else 1


def test_configuration_has_nothing_that_nothing_needs(
    configuration: Bound, cluster: Cluster, audit: Audit, namespace: str
) -> None:
    mark = audit.mark()
    operations = configuration.operations
    cluster.apply(expired(namespace))
    operations.run("config", with_another_kind(in_set(namespace, "stays")))
    operations.run("peer_authentication", strict(namespace))
    for state in ("present", "absent"):
        operations.run("config", many(namespace, state))
    with Proxy(cluster) as proxy:
        through = configuration.through(proxy.kubeconfig)
        for name, number in (("shop", 2), ("fresh", 2)):
            path = f"configmaps/{name}\\?"
            proxy.play([Rule(FAULTS["truncated"], verb="apply", path=path, dry_run=False, nth={number})])
            with pytest.raises(Failure, match="is restored"):
                through.run("config", {**in_set(namespace, "stays"), "set": name, "adopt": True})
    assert {(verb, _group(name)) for verb, name in configuration.used(mark)} == {
        (verb, _group(name)) for verb, name in configuration.granted
    }


def _group(name: str) -> str:
    """Istio's groups stand in one rule; which of them has used a verb does not matter."""
    return "*" if name.startswith("*.") else name


@pytest.mark.parametrize(
    "name",
    [
        "read",
        "configuration",
        "lifecycle",
        "removal",
        "adoption",
        "injection",
        "proxy-logs",
        "trust",
        "clusters-primary",
        "clusters-remote",
    ],
)
def test_every_role_is_an_example_of_its_own(name: str) -> None:
    """Each file holds one ClusterRole, whose name says what it is for."""
    role = example(name)
    assert (role["kind"], role["metadata"]["name"]) == ("ClusterRole", f"service-mesh-istio-{name}")
