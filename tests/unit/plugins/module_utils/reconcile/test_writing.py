"""A run that failed in the middle says what became of the rest."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.writing import PartlyDone


@pytest.mark.parametrize(
    ("hint", "onwards"),
    [("", "Somebody else changed it at the same moment: run the task again."), ("Ask Ann", "Ask Ann.")],
)
def test_the_cause_comes_first_then_the_account(hint: str, onwards: str) -> None:
    cause = Conflict("Secret web/z has changed", subject="Secret web/z", reason="why", hint=hint)
    error = PartlyDone(cause, "Done: Secret web/a. Not done: 2", changed=True)
    assert str(error) == f"Secret web/z has changed: why. Done: Secret web/a. Not done: 2. {onwards}"
    assert (error.changed, error.as_dict()["code"], error.as_dict()["object"]) == (True, "conflict", "Secret web/z")
