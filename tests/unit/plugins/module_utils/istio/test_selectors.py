"""Label selectors: every operator, with and without the label."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.selectors import matches


def expression(operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": "a", "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "with_label", "without"),
    [
        (None, True, True),
        ({}, True, True),
        ({"matchLabels": {"a": "1"}}, True, False),
        ({"matchLabels": {"a": "2"}}, False, False),
        (expression("In", "1", "2"), True, False),
        (expression("NotIn", "1"), False, True),
        (expression("Exists"), True, False),
        (expression("DoesNotExist"), False, True),
        (expression("Unheard"), False, False),
        ({"matchLabels": {"a": "1"}, **expression("NotIn", "1")}, False, False),
    ],
)
def test_operators(selector: dict[str, Any] | None, with_label: bool, without: bool) -> None:
    assert matches(selector, {"a": "1", "b": "2"}) is with_label
    assert matches(selector, {}) is without
