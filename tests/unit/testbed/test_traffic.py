"""Constant traffic: a client that could not ask is no client whose requests were all answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from integration.support.bed import Cluster
from integration.support.traffic import Seen, under_traffic

Pod = dict[str, Any]


def pod(uid: str, **metadata: str) -> Pod:
    return {"metadata": {"uid": uid, **metadata}, "status": {"phase": "Running"}}


@dataclass(frozen=True)
class Standing(Cluster):
    """A cluster whose client shows other Pods at every look, and whose kubectl is a script."""

    shown: Iterator[list[Pod]] = field(default_factory=lambda: cycle([[]]))
    looks: list[str] = field(default_factory=list)

    def objects(self, resources: str, namespace: str = "", labels: str = "") -> list[Pod]:
        self.looks.append(f"{resources} {namespace} {labels}")
        return next(self.shown)


def seen_by(cluster: Standing, script: str, looks: int = 3) -> Seen:
    """What is seen until so many looks at the client: one before it is asked, and one where it did not ask."""
    program, until = cluster.bin / "kubectl", time.monotonic() + 20
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    with under_traffic(cluster, {"shop": ("http://shop",)}) as seen:
        while len(cluster.looks) < looks:
            assert time.monotonic() < until
            time.sleep(0.01)
    return seen


FAILS = "echo 'no route to the kubelet' >&2; exit 1"


def test_a_client_that_stays_and_cannot_ask_has_failed(tmp_path: Path) -> None:
    seen = seen_by(Standing("", tmp_path, shown=cycle([[pod("a")]])), FAILS)
    error = "shop: the client did not ask, kubectl exec ended with 1: no route to the kubelet"
    assert seen.failed.keys() == {error}
    assert all(error.removeprefix("shop: ") in line for line in seen.lines)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param([[pod("a")], [pod("b")]], id="another Pod"),
        pytest.param([[pod("a"), pod("b", deletionTimestamp="now")]], id="one is ending"),
    ],
)
def test_a_client_that_is_restarted_asks_nothing(shown: list[list[Pod]], tmp_path: Path) -> None:
    seen = seen_by(Standing("", tmp_path, shown=cycle(shown)), FAILS)
    assert (seen.failed, seen.lines, seen.statuses) == ({}, [], {})


def test_what_ends_the_traffic_is_told(tmp_path: Path) -> None:
    """As an answer that nobody can read."""
    with pytest.raises(ValueError, match="Expecting"):
        seen_by(Standing("", tmp_path, shown=cycle([[pod("a")]])), "echo '{'", looks=1)
