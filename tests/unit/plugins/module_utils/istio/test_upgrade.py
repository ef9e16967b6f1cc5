"""What the task of an upgrade tells beside its plan."""

from __future__ import annotations

from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.charts import ChartSource
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.desired_control_plane import ControlPlane
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.releases import parsed
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.snapshot import Unread
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.upgrade import told
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import POD
from unit.support.clusters import Made, injector, istiod, made, namespace, pod, snapshot

OUTLIERS = made("DestinationRule", "web/r", spec={"trafficPolicy": {"outlierDetection": {"interval": "1s"}}})
CLUSTER = (istiod("1.29.1"), injector(), namespace("web", istio_injection="enabled"), pod("web/a", "default"), OUTLIERS)
SOURCE = ChartSource(directory="charts")


def planned(version: str, revision: str = "", env: dict[str, str] | None = None) -> list[Made]:
    plane = istiod(version, revision)
    plane["spec"]["template"]["spec"]["containers"][0]["env"] = [
        {"name": name, "value": value} for name, value in (env or {}).items()
    ]
    return [plane, injector(revision)]


def upgrade(objects: list[Made], version: str, revision: str = "", **more: Any) -> tuple[dict[str, Any], list[str]]:
    wanted = ControlPlane(version, SOURCE, revision=revision)
    return told(snapshot(*CLUSTER, **more), parsed("1.29.1"), parsed(version), wanted, objects)


def test_in_place_every_proxy_restarts() -> None:
    found, warnings = upgrade(planned("1.30.7"), "1.30.7")
    assert (found["from"], found["to"], found["changes"], warnings) == ("1.29.1", "1.30.7", [], [])
    (workload,) = found["restarts"]["workloads"]
    assert workload["reason"] == "its proxy is 1.29.1, and would be 1.30.7"


def test_beside_a_new_revision_namespaces_are_thought_to_move() -> None:
    found, warnings = upgrade(planned("1.31.0", "r2"), "1.31.0", "r2")
    assert found["restarts"]["count"] == 1
    assert found["restarts"]["workloads"][0]["reason"] == "its proxy is of revision default, and would be of r2"
    assert [change["code"] for change in found["changes"]] == ["unhealthy_endpoints"]
    assert warnings == [
        "unhealthy_endpoints: from 1.31 on proxies are told of endpoints that are not ready, unless minHealthPercent "
        "is set. You use it: DestinationRule web/r (it detects outliers without minHealthPercent). Set "
        "outlierDetection.minHealthPercent where it matters, or PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS=false"
    ]


def test_what_the_rendered_environment_keeps_is_said_to_be_kept() -> None:
    env = {"PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS": "false"}
    found, warnings = upgrade(planned("1.31.0", "r2", env), "1.31.0", "r2")
    assert found["changes"][0]["kept_by"] == "PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS=false"
    assert warnings[0].startswith("unhealthy_endpoints: kept as it was by PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS=false")


def test_what_may_not_be_read_is_said() -> None:
    unread = (Unread("list", POD, "", "forbidden"),)
    found, warnings = upgrade(planned("1.30.7"), "1.30.7", unread=unread)
    assert found["not_judged"] == ["'list' on pods"]
    assert warnings == ["May not be read, and is not judged: 'list' on pods"]
