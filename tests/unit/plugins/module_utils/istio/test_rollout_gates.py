"""Gates that can never be passed are refused before anything is asked."""

from __future__ import annotations

import math
import re

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.rollout_gates import BadGate, Gate, checked_gate


@pytest.mark.parametrize(
    ("gate", "told"),
    [
        (Gate("g", query="up"), "a query needs a threshold"),
        (Gate("g", url="http://shop/healthy", most=1.0), "a threshold is for a query"),
        (Gate("g", query="up", least=2.0, most=1.0), "no value is at least 2 and at most 1"),
        (Gate("g", url="shop/healthy"), "'shop/healthy' is no address of a page"),
        (Gate("g", approve_within=0.0), "nobody can approve in no time"),
    ],
)
def test_what_can_never_be_passed_is_refused(gate: Gate, told: str) -> None:
    with pytest.raises(BadGate, match=re.escape(told)):
        checked_gate(gate)


@pytest.mark.parametrize(
    "gate", [Gate("g", query="up", least=1.0), Gate("g", url="https://shop/healthy"), Gate("g", approve_within=1.0)]
)
def test_what_can_be_passed_is_taken_as_it_is(gate: Gate) -> None:
    assert checked_gate(gate) is gate


@pytest.mark.parametrize(
    ("value", "admitted"), [(0.98, False), (0.99, True), (1.0, True), (1.01, False), (math.nan, False)]
)
def test_a_threshold_admits_what_is_within(value: float, admitted: bool) -> None:
    assert Gate("g", query="rate", least=0.99, most=1.0).admits(value) == admitted
