"""Quantities: every way to write one."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.quantities import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("500m", "0.5"),
        ("2", "2"),
        (2, "2"),
        ("1.5", "1.5"),
        ("2Gi", str(2 * 1024**3)),
        ("2048Mi", str(2 * 1024**3)),
        ("1k", "1000"),
        ("1E", "1e18"),
        ("1e3", "1000"),
        ("250u", "0.00025"),
        ("0", "0"),
    ],
)
def test_number(text: object, number: str) -> None:
    assert quantity(text) == Decimal(number)
