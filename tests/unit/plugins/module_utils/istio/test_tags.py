"""What a tag is made of, and what the tag `default` does to the objects of a control plane."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.default_tag import (
    deactivated,
    pointed,
    pointed_back,
    reactivated,
    record_of,
    recorded,
    validates,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injector import NEVER, selectors
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.tag_objects import (
    Revision,
    injector_of_tag,
    service_of_tag,
    validator_of_tag,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.tags import RevisionTag, TagError, checked_tag
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.webhooks import SUFFIX

Made = dict[str, Any]


def injector(revision: str = "default") -> Made:
    """As the chart makes it, with what the API server and istiod have added."""
    client = {"service": {"name": "istiod", "namespace": "istio-system", "path": "/inject"}, "caBundle": "Q0E="}
    hooks = [
        {
            "name": f"{case}{SUFFIX}",
            "clientConfig": client,
            "sideEffects": "None",
            "timeoutSeconds": 10,
            "namespaceSelector": dict(namespaces),
            "objectSelector": dict(pods),
        }
        for case, (namespaces, pods) in selectors(revision, False).items()
    ]
    metadata = {"name": "istio-sidecar-injector", "labels": {"istio.io/rev": revision, "release": "istiod"}}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": metadata,
        "webhooks": hooks,
    }


def service() -> Made:
    spec = {"ports": [{"port": 443}], "selector": {"istio": "pilot"}, "clusterIP": "10.0.0.1", "type": "ClusterIP"}
    return {"metadata": {"name": "istiod", "namespace": "istio-system"}, "spec": spec}


def validator(revision: str = "default", service: str = "istiod") -> Made:
    client = {"service": {"name": service, "namespace": "istio-system", "path": "/validate"}}
    metadata = {"name": "istiod-default-validator", "labels": {"istio.io/rev": revision}}
    return {"metadata": metadata, "webhooks": [{"name": "validation.istio.io", "clientConfig": client}]}


REVISION = Revision("r1", injector("r1"), service())


def test_the_webhooks_of_a_tag_are_those_of_its_revision_for_other_labels() -> None:
    made = injector_of_tag("prod", REVISION, "istio-system")
    assert made["metadata"]["name"] == "istio-revision-tag-prod"
    assert made["metadata"]["labels"].items() >= {"istio.io/tag": "prod", "istio.io/rev": "r1"}.items()
    assert [hook["name"] for hook in made["webhooks"]] == [f"rev.namespace.{SUFFIX}", f"rev.object.{SUFFIX}"]
    assert {str(hook["clientConfig"]) for hook in made["webhooks"]} == {str(injector()["webhooks"][0]["clientConfig"])}
    assert "timeoutSeconds" not in made["webhooks"][0]
    assert injector_of_tag("prod", REVISION, "mesh")["metadata"]["name"] == "istio-revision-tag-prod-mesh"


def test_the_service_of_a_tag_has_no_address_of_another() -> None:
    made = service_of_tag("prod", REVISION, "istio-system")
    assert made["spec"] == {"ports": [{"port": 443}], "selector": {"istio": "pilot"}, "type": "ClusterIP"}


def test_the_validator_of_a_tag_fails_open_until_istiod_says_otherwise() -> None:
    (hook,) = validator_of_tag(REVISION)["webhooks"]
    assert (hook["failurePolicy"], hook["clientConfig"]["service"]["path"]) == ("Ignore", "/validate")


def test_an_injector_is_put_out_of_action_and_back_exactly() -> None:
    before = injector()
    content = copy.deepcopy(before)
    record = record_of(None, before, None)
    off = deactivated(content, before)
    assert [(hook["namespaceSelector"], hook["objectSelector"]) for hook in off["webhooks"]] == [(NEVER, NEVER)] * 4
    assert reactivated(off, off, record) == before == content


def test_the_record_stays_as_it_was_when_the_tag_was_made() -> None:
    first = record_of(None, injector(), validator())
    tag = recorded(injector_of_tag("default", REVISION, "istio-system"), first)
    off = deactivated(injector(), injector())
    assert record_of(tag, off, validator("r1", "istiod-r1")) == first


def test_selectors_that_istioctl_has_taken_away_come_back_as_the_chart_makes_them() -> None:
    off = deactivated(injector(), injector())
    assert reactivated(off, off, record_of(None, off, None)) == injector()


def test_what_is_applied_of_a_strangers_injector_is_only_what_changes() -> None:
    content: Made = {"metadata": {"name": "istio-sidecar-injector"}}
    off = deactivated(content, injector())
    assert {key for hook in off["webhooks"] for key in hook} == {"name", "namespaceSelector", "objectSelector"}


def test_a_validator_is_pointed_and_pointed_back() -> None:
    before = validator()
    record = record_of(None, None, before)
    moved = pointed(before, before, "r1", "istiod-r1")
    assert validates(moved) == {"revision": "r1", "service": "istiod-r1"}
    assert pointed_back(moved, moved, record, ["istiod", "istiod-r1"]) == before == validator()


def test_a_validator_never_goes_back_to_a_service_that_is_gone() -> None:
    record = record_of(None, None, validator())
    moved = validator("r1", "istiod-r1")
    assert pointed_back(moved, moved, record, ["istiod-r1"]) == moved


@pytest.mark.parametrize("tag", ["Prod", "a.b", "-a", "", "a" * 44])
def test_a_tag_has_to_be_a_label(tag: str) -> None:
    with pytest.raises(TagError, match="cannot be the name of a tag"):
        checked_tag(RevisionTag(tag, "r1"))


def test_a_tag_and_its_revision_have_different_names() -> None:
    with pytest.raises(TagError, match="cannot point to a revision of the same name"):
        checked_tag(RevisionTag("r1", "r1"))
    assert checked_tag(RevisionTag("default", "default"))
