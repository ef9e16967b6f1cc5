"""What a rolling update takes down at once, as Kubernetes computes it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.disruption import hindrance, lacks, takes_down

Made = dict[str, Any]
TEMPLATE = {"metadata": {"labels": {"app": "shop"}}}


def deployment(replicas: int = 3, kind: str = "RollingUpdate", **rolling: Any) -> Made:
    strategy = {"type": kind, **({"rollingUpdate": rolling} if rolling else {})}
    return {"kind": "Deployment", "spec": {"replicas": replicas, "strategy": strategy, "template": TEMPLATE}}


def stateful_set(replicas: int = 3, **rolling: Any) -> Made:
    update = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return {"kind": "StatefulSet", "spec": {"replicas": replicas, "updateStrategy": update, "template": TEMPLATE}}


def daemon_set(nodes: int = 3, **rolling: Any) -> Made:
    spec = {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}, "template": TEMPLATE}
    return {"kind": "DaemonSet", "spec": spec, "status": {"desiredNumberScheduled": nodes}}


def budget(selector: Made | None = None, **spec: Any) -> Made:
    chosen = {"matchLabels": {"app": "shop"}} if selector is None else selector
    return {"metadata": {"name": "shop"}, "spec": {"selector": chosen, **spec}}


@pytest.mark.parametrize(
    ("workload", "down"),
    [
        (deployment(1), 0),
        (deployment(3), 0),
        (deployment(4), 1),
        (deployment(10, maxUnavailable="25%", maxSurge="25%"), 2),
        (deployment(3, maxUnavailable=0, maxSurge=1), 0),
        (deployment(3, maxUnavailable=0, maxSurge=0), 1),
        (deployment(3, "Recreate"), 3),
        (stateful_set(3), 1),
        (stateful_set(3, maxUnavailable=2), 2),
        (daemon_set(5), 1),
        (daemon_set(5, maxUnavailable="30%"), 2),
        (daemon_set(5, maxUnavailable=0, maxSurge=1), 0),
    ],
)
def test_how_many_are_away_at_once(workload: Made, down: int) -> None:
    assert takes_down(workload) == down


@pytest.mark.parametrize(
    ("workload", "budgets", "why"),
    [
        (deployment(1), [], ""),
        (deployment(1), [budget(maxUnavailable=0)], ""),
        (deployment(3, "Recreate"), [], "all of its 3 Pods"),
        (stateful_set(1), [], "its only Pod"),
        (stateful_set(3), [], ""),
        (daemon_set(1), [], "its only Pod"),
        (stateful_set(3), [budget(minAvailable=3)], "PodDisruptionBudget shop allows 0"),
        (stateful_set(3), [budget(minAvailable=2)], ""),
        (stateful_set(3), [budget(minAvailable="50%")], ""),
        (stateful_set(3), [budget(minAvailable="100%")], "takes down 1 of 3 Pods at once"),
        (stateful_set(3), [budget(maxUnavailable="10%")], ""),
        (stateful_set(3), [budget(maxUnavailable=0)], "allows 0"),
        (stateful_set(3), [budget()], "allows 0"),
        (stateful_set(3), [budget({"matchLabels": {"app": "other"}}, maxUnavailable=0)], ""),
        (stateful_set(3), [{"metadata": {"name": "none"}, "spec": {"maxUnavailable": 0}}], ""),
        (stateful_set(3), [budget({}, maxUnavailable=0)], "allows 0"),
    ],
)
def test_what_is_downtime_or_against_a_budget(workload: Made, budgets: list[Made], why: str) -> None:
    found = hindrance(workload, budgets)
    assert why in found
    assert bool(found) == bool(why)


def test_a_budget_that_is_used_up_just_now() -> None:
    status = {"disruptionsAllowed": 0, "currentHealthy": 2, "desiredHealthy": 2}
    assert "2 Pods are healthy and 2 have to be" in lacks({"status": status}, 1)
    assert lacks({"status": {**status, "disruptionsAllowed": 1}}, 1) == ""
    assert lacks({}, 1) == ""
