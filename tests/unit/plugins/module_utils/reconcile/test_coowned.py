"""Co-owned fields: sent with a creation, kept while they are ours, dropped when somebody else owns them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.facts import CO_OWNED, SCALED, SCALER
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import KUBERNETES
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.coowned import settled
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import Owner
from hypothesis import given
from hypothesis import strategies as st

ME = "service_mesh.istio/control_plane"
POLICY = [("webhooks", "*", "failurePolicy")]
REPLICAS = [("spec", "replicas")]


def hooks(**policies: str | None) -> dict[str, Any]:
    return {
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "v"},
        "webhooks": [
            {"name": name, "rules": [], **({"failurePolicy": policy} if policy else {})}
            for name, policy in policies.items()
        ],
    }


def owned_by(manager: str, content: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    entry = {"manager": manager, "operation": "Apply", "fieldsV1": fields}
    return {**content, "metadata": {**content["metadata"], "managedFields": [entry]}}


def hook_fields(*names: str) -> dict[str, Any]:
    return {"f:webhooks": {f'k:{{"name":"{name}"}}': {"f:failurePolicy": {}} for name in names}}


def policies(content: dict[str, Any]) -> dict[str, str | None]:
    return {hook["name"]: hook.get("failurePolicy") for hook in content["webhooks"]}


def test_a_creation_sends_the_field() -> None:
    desired = hooks(a="Ignore")
    assert settled(desired, None, ME, POLICY) == desired


def test_what_is_ours_keeps_its_live_value() -> None:
    live = owned_by(ME, hooks(a="Fail"), hook_fields("a"))
    assert policies(settled(hooks(a="Ignore"), live, ME, POLICY)) == {"a": "Fail"}


def test_what_somebody_else_took_is_left_out() -> None:
    live = owned_by("pilot-discovery", hooks(a="Fail"), hook_fields("a"))
    assert policies(settled(hooks(a="Ignore"), live, ME, POLICY)) == {"a": None}


def test_what_is_ours_and_gone_is_not_sent_again() -> None:
    live = owned_by(ME, hooks(a=None), hook_fields("a"))
    assert policies(settled(hooks(a="Ignore"), live, ME, POLICY)) == {"a": None}


def test_an_item_that_is_not_there_yet_is_sent_as_it_is() -> None:
    """A new webhook without its policy would fail closed before it has a CA, and block every write."""
    live = owned_by("pilot-discovery", hooks(a="Fail"), hook_fields("a"))
    assert policies(settled(hooks(a="Ignore", new="Ignore"), live, ME, POLICY)) == {"a": None, "new": "Ignore"}


def test_owners_are_told_apart_item_by_item() -> None:
    live = owned_by(ME, hooks(ours="Fail", theirs="Fail"), hook_fields("ours"))
    assert policies(settled(hooks(ours="Ignore", theirs="Ignore"), live, ME, POLICY)) == {
        "ours": "Fail",
        "theirs": None,
    }


def test_a_plain_path() -> None:
    desired = {"metadata": {"name": "d"}, "spec": {"replicas": 1, "paused": False}}
    live = {"metadata": {"name": "d"}, "spec": {"replicas": 5, "paused": False}}
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    assert settled(desired, owned_by(ME, live, fields), ME, REPLICAS)["spec"] == {"replicas": 5, "paused": False}
    assert settled(desired, owned_by("hpa", live, fields), ME, REPLICAS)["spec"] == {"paused": False}


def test_a_path_that_nobody_has_changes_nothing() -> None:
    desired: dict[str, Any] = {"metadata": {"name": "d"}, "data": {"a": "b"}}
    assert settled(desired, copy.deepcopy(desired), ME, [*REPLICAS, *POLICY]) == desired


@pytest.mark.parametrize("odd", [{"a": {}}, "text", None, 1, ["text"], [{}], [{"name": 1}], [{"name": ["a"]}], [None]])
def test_what_can_have_no_names_is_sent_for_the_server_to_refuse(odd: Any) -> None:
    live = owned_by(ME, hooks(a="Fail"), hook_fields("a"))
    assert settled({**hooks(), "webhooks": odd}, live, ME, POLICY)["webhooks"] == odd


@given(desired=st.dictionaries(st.sampled_from("abc"), st.sampled_from(["Fail", "Ignore"])), ours=st.booleans())
def test_settling_what_is_settled_changes_nothing_more(desired: dict[str, str], ours: bool) -> None:
    wanted, live = hooks(**desired), owned_by(ME if ours else "x", hooks(a="Fail", b=None), hook_fields("a", "b"))
    before = copy.deepcopy(wanted)
    once = settled(wanted, live, ME, POLICY)
    assert settled(once, live, ME, POLICY) == once
    assert wanted == before


def test_what_a_scaler_holds_is_left_to_it_unless_it_is_taken_over() -> None:
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}}}
    scaled = {"manager": SCALER, "operation": "Update", "subresource": "scale", "fieldsV1": fields}
    live = {"metadata": {"name": "d", "managedFields": [scaled]}}
    assert Owner(ME, held=SCALED).co_owned_of("Deployment.apps", live) == REPLICAS
    for owner in (Owner(ME), Owner(ME, (SCALER,), held=SCALED)):
        assert owner.co_owned_of("Deployment.apps", live) == []
    assert Owner(ME, held=SCALED).co_owned_of("DaemonSet.apps", live) == []
    assert Owner(ME, held=SCALED).co_owned_of("Deployment.apps", None) == []


def test_the_table_of_istio_names_kinds_that_are_known() -> None:
    assert set(CO_OWNED) <= {resource.group_kind for resource in KUBERNETES.values()}
