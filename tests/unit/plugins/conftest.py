"""No test here may find a cluster by accident: what a person's shell says of one is taken away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_cluster_around(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    named = [name for name in os.environ if name.startswith(("K8S_AUTH_", "KUBERNETES_"))]
    for name in [*named, "KUBECONFIG"]:
        monkeypatch.delenv(name, raising=False)
    home: Path = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
