"""How a namespace was: its two labels and who manages them, and nothing else of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.before_images import (
    namespaces_again,
    namespaces_before,
    objects_again,
    objects_before,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.snapshot import Snapshot
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.images import is_same

Made = dict[str, Any]
REVISION, INJECTION = "istio.io/rev", "istio-injection"


def managed(manager: str, *labels: str, operation: str = "Update", whole: bool = False) -> Made:
    fields: Made = {f"f:{label}": {} for label in labels} | ({".": {}} if whole else {})
    entry = {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsType": "FieldsV1"}
    return {**entry, "fieldsV1": {"f:metadata": {"f:labels": fields}}}


def namespace(labels: Made, *managers: Made) -> Made:
    metadata = {"name": "web", "labels": labels, "managedFields": list(managers), "resourceVersion": "1"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def cluster(**objects: list[Made]) -> Snapshot:
    names = {"webhooks": "MutatingWebhookConfiguration.admissionregistration.k8s.io", "namespaces": "Namespace"}
    return Snapshot("here", "v1.34.4", {names[kind]: found for kind, found in objects.items()})


CREATED = managed("kubectl-create", "name", whole=True)


def test_labels_go_back_and_everything_else_stays() -> None:
    before = namespace({"name": "web", INJECTION: "enabled"}, CREATED, managed("kubectl-label", INJECTION))
    moved = namespace(
        {"name": "web", "team": "shop", REVISION: "r2"},
        CREATED,
        managed("ours", REVISION, operation="Apply"),
        managed("kubectl-label", "team"),
    )
    (again,) = namespaces_again(cluster(namespaces=[moved]), namespaces_before(cluster(namespaces=[before])))
    wanted = namespace(
        {"name": "web", "team": "shop", INJECTION: "enabled"}, CREATED, managed("kubectl-label", "team", INJECTION)
    )
    assert is_same(again, wanted)


def test_a_namespace_without_labels_has_none_again() -> None:
    before, moved = namespace({"name": "web"}, CREATED), namespace({"name": "web", REVISION: "r2"}, CREATED)
    moved["metadata"]["managedFields"] = [CREATED, managed("ours", REVISION, operation="Apply")]
    (again,) = namespaces_again(cluster(namespaces=[moved]), namespaces_before(cluster(namespaces=[before])))
    assert is_same(again, before)


def test_what_is_as_before_is_the_same() -> None:
    before = namespace({"name": "web", REVISION: "r1"}, CREATED, managed("helm", REVISION, "other", operation="Apply"))
    snapshot = cluster(namespaces=[before])
    (again,) = namespaces_again(snapshot, namespaces_before(snapshot))
    assert is_same(again, before)


def injector(name: str, service: str, **more: str) -> Made:
    client = {"service": {"namespace": "istio-system", "name": service}, **more}
    hook = {"name": "rev.namespace.sidecar-injector.istio.io", "clientConfig": client}
    metadata = {"name": name, "labels": {REVISION: "r1"}, "uid": "1", "resourceVersion": "1"}
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration"}
    return {**head, "metadata": metadata, "webhooks": [hook]}


def test_the_ca_is_not_remembered_and_is_that_of_today() -> None:
    images = objects_before(cluster(webhooks=[injector("one", "istiod-r1", caBundle="old")]))
    assert "caBundle" not in str(images)
    renewed = cluster(webhooks=[injector("one", "istiod-r1", caBundle="new")])
    (again,) = objects_again(renewed, images)
    assert is_same(again, injector("one", "istiod-r1", caBundle="new"))


def test_a_webhook_that_is_gone_takes_the_ca_of_another_one_of_its_service() -> None:
    images = objects_before(cluster(webhooks=[injector("one", "istiod-r1", caBundle="old")]))
    (again,) = objects_again(cluster(webhooks=[injector("two", "istiod-r1", caBundle="new")]), images)
    assert again["webhooks"][0]["clientConfig"]["caBundle"] == "new"
