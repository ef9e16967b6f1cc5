"""The rungs of the readiness ladder that are read from webhooks."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.readiness import (
    validator_fails_closed,
    webhook_has_ca,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import Verdict


def hook(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"name": name, "clientConfig": {"service": {}, "caBundle": "abc"}, "failurePolicy": "Fail", **more}


NO_CA: dict[str, Any] = {"clientConfig": {"service": {}}}


@pytest.mark.parametrize(
    ("hooks", "state"),
    [
        ([], ""),
        ([hook()], ""),
        ([hook(clientConfig={"url": "https://example.com"})], ""),
        ([hook("a", **NO_CA), hook("b"), hook("c", **NO_CA)], "no CA yet for a, c"),
    ],
)
def test_a_webhook_needs_a_ca_unless_it_is_reached_by_url(hooks: list[dict[str, Any]], state: str) -> None:
    verdict = Verdict(ready=not state, state=state)
    assert webhook_has_ca({"webhooks": hooks}) == verdict
    assert validator_fails_closed({"webhooks": hooks}) == verdict


def test_a_validator_has_to_fail_closed() -> None:
    verdict = validator_fails_closed({"webhooks": [hook("a", failurePolicy="Ignore"), hook("b")]})
    assert verdict == Verdict(state="a still lets everything pass")


def test_webhooks_that_do_not_exist_are_waited_for() -> None:
    assert webhook_has_ca(None) == validator_fails_closed(None) == Verdict(state="it does not exist")
