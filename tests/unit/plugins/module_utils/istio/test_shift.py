"""Shares of namespaces, and the record of an upgrade."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio import upgrade_record
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.shares import share_of
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.upgrade_record import (
    Side,
    Upgrade,
    UpgradeError,
    config_map,
)

NAMES = [f"team-{number}" for number in range(1000)]
UPGRADE = Upgrade("revision", Side("1.29.1", "default"), Side("1.31.0", "1-31-0"))


def test_a_larger_percentage_contains_the_smaller() -> None:
    shares = [{name for name in NAMES if share_of(name) < percentage} for percentage in (0, 10, 50, 100)]
    assert shares[0] == set()
    assert shares[0] <= shares[1] <= shares[2] <= shares[3] == set(NAMES)
    assert 60 < len(shares[1]) < 140
    assert 430 < len(shares[2]) < 570


def test_a_large_mesh_fits_into_the_record() -> None:
    entry = {"manager": "kubectl-label", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {}}}}
    spaces = [{"name": name * 3, "labels": {"istio.io/rev": "r1"}, "managers": [entry]} for name in NAMES * 10]
    found = config_map(Upgrade("revision", UPGRADE.before, UPGRADE.after, (), spaces), "istio-system")
    assert len(found["data"]["before"]) < 200_000


def test_what_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upgrade_record, "_LARGEST", 10)
    with pytest.raises(UpgradeError, match="too much for a ConfigMap"):
        config_map(UPGRADE, "istio-system")
