"""What the measurements must come to, as a table, and the arithmetic that it needs."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from benchmarks import rows
from benchmarks.measure import Sample
from benchmarks.rows import CORE, EMPTY, HELM, KAPP, KUBECTL, OURS, Row
from benchmarks.suites import FULL, MORE

Results = Mapping[Row, Sequence[Sample]]
Quantity = Literal["seconds", "cpu_seconds", "server_seconds", "requests", "writes", "megabytes"]
Value = Callable[[Results], float]


class NotMeasuredError(Exception):
    """A row that is needed has no sample."""


def middle(results: Results, row: Row, quantity: Quantity = "seconds") -> float:
    """The median of a row. Raises NotMeasuredError."""
    values = [getattr(sample, quantity) for sample in results.get(row, ())]
    if not values:
        raise NotMeasuredError(str(row))
    return float(median(values))


def value(row: Row, quantity: Quantity = "seconds", times: float = 1) -> Value:
    """The quantity itself."""
    return lambda results: times * middle(results, row, quantity)


def ratio(row: Row, other: Row) -> Value:
    """How many times the seconds of another one."""
    return lambda results: middle(results, row) / middle(results, other)


def above(row: Row, other: Row, parts: int = 1) -> Value:
    """By how many seconds it takes longer, per part."""
    return lambda results: (middle(results, row) - middle(results, other)) / parts


def at_best(row: Row, other: Row) -> Value:
    """Of another one's seconds, what it would take if every processor were busy with it and its server all the time."""

    def least(results: Results) -> float:
        work = middle(results, row, "cpu_seconds") + middle(results, row, "server_seconds")
        return work / (os.cpu_count() or 1) / middle(results, other)

    return least


@dataclass(frozen=True)
class Bar:
    """A figure, and its limit; without one it stands beside the others for comparison."""

    text: str
    value: Value
    unit: str
    at_most: float | None = None
    at_least: float | None = None

    def figure(self, results: Results) -> float | None:
        """None when something that it needs has not been measured."""
        try:
            return self.value(results)
        except NotMeasuredError:
            return None

    def met(self, figure: float) -> bool:
        return (self.at_most is None or figure <= self.at_most) and (self.at_least is None or figure >= self.at_least)

    @property
    def limit(self) -> str:
        if self.at_most is not None:
            return f"≤ {self.at_most:g} {self.unit}"
        return "" if self.at_least is None else f"≥ {self.at_least:g} {self.unit}"


def _ours(phase: str) -> Row:
    return Row(phase, OURS)


BARS: tuple[Bar, ...] = (
    Bar("second run, of kubectl's time", ratio(_ours(rows.SECOND), Row(rows.SECOND, KUBECTL)), "x", at_most=0.30),
    Bar("kapp's second run, of kubectl's time", ratio(Row(rows.SECOND, KAPP), Row(rows.SECOND, KUBECTL)), "x"),
    Bar("kubernetes.core's second run, of ours", ratio(Row(rows.SECOND, CORE), _ours(rows.SECOND)), "x", at_least=9),
    Bar(
        "kubernetes.core in a loop, extrapolated to all objects",
        value(Row(rows.LOOP, CORE), times=FULL.objects / FULL.loop),
        "s",
    ),
    Bar("second run, requests", value(_ours(rows.SECOND), "requests"), "requests", at_most=16),
    Bar("second run, persisted", value(_ours(rows.SECOND), "writes"), "writes", at_most=0),
    Bar(
        "second run from inventory variables, above an empty playbook with them",
        above(_ours(rows.VARIABLES), Row(rows.VARIABLES, EMPTY)),
        "s",
        at_most=1.0,
    ),
    Bar("fresh, of kubectl's time", ratio(_ours(rows.FRESH), Row(rows.FRESH, KUBECTL)), "x", at_most=1.0),
    Bar(
        "fresh, were no processor of this machine ever idle",
        at_best(_ours(rows.FRESH), Row(rows.FRESH, KUBECTL)),
        "x",
    ),
    Bar(
        "fresh with validate: schema, of kubectl's time",
        ratio(_ours(rows.FRESH_SCHEMA), Row(rows.FRESH, KUBECTL)),
        "x",
        at_most=0.65,
    ),
    Bar(
        "fresh with validate: schema, were no processor of this machine ever idle",
        at_best(_ours(rows.FRESH_SCHEMA), Row(rows.FRESH, KUBECTL)),
        "x",
    ),
    Bar(
        "check of 10 changes, of kubectl diff's time",
        ratio(_ours(rows.CHANGES), Row(rows.CHANGES, KUBECTL)),
        "x",
        at_most=0.4,
    ),
    Bar("second run of 10 times the objects", ratio(_ours(rows.MANY), _ours(rows.SECOND)), "x", at_most=9),
    Bar("peak memory, second run", value(_ours(rows.SECOND_MEMORY), "megabytes"), "MB", at_most=200),
    Bar("peak memory, 10 times the objects", value(_ours(rows.MANY_MEMORY), "megabytes"), "MB", at_most=400),
    Bar("all hosts, unchanged", value(_ours(rows.HOSTS)), "s", at_most=4),
    Bar("all hosts by the playbook mesh, unchanged", value(_ours(rows.FLEET)), "s", at_most=10),
    Bar("one more task", above(_ours(rows.TASKS), _ours(rows.TASK), MORE), "s", at_most=0.15),
    Bar("one more task of kubernetes.core", above(Row(rows.TASKS, CORE), Row(rows.TASK, CORE), MORE), "s"),
    Bar(
        "second run of a control plane, of two releases of Helm",
        ratio(_ours(rows.PLANE), Row(rows.PLANE, HELM)),
        "x",
        at_most=0.65,
    ),
    Bar("second run of a control plane, persisted", value(_ours(rows.PLANE), "writes"), "writes", at_most=0),
)
