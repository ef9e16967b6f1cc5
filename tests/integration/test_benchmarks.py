"""The benchmarks' objects are valid for a real API server, and a measured process leaves its requests in the log."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from benchmarks import workload
from benchmarks.measure import Command, Laboratory
from benchmarks.rows import FRESH, KUBECTL, Row
from integration.support.audit import Audit
from integration.support.bed import Cluster


@pytest.mark.usefixtures("crds")
def test_every_kind_is_valid_and_a_dry_run_persists_nothing(
    cluster: Cluster, namespace: str, audit: Audit, tmp_path: Path
) -> None:
    """Two blocks hold all kinds."""
    made = workload.objects(2 * workload.BLOCK, [namespace])
    (tmp_path / "objects.yaml").write_text(yaml.safe_dump_all(made), encoding="utf-8")
    dry = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "objects.yaml")
    argv = (str(cluster.bin / "kubectl"), "--kubeconfig", cluster.kubeconfig, *dry)
    command = Command(Row(FRESH, KUBECTL), argv, "kubectl", says=("serverside-applied (server dry run)", len(made)))
    sample = Laboratory(tmp_path, {"HOME": str(tmp_path), "PATH": ""}, audit).measure(command)
    assert sample.requests >= len(made)
    assert sample.writes == 0
