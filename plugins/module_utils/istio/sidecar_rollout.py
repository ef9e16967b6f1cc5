# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Restarts exactly the workloads whose proxy is not the one that they would get, or that are named, in waves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..reconcile.outcome import Outcome
from ..reconcile.run import Run
from .rollout import How, roll_out
from .rollout_plan import plan_rollout
from .rollout_pods import Judge
from .rollout_waves import Known, require_known
from .rollout_world import Scope, claims_of, read_world


@dataclass(frozen=True)
class Rollout:
    """What a task asks for."""

    scope: Scope = field(default_factory=Scope)
    how: How = field(default_factory=How)
    pods: tuple[str, ...] = ()


def run_sidecar_rollout(run: Run, wanted: Rollout) -> Outcome:
    """Read, plan, and unless in check mode restart."""
    how = wanted.how
    world = read_world(run.client, wanted.scope)
    where = Known(world.namespaces, world.workloads, run.client.name, world.unread, wanted.scope.is_limited)
    require_known(how.waves, where)
    judge = replace(Judge.of(world.snapshot, world.versions), named=frozenset(wanted.pods))
    plan = plan_rollout(world, judge, claims_of(run.client, how.waves), how.allow_downtime)
    outcome = roll_out(run, plan, how, judge)
    outcome.extra["not_read"] = list(world.unread)
    outcome.warnings += [f"Namespace {name} may not be read, and nothing in it is restarted" for name in world.unread]
    outcome.warnings += [f"{one} is forbidden: proxies are not compared by it" for one in world.snapshot.unread]
    outcome.warnings += [one.uncompared for one in world.unversioned]
    return outcome
