"""Why Pods do not come up: the sentences, as the kubelet and the scheduler give their parts."""

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.pods import troubles_of


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = (), **condition: str) -> dict[str, Any]:
    status = {"containerStatuses": list(containers), "initContainerStatuses": list(init)}
    return {"metadata": {"name": "istiod-1"}, "status": {**status, "conditions": [condition] if condition else []}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"reason": reason, **({"message": message} if message else {})}
    return {"name": "discovery", "state": {"waiting": state}}


PULL = 'Back-off pulling image "mirror.example.com/pilot:1.29.1"'


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (pod(), []),
        ({"metadata": {"name": "a"}}, []),
        (pod(waiting("ContainerCreating"), init=(waiting("PodInitializing"),)), []),
        (pod({"name": "discovery", "state": {"running": {}}}), []),
        (pod(waiting("ImagePullBackOff", PULL)), [f"Pod istiod-1, container discovery: ImagePullBackOff: {PULL}"]),
        (pod(waiting("CrashLoopBackOff")), ["Pod istiod-1, container discovery: CrashLoopBackOff"]),
        (pod(init=(waiting("ErrImagePull", PULL),)), [f"Pod istiod-1, container discovery: ErrImagePull: {PULL}"]),
        (
            pod(type="PodScheduled", status="False", reason="Unschedulable", message="0/1 nodes are available"),
            ["Pod istiod-1 has no node: 0/1 nodes are available"],
        ),
        (
            pod(type="PodScheduled", status="False", reason="SchedulingGated"),
            ["Pod istiod-1 has no node: SchedulingGated"],
        ),
        (pod(type="PodScheduled", status="True"), []),
    ],
)
def test_troubles(found: dict[str, Any], told: list[str]) -> None:
    assert list(troubles_of(found)) == told
