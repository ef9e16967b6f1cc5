"""What must fail fails before anything is written, and says so in words that help: as a person sees it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.support import bad_input, failures
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.failing import Row, World
from integration.support.playbook import Result, Runner
from integration.support.servers import expired_certificate, file_server, tls_server

TABLES = (*failures.TABLES, *bad_input.TABLES)


@pytest.fixture(scope="module")
def world(
    cluster: Cluster, charts: Path, crds: Path, namespaces: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    assert crds
    namespaces.append(f"test-failures-{tmp_path_factory.getbasetemp().name}")
    cluster.create_namespace(namespaces[-1])
    folder = tmp_path_factory.mktemp("failures")
    with tls_server(expired_certificate(cluster, folder)) as port, file_server(charts / "archives") as repository:
        world = World(cluster, charts, namespaces[-1], folder, port, repository)
        cluster.apply(world.manifest("theirs", hosts=["ratings"]), manager="somebody")
        cluster.apply(config_map("settings", namespaces[-1]), foreign_parent(namespaces[-1]))
        with ending(cluster, world.ending):
            yield world


def foreign_parent(namespace: str) -> dict[str, Any]:
    """What a set of kubectl is kept by."""
    return config_map("kubectls", namespace, annotations={"applyset.kubernetes.io/tooling": "kubectl/v1.34"})


def config_map(name: str, namespace: str, **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace, **metadata}}


@contextlib.contextmanager
def ending(cluster: Cluster, name: str) -> Iterator[None]:
    """A namespace is being deleted, and an object that cannot go keeps it."""
    cluster.create_namespace(name)
    cluster.apply(config_map("stays", name, finalizers=["example.com/stays"]))
    cluster.kubectl("delete", "namespace", name, "--wait=false")
    yield
    cluster.patch("configmap", "stays", name, {"metadata": {"finalizers": None}})


@pytest.fixture(scope="module")
def failed(world: World) -> dict[str, Result]:
    """All rows as tasks of one playbook, of which nothing was persisted."""
    assert world.cluster.audit_log
    audit = Audit(Path(world.cluster.audit_log))
    mark = audit.mark()
    played = Runner(world.folder).run(*(row.task() for table in TABLES for row in table(world)))
    assert audit.persisted(mark) == []
    for result in played.results:
        message = result.data["msg"]
        assert message[:60] in played.output.replace('\\"', '"').replace("\\n", "\n"), (
            "what is recorded is what is shown"
        )
    return {result.task: result for result in played.results}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__)
def test_message_and_code(table: Callable[[World], list[Row]], world: World, failed: dict[str, Result]) -> None:
    untold = (row.untold(failed[row.id]) for row in table(world))
    assert [lack for lack in untold if lack] == []


def test_token_is_in_no_message(world: World, failed: dict[str, Result]) -> None:
    texts = [str(result.data) for result in failed.values()]
    assert not [text for text in texts if world.cluster.token in text or "wrong-token" in text]
