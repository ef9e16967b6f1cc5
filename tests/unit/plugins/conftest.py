"""No test here may find a cluster by accident, or fail because the machine is slow.

What a person's shell says of a cluster is taken away, and Hypothesis measures no time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio import yaml_text
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.yaml_loader import limited_loader
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _no_cluster_around(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    named = [name for name in os.environ if name.startswith(("K8S_AUTH_", "KUBERNETES_"))]
    for name in [*named, "KUBECONFIG"]:
        monkeypatch.delenv(name, raising=False)
    home: Path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))


@pytest.fixture(params=["C", "Python"])
def each_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PyYAML with its loader in C, and as it is where that was not built: they say different things of one mistake."""

    def forget() -> None:
        limited_loader.cache_clear()
        yaml_text._loader.cache_clear()

    if request.param == "Python":
        monkeypatch.delattr(yaml, "CSafeLoader")
    forget()
    yield
    forget()
