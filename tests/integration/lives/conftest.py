"""Control planes come and go here: each file of tests has an API server for itself, as a mesh has a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.conftest import install_crds
from integration.support import bed
from integration.support.bed import Cluster
from integration.support.operations import Operations
from integration.support.planes import Planes
from integration.support.revisions import Revisions


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real API server without nodes, empty at first and gone at the end."""
    with bed.own_cluster("api", tmp_path_factory.mktemp("bed")) as own:
        yield own


@pytest.fixture(scope="module")
def crds(cluster: Cluster, charts: Path) -> Path:
    """Istio's CRDs are installed on this file's server. The file they come from."""
    file = charts / "base" / "files" / "crd-all.gen.yaml"
    install_crds(cluster, file)
    return file


@pytest.fixture(scope="module")
def namespaces() -> list[str]:
    """Namespaces need no tidying away: the whole server goes."""
    return []


@pytest.fixture
def revisions(cluster: Cluster, charts: Path, namespace: str) -> Iterator[Revisions]:
    made = Revisions(cluster, charts, namespace)
    made.remove()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def answering(cluster: Cluster, charts: Path) -> Iterator[Revisions]:
    """The default control plane where it usually is; it answers."""
    cluster.create_namespace("istio-system")
    made = Revisions(cluster, charts, "istio-system")
    made.install()
    made.answer()
    yield made
    made.remove()


@pytest.fixture
def planes(
    cluster: Cluster, operations: Operations, new_namespace: str, changes: Callable[[], list[str]]
) -> Iterator[Planes]:
    made = Planes(cluster, operations, new_namespace, changes)
    yield made
    made.remove()
