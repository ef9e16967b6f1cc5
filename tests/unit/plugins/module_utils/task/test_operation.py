"""Operations: what they make of parameters, and the guard before every write."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.charts import Archive, ChartSource
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import DESTINATION_RULE
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.releases import UnknownVersion
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Interrupted
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operation import _guard
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.config import kind_operation
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.control_plane import CONTROL_PLANE
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operations.gateway_deployment import (
    GATEWAY_DEPLOYMENT,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import validated

SHA = "0" * 64


def test_a_write_is_refused_once_the_playbook_has_gone() -> None:
    _guard(os.getppid())()
    with pytest.raises(Interrupted, match=r"The playbook behind this task has gone.* Run the playbook again"):
        _guard(os.getpid())()


@pytest.mark.parametrize(
    ("charts", "source"),
    [
        (None, ChartSource(repository="https://istio-release.storage.googleapis.com/charts")),
        ({"repository": "https://charts.example.com"}, ChartSource(repository="https://charts.example.com")),
        ({"directory": "/charts"}, ChartSource(directory="/charts")),
        (
            {"archives": [{"chart": "base", "path": "/base.tgz", "sha256": SHA}]},
            ChartSource(archives=(Archive("base", "/base.tgz", SHA),)),
        ),
    ],
)
@pytest.mark.parametrize("operation", [CONTROL_PLANE, GATEWAY_DEPLOYMENT], ids=lambda operation: operation.name)
def test_charts_come_from_where_the_task_says(operation: Any, charts: dict[str, Any] | None, source: Any) -> None:
    given = {"version": "1.29.1", **({"charts": charts} if charts else {})}
    named = {"name": "ingress", "namespace": "web"} if operation is GATEWAY_DEPLOYMENT else {}
    assert operation.prepare(validated(operation, {**given, **named})).charts == source


@pytest.mark.parametrize("operation", [CONTROL_PLANE, GATEWAY_DEPLOYMENT], ids=lambda operation: operation.name)
def test_a_half_version_is_refused_before_a_cluster_is_asked(operation: Any) -> None:
    named = {"name": "ingress", "namespace": "web"} if operation is GATEWAY_DEPLOYMENT else {}
    with pytest.raises(UnknownVersion):
        operation.prepare(validated(operation, {"version": "1.29", **named}))


def test_an_option_that_the_connection_has_too_goes_its_own_way() -> None:
    """`host` is the API server's, `spec_host` the rule's."""
    operation = kind_operation(DESTINATION_RULE)
    arguments = {"name": "a", "namespace": "web", "host": "https://127.0.0.1:1", "spec_host": "shop"}
    (desired,) = operation.prepare(validated(operation, arguments)).present
    assert desired.content["spec"] == {"host": "shop"}
