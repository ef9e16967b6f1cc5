"""Objects that wait for others: stage after stage, and a gate between them that is waited for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.engine import reconcile
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired, Key
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.outcome import Outcome
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import Owner
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.run import Run
from integration.engine.driver import MANAGER, Engine, config_map, unguarded, unwatched, verbs
from integration.support.bed import Cluster


def staged(cluster: Cluster, namespace: str, gate: Callable[[], None], *, check: bool = False) -> Outcome:
    """The first object at once, the second one and the end of the old one behind a gate."""
    first, second, old = (config_map(name, namespace, a="1") for name in ("first", "second", "old"))
    owner = Owner(MANAGER, stages={Key.of(second): 2, Key.of(old): 3})
    run = Run(Engine(cluster.kubeconfig).client(), check, unguarded, unwatched)
    return reconcile(run, owner, [Desired(second), Desired(first)], [Key.of(old)], gates={1: gate})


def test_a_gate_is_passed_once_on_the_way_to_later_stages(cluster: Cluster, namespace: str) -> None:
    cluster.apply(config_map("old", namespace, a="1"), manager=MANAGER)
    seen: list[set[str]] = []

    def gate() -> None:
        seen.append(cluster.names("configmaps", namespace) & {"first", "second", "old"})

    planned = staged(cluster, namespace, gate, check=True)
    assert seen == [], "a plan waits for nothing"
    assert verbs(staged(cluster, namespace, gate)) == verbs(planned)
    assert seen == [{"first", "old"}]
    assert cluster.names("configmaps", namespace) >= {"first", "second"}
    assert not staged(cluster, namespace, gate).changed
    assert len(seen) == 1, "without a write there is nothing to wait for"


def test_a_gate_that_is_not_passed_leaves_what_is_there(cluster: Cluster, namespace: str) -> None:
    """What has been done is no mistake, so nothing is taken back; the next run goes on."""

    def shut() -> None:
        raise NotReady("It is not ready", subject="it", reason="why", hint="Run the task again")

    with pytest.raises(Failure, match=r"Done: ConfigMap .*first\. Not done: 1") as ended:
        staged(cluster, namespace, shut)
    assert (ended.value.as_dict()["code"], ended.value.changed) == ("not_ready", True)
    assert cluster.names("configmaps", namespace) & {"first", "second"} == {"first"}
    assert staged(cluster, namespace, unguarded).changed
