"""A kind that comes with the very task that writes its first objects: its CRD is written, waited for, and used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import UnknownKind
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objectset import ObjectSet
from integration.engine.driver import Engine, Object, config_map, named, verbs
from integration.support.audit import Audit
from integration.support.bed import Cluster

CRD = "CustomResourceDefinition"
Make = Callable[..., Object]


@pytest.fixture
def engine(cluster: Cluster) -> Engine:
    return Engine(cluster.kubeconfig)


@pytest.fixture
def group(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A group that no other test has; its CRDs go with the test."""
    group = f"{namespace}.example.com"
    yield group
    cluster.kubectl("delete", "crd", "--ignore-not-found", *(f"{plural}.{group}" for plural in ("foos", "bars")))


def version_of(name: str, *fields: str, storage: bool = True) -> Object:
    properties = {field: {"type": "string"} for field in fields}
    spec = {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}
    return {"name": name, "served": True, "storage": storage, "schema": {"openAPIV3Schema": spec}}


def crd(group: str, *versions: Object, kind: str = "Foo", scope: str = "Namespaced") -> Object:
    names = {"kind": kind, "plural": f"{kind.lower()}s", "singular": kind.lower(), "listKind": f"{kind}List"}
    found = list(versions) or [version_of("v1", "colour")]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": CRD,
        "metadata": {"name": f"{names['plural']}.{group}"},
        "spec": {"group": group, "names": names, "scope": scope, "versions": found},
    }


def foo(group: str, namespace: str, name: str = "f", version: str = "v1", kind: str = "Foo", **spec: str) -> Object:
    made = named(kind, name, namespace, f"{group}/{version}", spec=spec or {"colour": "red"})
    if not namespace:
        del made["metadata"]["namespace"]
    return made


def given(validate: str, namespace: str, in_set: bool) -> dict[str, Any]:
    return {"validate": validate, "object_set": ObjectSet("shop", namespace, prune=True) if in_set else None}


def discoveries(audit: Audit, mark: int, group: str) -> list[str]:
    paths = [event["requestURI"].partition("?")[0] for event in audit.requests(mark)]
    return [path for path in paths if path.startswith(f"/apis/{group}/") and path.count("/") == 3]


@pytest.mark.parametrize("validate", ["server", "schema"])
@pytest.mark.parametrize("scope", ["Namespaced", "Cluster"])
@pytest.mark.parametrize("in_set", [False, True], ids=["alone", "in-a-set"])
def test_one_run_writes_both_and_the_next_nothing(
    engine: Engine, audit: Audit, namespace: str, group: str, validate: str, scope: str, in_set: bool
) -> None:
    home = namespace if scope == "Namespaced" else ""
    wanted = [crd(group, scope=scope), *(foo(group, home, name) for name in ("f", "g"))]
    options = given(validate, namespace, in_set)
    planned = engine.run(wanted, check=True, **options)
    mark = audit.mark()
    done = engine.run(wanted, **options)
    assert verbs(done) == verbs(planned)
    assert ("create", "Foo", "f") in verbs(done)
    # Once to plan, and then until it is served.
    assert len(discoveries(audit, mark, group)) in (2, 3)
    mark = audit.mark()
    assert not engine.run(wanted, **options).changed
    assert audit.persisted(mark) == []
    assert len(discoveries(audit, mark, group)) == 1


def test_kinds_of_one_group_are_asked_for_together(engine: Engine, audit: Audit, namespace: str, group: str) -> None:
    kinds = ("Foo", "Bar")
    wanted = [*(crd(group, kind=kind) for kind in kinds), *(foo(group, namespace, kind=kind) for kind in kinds)]
    mark = audit.mark()
    assert len(verbs(engine.run(wanted))) == 4
    assert len(discoveries(audit, mark, group)) <= 4
    assert not engine.run(wanted).changed


@pytest.mark.parametrize("in_set", [False, True], ids=["alone", "in-a-set"])
@pytest.mark.parametrize("validate", ["server", "schema"])
def test_a_crd_that_gets_a_new_version(engine: Engine, namespace: str, group: str, in_set: bool, validate: str) -> None:
    """Objects of both versions, and one that stays the same object in the other version."""
    options = given(validate, namespace, in_set)
    engine.run([crd(group), foo(group, namespace, "old")], **options)
    newer = crd(group, version_of("v1", "colour"), version_of("v2", "colour", "size", storage=False))
    wanted = [
        newer,
        foo(group, namespace, "old"),
        *(foo(group, namespace, name, "v2", colour="red", size="1") for name in ("new", "newer")),
    ]
    planned = engine.run(wanted, check=True, **options)
    done = engine.run(wanted, **options)
    assert verbs(done) == verbs(planned)
    assert ("create", "Foo", "newer") in verbs(done)
    assert not engine.run(wanted, **options).changed


@pytest.mark.usefixtures("nothing_persisted")
@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("wrong", [{"kind": "Bar"}, {"version": "v9"}], ids=["kind", "version"])
def test_a_kind_that_nobody_serves_is_refused_before_the_first_write(
    engine: Engine, namespace: str, group: str, wrong: dict[str, str], check: bool
) -> None:
    """The CRD of the task brings another kind, or not this version."""
    wanted = [config_map("a", namespace, a="1"), crd(group), foo(group, namespace, **wrong)]
    with pytest.raises(UnknownKind, match="does not serve the kind"):
        engine.run(wanted, check=check)
