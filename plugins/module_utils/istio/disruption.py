# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rolling update takes down at once, and whether that is downtime or against a disruption budget.

Sources: Kubernetes, apps/v1 (maxUnavailable is rounded down for a Deployment, up for a DaemonSet; maxSurge up; both
zero count as one unavailable), policy/v1 (both fields are rounded up).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from ..kube.client import Object
from ..kube.resources import DAEMON_SET, DEPLOYMENT
from .selectors import matches
from .webhooks import labels_of

_QUARTER = "25%"


def takes_down(workload: Object) -> int:
    """How many of its Pods may be away at the same time while it is renewed."""
    total = pods_wanted(workload)
    if workload["kind"] == DEPLOYMENT.kind:
        return _of_deployment(workload["spec"].get("strategy") or {}, total)
    rolling = (workload["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    if workload["kind"] == DAEMON_SET.kind and _share(rolling.get("maxSurge", 0), total, math.ceil):
        return 0
    return max(1, _share(rolling.get("maxUnavailable", 1), total, math.ceil))


def _of_deployment(strategy: Mapping[str, Any], total: int) -> int:
    if strategy.get("type") == "Recreate":
        return total
    rolling = strategy.get("rollingUpdate") or {}
    down = _share(rolling.get("maxUnavailable", _QUARTER), total, math.floor)
    surge = _share(rolling.get("maxSurge", _QUARTER), total, math.ceil)
    return down if down or surge else 1


def pods_wanted(workload: Object) -> int:
    if workload["kind"] == DAEMON_SET.kind:
        return int((workload.get("status") or {}).get("desiredNumberScheduled", 0))
    wanted = workload["spec"].get("replicas")
    return 1 if wanted is None else int(wanted)


def _share(value: Any, total: int, rounded: Any) -> int:
    text = str(value)
    return int(rounded(total * int(text[:-1]) / 100)) if text.endswith("%") else int(text)


def hindrance(workload: Object, budgets: Iterable[Object]) -> str:
    """Why it cannot be renewed without downtime, or nothing. `budgets` are those of its namespace."""
    down, total = takes_down(workload), pods_wanted(workload)
    if down and down >= total:
        return f"its update takes down {'its only Pod' if total == 1 else f'all of its {total} Pods'} at once"
    for budget in budgets_of(workload, budgets) if down else ():
        allowed = allowance(budget, total)
        if down > allowed:
            name = budget["metadata"]["name"]
            return (
                f"its update takes down {down} of {total} Pods at once, and PodDisruptionBudget {name} allows {allowed}"
            )
    return ""


def budgets_of(workload: Object, budgets: Iterable[Object]) -> list[Object]:
    """The disruption budgets for its Pods. One without a selector is for none (policy/v1: null selects nothing)."""
    labels = labels_of(workload["spec"]["template"])
    selecting = ((budget, budget["spec"].get("selector")) for budget in budgets)
    return [budget for budget, selector in selecting if selector is not None and matches(selector, labels)]


def allowance(budget: Object, total: int) -> int:
    """How many Pods may be away when all are well; of several workloads together where it is for several."""
    spec, pods = budget["spec"], (budget.get("status") or {}).get("expectedPods") or total
    if spec.get("maxUnavailable") is not None:
        return _share(spec["maxUnavailable"], pods, math.ceil)
    if spec.get("minAvailable") is None:
        return 0  # the disruption controller lets nothing go then
    return max(0, pods - _share(spec["minAvailable"], pods, math.ceil))


def lacks(budget: Object, down: int) -> str:
    """Why a budget allows that many Pods to be away not just now, or nothing."""
    status = budget.get("status") or {}
    if "disruptionsAllowed" not in status or status["disruptionsAllowed"] >= down:
        return ""
    healthy, wanted = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    return f"{healthy} Pods are healthy and {wanted} have to be, so {down} more may not be away"
