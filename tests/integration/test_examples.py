"""The examples in the documentation of every kind: an API server with Istio's CRDs takes each as it stands."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from integration.support.bed import Cluster
from integration.support.crds import install_youngest, remove_youngest
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("every_kind", "nothing_persisted")
MODULES = "ansible_collections.service_mesh.istio.plugins.modules"
# An example shows one object, and not the others that it works with.
ALONE = ["subset_not_defined"]


@pytest.fixture(scope="module")
def every_kind(cluster: Cluster, crds: object) -> Iterator[object]:
    install_youngest(cluster)
    yield crds
    remove_youngest(cluster)


def examples() -> Iterator[Any]:
    for kind in KINDS:
        for number, task in enumerate(yaml.safe_load(importlib.import_module(f"{MODULES}.{kind.name}").EXAMPLES)):
            yield pytest.param(kind.name, task[f"service_mesh.istio.{kind.name}"], id=f"{kind.name}-{number}")


@pytest.mark.parametrize(("module", "arguments"), list(examples()))
def test_example_is_taken(module: str, arguments: dict[str, Any], namespace: str, operations: Operations) -> None:
    """On the test's own cluster and in its own namespace; the rest is the example's."""
    own = {**arguments, "namespace": namespace, "ignore_checks": ALONE}
    del own["context"]
    result = operations.run(module, own, check=True)
    assert result["summary"]["create"] == (0 if own.get("state") == "absent" else 1)
