"""What is restarted: what runs an old proxy, unless its old Pods are on their way out already."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rolling_restart import (
    RESTARTED_AT,
    is_leaving,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.snapshot import Snapshot

MADE = "2026-01-01T10:00:00Z"


def cluster(restarted: str) -> Snapshot:
    annotations = {RESTARTED_AT: restarted} if restarted else {}
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": []}}
    found = {"kind": "Deployment", "metadata": {"name": "app", "namespace": "web"}, "spec": {"template": template}}
    return Snapshot("here", "v1.34.4", {"Deployment.apps": [found]})


def pod(**more: Any) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": "app-77f6"}
    metadata = {"name": "app-77f6-1", "namespace": "web", "creationTimestamp": MADE, "ownerReferences": [owner]}
    return {"kind": "Pod", "metadata": {**metadata, "labels": {"pod-template-hash": "77f6"}, **more}}


@pytest.mark.parametrize(
    ("restarted", "leaving"),
    [
        ("", False),
        ("2026-01-01T09:59:59Z", False),
        (MADE, False),
        ("2026-01-01T10:00:01Z", True),
        ("2026-01-01T12:00:01+02:00", True),
        ("2026-01-01T11:30:00+02:00", False),
        ("yesterday", False),
    ],
)
def test_a_pod_from_before_the_last_restart_is_leaving(restarted: str, leaving: bool) -> None:
    assert is_leaving(cluster(restarted), pod()) is leaving


def test_a_pod_that_is_being_deleted_is_leaving() -> None:
    assert is_leaving(cluster(""), pod(deletionTimestamp=MADE))


def test_a_pod_that_nobody_makes_again_is_not_leaving() -> None:
    assert not is_leaving(cluster("2026-01-02T10:00:00Z"), pod(ownerReferences=[]))
