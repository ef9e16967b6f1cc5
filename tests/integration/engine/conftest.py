"""The engine's tests have an API server for themselves, so that they may run beside the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from integration.support import bed
from integration.support.bed import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A real API server without nodes, one for each worker."""
    with bed.own_cluster("api", tmp_path_factory.mktemp("bed")) as own:
        yield own
