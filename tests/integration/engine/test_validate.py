"""Validating by the schema alone: what it finds before the first write, what only writing finds, and what it spares."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Invalid, NotFound
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import InvalidObject
from integration.engine.driver import Engine, Object, config_map, named, state, verbs, virtual_service
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("crds")
BY_SCHEMA = "validated by its schema: the server has not been asked"
# What no schema says: the CRD's CEL rule wants one of them.
UNREASONABLE = {"selector": {"matchLabels": {"app": "a"}}, "targetRef": {"kind": "Service", "group": "", "name": "a"}}


@pytest.fixture
def engine(cluster: Cluster) -> Engine:
    return Engine(cluster.kubeconfig)


def policy(name: str, namespace: str, **spec: Any) -> Object:
    return named("AuthorizationPolicy", name, namespace, "security.istio.io/v1", spec=spec)


def routes(namespace: str, count: int = 6) -> list[Object]:
    return [virtual_service(f"v{number}", namespace, f"v{number}.{namespace}.example") for number in range(count)]


def test_only_the_first_of_a_kind_and_namespace_is_asked_about(namespace: str, engine: Engine, audit: Audit) -> None:
    wanted = [*routes(namespace), *(policy(f"p{number}", namespace, action="DENY") for number in range(3))]
    mark = audit.mark()
    outcome = engine.run(wanted, validate="schema")
    assert [row["reason"] for row in outcome.plan()].count(BY_SCHEMA) == 7
    asked = [event["requestURI"] for event in audit.requests(mark) if "dryRun" in event["requestURI"]]
    assert len(asked) == 2
    assert len(audit.persisted(mark)) == len(outcome.plan()) == 9
    assert not engine.run(wanted).changed


def test_the_result_is_that_of_validating_by_the_server(
    cluster: Cluster, namespace: str, operations: Operations
) -> None:
    strict = {"namespace": namespace, "mtls": {"mode": "STRICT"}}
    entries = [{"name": f"p{n}", "selector": {"matchLabels": {"app": f"a{n}"}}, **strict} for n in range(3)]
    options = {"peer_authentications": entries}
    by_schema = operations.run("config", {**options, "validate": "schema"})
    made = state(cluster, namespace, "peerauthentications")
    operations.run("config", {**options, "state": "absent"})
    assert operations.run("config", options)["summary"] == by_schema["summary"]
    assert state(cluster, namespace, "peerauthentications") == made


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"action": "REFUSE"}, "spec.action: 'REFUSE' is not one of"),
        ({"rule": []}, "unknown field 'spec.rule' (did you mean 'rules'?)"),
        ({"rules": {}}, "spec.rules: {} is not of type 'array'"),
    ],
)
@pytest.mark.usefixtures("nothing_persisted")
def test_what_a_schema_says_is_found_before_the_first_write(
    namespace: str, engine: Engine, spec: dict[str, Any], sentence: str
) -> None:
    wanted = [policy("a", namespace, action="DENY"), policy("b", namespace, **spec)]
    with pytest.raises(InvalidObject) as refusal:
        engine.run(wanted, validate="schema")
    assert str(refusal.value).startswith(f"AuthorizationPolicy {namespace}/b is not valid: {sentence}")


@pytest.mark.usefixtures("nothing_persisted")
@pytest.mark.parametrize("validate", ["server", "schema"])
def test_all_objects_that_are_not_valid_are_told_at_once(namespace: str, engine: Engine, validate: str) -> None:
    wrong = [policy("a", namespace, action="REFUSE"), policy("b", namespace, **UNREASONABLE)]
    wanted = [Desired(one, f"objects[{number}]") for number, one in enumerate([*wrong, *routes(namespace, 2)])]
    wanted.append(Desired(policy("c", namespace, rules={}), "shop.yaml, document 2"))
    with pytest.raises((Invalid, InvalidObject), match="objects are not valid") as refusal:
        engine.run(wanted, validate=validate, check=True)
    told = [
        f"AuthorizationPolicy {namespace}/a (objects[0]): ",
        f"AuthorizationPolicy {namespace}/c (shop.yaml, document 2): ",
    ]
    # What no schema says of the second object of its kind shows itself while writing.
    told += [f"AuthorizationPolicy {namespace}/b (objects[1]): "] if validate == "server" else []
    assert [words for words in told if words not in str(refusal.value)] == []
    assert str(refusal.value).startswith(f"{len(told)} objects are not valid: ")


@pytest.mark.usefixtures("nothing_persisted")
def test_a_missing_namespace_is_found_before_the_first_write(namespace: str, engine: Engine) -> None:
    with pytest.raises(NotFound, match=f"The namespace of VirtualService {namespace}-no/v0 does not exist"):
        engine.run([*routes(namespace), *routes(f"{namespace}-no", 1)], validate="schema")


@pytest.mark.usefixtures("nothing_persisted")
@pytest.mark.parametrize("check", [True, False])
def test_what_the_schema_says_is_found_in_a_namespace_that_comes_with_it(
    new_namespace: str, engine: Engine, check: bool
) -> None:
    home: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": new_namespace}}
    strict = named("PeerAuthentication", "strict", new_namespace, "security.istio.io/v1")
    wanted = [home, config_map("a", new_namespace), {**strict, "spec": {"mtls": {"mode": "STRICT"}}}]
    unasked = f"not verified by the server: namespace {new_namespace} is only planned"
    assert [row["reason"] for row in engine.run(wanted, check=True).plan()] == ["", unasked, unasked]
    with pytest.raises(InvalidObject, match=r"spec\.mtls\.mode: 'STRICTT' is not one of"):
        engine.run([*wanted[:2], {**strict, "spec": {"mtls": {"mode": "STRICTT"}}}], check=check)


def test_what_only_the_server_knows_is_found_while_writing_and_taken_back(
    cluster: Cluster, namespace: str, engine: Engine
) -> None:
    wanted = [policy("a", namespace, action="DENY"), policy("b", namespace, **UNREASONABLE)]
    with pytest.raises(Invalid, match="only one of targetRefs or selector can be set"):
        Engine(cluster.kubeconfig).run(wanted, check=True)
    with pytest.raises(Exception, match=r"What this run had changed before is restored: \d of \d") as failure:
        engine.run([*routes(namespace, 2), *wanted], validate="schema")
    assert "only one of targetRefs or selector can be set" in str(failure.value)
    assert cluster.names("virtualservice", namespace) | cluster.names("authorizationpolicy", namespace) == set()


def test_what_exists_is_asked_about_as_ever(namespace: str, engine: Engine) -> None:
    """What would change is the server's to say, and so is what a schema in pieces means."""
    ports = [{"port": 80}]
    engine.run(routes(namespace, 2))
    wanted = [
        virtual_service("v0", namespace, f"other.{namespace}.example"),
        *routes(namespace, 4)[1:],
        *(named("Service", f"s{number}", namespace, spec={"ports": ports}) for number in range(2)),
    ]
    outcome = engine.run(wanted, validate="schema", check=True)
    assert verbs(outcome) == [
        ("create", "Service", "s0"),
        ("create", "Service", "s1"),
        ("update", "VirtualService", "v0"),
        ("create", "VirtualService", "v2"),
        ("create", "VirtualService", "v3"),
    ]
    assert [row["reason"] for row in outcome.plan()] == ["", "", "", "", BY_SCHEMA]
