"""Judges of a wait: every state of an object has its verdict."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import (
    Verdict,
    condition,
    crd_established,
    deployment_available,
    gone,
)

ALL_THERE = {"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}


def deployment(**status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}


def crd(*conditions: tuple[str, str]) -> dict[str, Any]:
    entries = [{"type": kind, "status": status, "message": f"{kind} says {status}"} for kind, status in conditions]
    return {"metadata": {}, "status": {"conditions": entries}}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, "its controller has not seen the change yet"),
        ({**ALL_THERE, "observedGeneration": 1}, "its controller has not seen the change yet"),
        ({**ALL_THERE, "updatedReplicas": 1}, "3 of 3 replicas available, 1 updated"),
        ({**ALL_THERE, "availableReplicas": 2}, "2 of 3 replicas available, 3 updated"),
        ({**ALL_THERE, "replicas": 4}, "3 of 3 replicas available, 3 updated"),
        ({"observedGeneration": 2}, "0 of 3 replicas available, 0 updated"),
    ],
)
def test_a_deployment_is_not_available_yet(status: dict[str, Any], state: str) -> None:
    assert deployment_available(deployment(**status)) == Verdict(state=state)


def test_a_deployment_with_every_replica_of_its_generation_is_ready() -> None:
    assert deployment_available(deployment(**ALL_THERE)).ready


def test_a_deployment_scaled_to_nothing_is_ready() -> None:
    found = {"metadata": {"generation": 1}, "spec": {"replicas": 0}, "status": {"observedGeneration": 1}}
    assert deployment_available(found).ready


def test_a_rollout_past_its_deadline_is_hopeless_and_says_why() -> None:
    stuck = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    found = deployment(observedGeneration=2, conditions=[stuck])
    assert deployment_available(found) == Verdict(hopeless=True, state="timed out")


def test_a_deadline_of_an_older_generation_does_not_count() -> None:
    stuck = {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    assert not deployment_available(deployment(observedGeneration=1, conditions=[stuck])).hopeless


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (None, Verdict(state="it does not exist")),
        (crd(), Verdict(state="waiting to be established")),
        (crd(("Established", "False")), Verdict(state="waiting to be established")),
        (crd(("NamesAccepted", "False")), Verdict(hopeless=True, state="NamesAccepted says False")),
        (
            crd(("NamesAccepted", "True"), ("Established", "True")),
            Verdict(ready=True, state="waiting to be established"),
        ),
    ],
)
def test_a_crd(found: dict[str, Any] | None, verdict: Verdict) -> None:
    assert crd_established(found) == verdict


def test_what_does_not_exist_is_waited_for() -> None:
    assert deployment_available(None) == Verdict(state="it does not exist")


@pytest.mark.parametrize("found", [{}, {"status": None}, {"status": {"conditions": None}}, crd(("Other", "True"))])
def test_a_missing_condition_is_an_empty_one(found: dict[str, Any]) -> None:
    assert condition(found, "Ready") == {}


def test_pods_that_cannot_be_created_are_told_by_the_deployment() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "message": "failed calling webhook"}
    found = deployment(observedGeneration=2, conditions=[refused])
    state = "0 of 3 replicas available, 0 updated; Pods cannot be created: failed calling webhook"
    assert deployment_available(found) == Verdict(state=state)


def test_who_is_gone_may_have_a_successor_of_the_same_name() -> None:
    seen, successor = ({"metadata": {"uid": uid}} for uid in "12")
    assert [gone(seen)(found).ready for found in (seen, None, successor)] == [False, True, True]
