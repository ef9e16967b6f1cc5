"""Who owns which field, and how a conflict is explained."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.ownership import (
    applied,
    claimed,
    conflicting,
    fields_of,
    has_applied_since,
    holds,
    managers,
    manages,
    others_since,
    unmaintained,
)

FIELDS: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:hosts": {}}}


def entry(manager: str, operation: str = "Apply", **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": FIELDS, **more}


def live(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "a", "managedFields": list(entries)}}


@pytest.mark.parametrize(
    ("found", "fields"),
    [
        (live(entry("me")), FIELDS),
        (live(entry("other"), entry("me")), FIELDS),
        (live(entry("me", "Update")), {}),
        (live(entry("me", subresource="status")), {}),
        (live(entry("other")), {}),
        (live(entry("me", fieldsV1=None)), {}),
        (live(), {}),
        ({"metadata": {"name": "a"}}, {}),
        (None, {}),
    ],
)
def test_only_what_a_manager_applied_is_its_own(found: dict[str, Any] | None, fields: dict[str, Any]) -> None:
    assert fields_of(found, "me") == fields


def test_who_holds_a_field_through_a_subresource() -> None:
    path, scaled = ("spec", "replicas"), entry("hpa", "Update", subresource="scale")
    assert holds(live(entry("me"), scaled), "hpa", "scale", path)
    assert not holds(live(scaled), "hpa", "scale", ("spec", "paused"))
    assert not holds(live(scaled), "hpa", "scale", ("status", "replicas"))
    for other in (entry("kubectl", "Update", subresource="scale"), entry("hpa", "Update"), {**scaled, "fieldsV1": {}}):
        assert not holds(live(other), "hpa", "scale", path)
    assert not holds(None, "hpa", "scale", path)


def test_writers_are_listed_the_newest_last_and_each_once() -> None:
    found = live(
        entry("newest", time="2026-03-01T00:00:00Z"),
        entry("oldest", "Update", time="2026-01-01T00:00:00Z"),
        entry("kubelet", time="2026-04-01T00:00:00Z", subresource="status"),
        entry("oldest", time="2026-02-01T00:00:00Z"),
    )
    assert managers(found) == ["oldest", "newest"]
    assert managers(None) == []


def conflict(*causes: tuple[str, str]) -> Conflict:
    details = {"causes": [{"message": message, "field": field} for message, field in causes]}
    return Conflict("Could not apply", reason="Apply failed", status=409, details=details)


HELM = ('conflict with "helm" using networking.istio.io/v1', ".spec.hosts")
EDIT = ('conflict with "kubectl-edit"', ".spec.http")
ODD = ("somebody", ".spec.tls")


def test_conflicts_are_read_from_their_causes() -> None:
    assert conflicting(conflict(HELM, EDIT, ODD)) == [
        ("helm", ".spec.hosts"),
        ("kubectl-edit", ".spec.http"),
        ("unknown", ".spec.tls"),
    ]


def test_what_a_manager_has_applied() -> None:
    fields = {
        "f:metadata": {"f:labels": {"f:a": {}}},
        "f:webhooks": {'k:{"name":"second"}': {".": {}, "f:name": {}, "f:selector": {}}},
        "f:finalizers": {'v:"ours"': {}},
        "f:gone": {},
    }
    entry = {"manager": "ours", "operation": "Apply", "fieldsV1": fields}
    metadata = {"name": "n", "labels": {"a": "1", "b": "2"}, "managedFields": [entry], "uid": "u"}
    hooks = [{"name": "first", "selector": {}}, {"name": "second", "selector": {"x": {"y": 1}}, "policy": "Fail"}]
    found = {"apiVersion": "v1", "kind": "K", "metadata": metadata, "webhooks": hooks, "finalizers": ["ours", "other"]}
    assert applied(found, "ours") == {
        "apiVersion": "v1",
        "kind": "K",
        "metadata": {"name": "n", "labels": {"a": "1"}},
        "webhooks": [{"name": "second", "selector": {"x": {"y": 1}}}],
        "finalizers": ["ours"],
    }
    assert applied(found, "nobody") == {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}}


def test_who_claims_a_field_is_the_only_one_that_manages_it() -> None:
    """Whoever has written it, and by whatever way; of the rest nothing moves."""
    labels: dict[str, Any] = {".": {}, "f:team": {}, "f:istio-injection": {}}
    found = live(
        entry("kubectl", fieldsV1={"f:metadata": {"f:labels": labels}, "f:spec": {}}),
        entry("kubectl-label", "Update", fieldsV1={"f:metadata": {"f:labels": {"f:istio-injection": {}}}}),
        entry("us", fieldsV1={"f:metadata": {"f:labels": {"f:istio.io/rev": {}}}}),
    )
    heir = claimed({"apiVersion": "v1", **found}, [("metadata", "labels", "istio-injection")], "us")
    fields = {one["manager"]: one["fieldsV1"] for one in heir["metadata"]["managedFields"]}
    assert fields == {
        "kubectl": {"f:metadata": {"f:labels": {".": {}, "f:team": {}}}, "f:spec": {}},
        "us": {"f:metadata": {"f:labels": {"f:istio.io/rev": {}, "f:istio-injection": {}}}},
    }


def test_who_claims_a_field_needs_not_have_applied_anything_before() -> None:
    found = live(entry("kubectl", fieldsV1={"f:metadata": {"f:labels": {"f:stray": {}}}}))
    heir = claimed({"apiVersion": "v1", **found}, [("metadata", "labels", "stray")], "us")
    assert [(one["manager"], one["operation"]) for one in heir["metadata"]["managedFields"]] == [("us", "Apply")]


BEFORE = live(entry("me", time="1"), entry("other", "Update", time="1"))
LESS: dict[str, Any] = {"f:spec": {"f:hosts": {}}}


@pytest.mark.parametrize(
    ("before", "after", "dropped", "others"),
    [
        (BEFORE, BEFORE, (), []),
        (BEFORE, live(entry("me", time="2"), entry("other", "Update", time="1")), (), []),
        (BEFORE, live(entry("me", time="2"), entry("other", "Update", time="2")), (), ["other"]),
        (BEFORE, live(entry("me", time="2"), entry("other", "Update", time="1", fieldsV1=LESS)), (), []),
        (BEFORE, live(entry("me", time="2")), (), []),
        (BEFORE, live(entry("me", fieldsV1=LESS), entry("other", "Update", time="1", fieldsV1=LESS)), (), ["other"]),
        (
            BEFORE,
            live(entry("me", fieldsV1=LESS), entry("other", "Update", time="1", fieldsV1=LESS)),
            [("spec", "replicas")],
            [],
        ),
        (live(entry("other", time="1", fieldsV1=LESS)), live(entry("other", time="1")), (), ["other"]),
        (None, live(entry("me")), (), []),
        (None, live(entry("me"), entry("other", time="1")), (), ["other"]),
        (None, live(entry("me"), entry("other", time="1", subresource="status")), (), []),
        (BEFORE, live(entry("me"), entry("heir", time="1"), entry("other", "Update", time="1")), (), ["heir"]),
        (live(), live(entry("me"), entry("before-first-apply", "Update", time="2")), (), []),
    ],
)
def test_others_that_wrote_in_between(before: Any, after: Any, dropped: Any, others: list[str]) -> None:
    """What ours took from them, or dropped, is no write of theirs."""
    assert others_since(before, after, ("me",), dropped) == others


def valued(value: str, *entries: dict[str, Any]) -> dict[str, Any]:
    """An object with one value, and who manages it."""
    metadata = {"name": "n", "managedFields": list(entries)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": value}}


A: dict[str, Any] = {"f:data": {"f:a": {}}}
WAS = valued("1", entry("me", time="1", fieldsV1=A))


@pytest.mark.parametrize(
    ("before", "after", "has_applied"),
    [
        pytest.param(None, valued("1", entry("me", time="1", fieldsV1=A)), True, id="created"),
        pytest.param(None, valued("1", entry("other", time="1", fieldsV1=A)), False, id="created-by-another"),
        pytest.param(WAS, valued("2", entry("me", time="1", fieldsV1=A)), True, id="another-value-within-a-second"),
        pytest.param(WAS, valued("1", entry("me", time="2", fieldsV1=A)), True, id="another-time"),
        pytest.param(WAS, valued("2", entry("other", time="2", fieldsV1=A)), False, id="taken-by-another"),
        pytest.param(
            WAS, valued("1", WAS["metadata"]["managedFields"][0], entry("other", time="2")), False, id="beside"
        ),
    ],
)
def test_what_we_have_applied_in_between(before: Any, after: Any, has_applied: bool) -> None:
    assert has_applied_since(before, after, "me") == has_applied


def test_what_controllers_maintain_does_not_count() -> None:
    """The CA of a webhook, a finalizer: who has written nothing else has not written it."""
    bundle: dict[str, Any] = {"f:webhooks": {'k:{"name":"hook"}': {"f:clientConfig": {"f:caBundle": {}}}}}
    finalizer: dict[str, Any] = {"f:metadata": {"f:finalizers": {".": {}, 'v:"theirs"': {}}}}
    label = {"f:metadata": {**finalizer["f:metadata"], "f:labels": {"f:a": {}}}}
    was = live(entry("me", time="1", fieldsV1=A))
    now = live(
        entry("me", time="1", fieldsV1=A),
        entry("istiod", "Update", time="2", fieldsV1=bundle),
        entry("balancer", "Update", time="2", fieldsV1=finalizer),
        entry("person", "Update", time="2", fieldsV1=label),
    )
    paths = [("webhooks", "*", "clientConfig", "caBundle"), ("metadata", "finalizers")]
    assert others_since(was, now, {"me"}) == ["balancer", "istiod", "person"]
    assert others_since(was, unmaintained(now, paths), {"me"}) == ["person"]


@pytest.mark.parametrize(
    ("written", "manages_it"),
    [
        pytest.param(entry("me", fieldsV1=A), True, id="applied"),
        pytest.param(entry("me", "Update", fieldsV1=A), True, id="brought-back"),
        pytest.param(entry("me", "Update", subresource="status", fieldsV1=A), False, id="status"),
        pytest.param(entry("controller", "Update", fieldsV1=A), False, id="copied-by-a-controller"),
        pytest.param(entry("me", fieldsV1={"f:data": {}}), False, id="another-field"),
    ],
)
def test_who_manages_a_field_by_whichever_way(written: dict[str, Any], manages_it: bool) -> None:
    assert manages(live(written), "me", ("data", "a")) == manages_it
