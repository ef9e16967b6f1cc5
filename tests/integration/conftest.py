"""What every test of this folder starts from: the bed's API server, and a fresh namespace on it."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.support import bed
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.crds import install_youngest, remove_youngest
from integration.support.operations import Operations
from integration.support.playbook import Runner

# A cluster with a node needs root; where there is none it is no promise.
collect_ignore = [] if os.geteuid() == 0 else ["test_whole_cluster.py", "test_many_clusters.py"]


def pytest_configure() -> None:
    """A run that is told to end takes its own beds down, as it does for Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """A real API server without nodes."""
    return bed.cluster("api")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The user's own caches are left alone, and hide nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        yield


@pytest.fixture(scope="session")
def charts() -> Path:
    """Istio's official charts."""
    return charts_of(bed.ISTIO)


def charts_of(version: str) -> Path:
    """The official charts of a version."""
    part = f"charts-{version}"
    return bed.parts(part)[part]


@pytest.fixture(scope="session")
def crds(cluster: Cluster, charts: Path) -> Path:
    """Istio's CRDs are installed. The file they come from."""
    file = charts / "base" / "files" / "crd-all.gen.yaml"
    install_crds(cluster, file)
    return file


@pytest.fixture(scope="module")
def every_kind(cluster: Cluster, crds: Path) -> Iterator[Path]:
    """Istio's CRDs, and that of a kind which only a newer Istio has; it goes again for the tests that miss it."""
    install_youngest(cluster)
    yield crds
    remove_youngest(cluster)


def install_crds(cluster: Cluster, file: Path) -> None:
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager", "tests", "-f", str(file))
    cluster.kubectl("wait", "--for=condition=Established", "-f", str(file))


@pytest.fixture(scope="session")
def namespaces(cluster: Cluster) -> Iterator[list[str]]:
    """Namespaces that go away, all at once, when everything is over; their end is not waited for."""
    names: list[str] = []
    yield names
    for name in names:
        cluster.rest.send("DELETE", f"/api/v1/namespaces/{name}", quietly=True)


@pytest.fixture
def new_namespace(namespaces: list[str]) -> str:
    """The name of a namespace that does not exist; the test may create it."""
    namespaces.append(f"test-{uuid.uuid4().hex[:8]}")
    return namespaces[-1]


@pytest.fixture
def namespace(cluster: Cluster, new_namespace: str) -> str:
    """A namespace of the test's own."""
    cluster.create_namespace(new_namespace)
    return new_namespace


@pytest.fixture
def audit(cluster: Cluster) -> Audit:
    assert cluster.audit_log, "this test reads the audit log, which only the bed's own cluster has"
    return Audit(Path(cluster.audit_log))


@pytest.fixture
def operations(cluster: Cluster) -> Operations:
    return Operations({"kubeconfig": cluster.kubeconfig})


@pytest.fixture
def runner(cluster: Cluster, tmp_path: Path) -> Runner:
    """Playbooks whose tasks all have the cluster's kubeconfig."""
    return Runner(tmp_path, {"kubeconfig": cluster.kubeconfig})


@pytest.fixture(scope="session")
def west(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A second API server, for what has to do with two clusters."""
    with bed.own_cluster("api", tmp_path_factory.mktemp("west")) as own:
        yield own


@pytest.fixture
def changes_in_both(cluster: Cluster, west: Cluster) -> Callable[[], list[str]]:
    """What we have persisted in both clusters since the last call."""
    audits = [Audit(Path(one.audit_log)) for one in (cluster, west)]
    marks = [audit.mark() for audit in audits]

    def since_last_call() -> list[str]:
        found = [words for audit, mark in zip(audits, marks, strict=True) for words in audit.persisted(mark)]
        marks[:] = [audit.mark() for audit in audits]
        return found

    return since_last_call


@pytest.fixture
def nothing_persisted(audit: Audit) -> Iterator[None]:
    """The test ends without anything having been written by us."""
    mark = audit.mark()
    yield
    assert audit.persisted(mark) == []


@pytest.fixture
def changes(audit: Audit) -> Callable[[], list[str]]:
    """What we have persisted since the last call."""
    marks = [audit.mark()]

    def since_last_call() -> list[str]:
        marks.append(audit.mark())
        return audit.persisted(marks[-2])

    return since_last_call
