"""Drift: a field that somebody else has set after us, by name; what Istio and Kubernetes write is none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.drift import (
    drift_asks,
    drift_of,
    drift_told,
    leaves,
    managers_told,
)
from unit.support.clusters import Made, made, snapshot

OURS = "service_mesh.istio/control_plane"
BEFORE, THEN, AFTER = "2026-11-25T08:00:00Z", "2026-11-25T08:00:10Z", "2026-11-25T08:00:20Z"
REPLICAS: Made = {"f:spec": {"f:replicas": {}}}


def entry(manager: str, time: str, fields: Made | None = None, **more: Any) -> Made:
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields or REPLICAS, **more}


def deployment(*entries: Made) -> Made:
    return made("Deployment", "istio-system/istiod", metadata={"managedFields": list(entries)})


def found(*entries: Made) -> list[tuple[str, str, str]]:
    return [(drift.field, drift.manager, drift.time) for drift in drift_of(deployment(*entries))]


def test_a_field_that_somebody_else_has_set_since() -> None:
    assert found(entry(OURS, THEN), entry("kubectl-edit", AFTER)) == [("spec.replicas", "kubectl-edit", AFTER)]


RESTARTED = "kubectl.kubernetes.io/restartedAt"
ANNOTATION: Made = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {".": {}, f"f:{RESTARTED}": {}}}}}}
CA: Made = {"f:webhooks": {'k:{"name":"rev.validation.istio.io"}': {"f:clientConfig": {"f:caBundle": {}}}}}


@pytest.mark.parametrize(
    "entries",
    [
        [entry(OURS, THEN), entry("helm", BEFORE)],
        [entry(OURS, THEN), entry("helm", THEN)],
        [entry("helm", BEFORE), entry("kubectl-edit", AFTER)],
        [entry(OURS, THEN), entry("service_mesh.istio/injection", AFTER)],
        [entry(OURS, BEFORE), entry("kubectl-edit", THEN), entry("service_mesh.istio/injection", AFTER)],
        [entry(OURS, THEN), entry("kube-controller-manager", AFTER)],
        [entry(OURS, THEN), entry("vpa", AFTER, subresource="scale")],
        [entry(OURS, THEN), entry("pilot-discovery", AFTER, CA)],
        [entry(OURS, THEN), entry("kubectl-rollout", AFTER, ANNOTATION)],
        [],
    ],
)
def test_what_is_none(entries: list[Made]) -> None:
    assert found(*entries) == []


def test_paths_are_written_as_people_do() -> None:
    fields = {
        "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:istio.io/rev": {}}},
        "f:spec": {"f:ports": {'k:{"name":"http","port":80}': {".": {}, "f:port": {}}, 'k:{"name":"x"}': {".": {}}}},
        "f:finalizers": {'v:"a"': {}},
    }
    assert list(leaves(fields)) == [
        "metadata.labels.app",
        "metadata.labels.[istio.io/rev]",
        "spec.ports[name=http,port=80].port",
        "spec.ports[name=x]",
        'finalizers["a"]',
    ]


def test_a_result_tells_it_with_the_object() -> None:
    told = drift_told(snapshot(deployment(entry(OURS, THEN), entry("kubectl-edit", AFTER))))
    assert told == {
        "count": 1,
        "fields": [
            {
                "kind": "Deployment",
                "namespace": "istio-system",
                "name": "istiod",
                "field": "spec.replicas",
                "manager": "kubectl-edit",
                "time": AFTER,
            }
        ],
    }


def test_managers_are_told_with_the_number_of_their_fields() -> None:
    (told,) = managers_told([deployment(entry(OURS, THEN), entry("helm", BEFORE, ANNOTATION, subresource="status"))])
    assert [(one["manager"], one["subresource"], one["fields"]) for one in told["managers"]] == [
        (OURS, "", 1),
        ("helm", "status", 1),
    ]


def test_secrets_are_never_read() -> None:
    asked = {ask.resource.kind for ask in drift_asks(["istio-system"])}
    assert "Secret" not in asked
    assert {"ConfigMap", "VirtualService", "Namespace"} <= asked
