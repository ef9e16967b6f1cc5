"""The arithmetic behind the bars, and the tables that show it."""

from __future__ import annotations

import pytest
from benchmarks import bars, report, rows
from benchmarks.bars import Bar
from benchmarks.measure import Sample
from benchmarks.rounds import Measured
from benchmarks.rows import CORE, EMPTY, KUBECTL, OURS, Row
from benchmarks.suites import FULL, QUICK

SECOND, THEIRS = Row(rows.SECOND, OURS), Row(rows.SECOND, KUBECTL)


def samples(*seconds: float, requests: int = 0, megabytes: float | None = None) -> list[Sample]:
    return [Sample(value, value / 2, value / 4, requests, 0, megabytes) for value in seconds]


RESULTS = {
    THEIRS: samples(5.0, 4.0, 9.0, requests=1001),
    SECOND: samples(1.0, 1.0, 7.0, requests=15),
    Row(rows.SECOND_MEMORY, OURS): samples(3.0, megabytes=120.0),
    Row(rows.TASK, OURS): samples(2.0),
    Row(rows.TASKS, OURS): samples(3.0),
    Row(rows.VARIABLES, EMPTY): samples(2.0),
    Row(rows.VARIABLES, OURS): samples(2.5),
}


def verdicts(results: bars.Results) -> dict[str, list[str]]:
    """The rows of the table of bars, by their first cell."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in report.bars(results).splitlines()[2:]]
    return {line[0]: line[1:] for line in lines}


def test_a_median_is_the_middle_and_not_the_mean() -> None:
    assert bars.middle(RESULTS, SECOND) == 1.0
    assert bars.middle(RESULTS, THEIRS) == 5.0
    assert bars.middle(RESULTS, THEIRS, "requests") == 1001


def test_figures_are_made_of_medians() -> None:
    assert bars.ratio(SECOND, THEIRS)(RESULTS) == 0.2
    assert bars.above(Row(rows.TASKS, OURS), Row(rows.TASK, OURS), 10)(RESULTS) == 0.1
    assert bars.value(SECOND, times=20)(RESULTS) == 20.0


def test_no_machine_is_quicker_than_all_of_its_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    assert bars.at_best(SECOND, THEIRS)(RESULTS) == (0.5 + 0.25) / 3 / 5.0


@pytest.mark.parametrize(
    ("bar", "figure", "met"),
    [
        (Bar("", bars.value(SECOND), "s", at_most=4), 4.0, True),
        (Bar("", bars.value(SECOND), "s", at_most=4), 4.01, False),
        (Bar("", bars.value(SECOND), "x", at_least=9), 9.0, True),
        (Bar("", bars.value(SECOND), "x", at_least=9), 8.99, False),
    ],
)
def test_a_limit_itself_is_met(bar: Bar, figure: float, met: bool) -> None:
    assert bar.met(figure) is met


def test_the_table_of_bars_says_what_is_met_what_not_and_what_was_not_measured() -> None:
    found = verdicts({**RESULTS, Row(rows.SECOND, CORE): samples(8.5)})
    assert found["second run, of kubectl's time"] == ["met", "0.2 x", "≤ 0.3 x"]
    assert found["kubernetes.core's second run, of ours"] == ["NOT met", "8.5 x", "≥ 9 x"]
    assert found["second run, requests"] == ["met", "15 requests", "≤ 16 requests"]
    assert found["fresh, of kubectl's time"] == ["not measured", "", "≤ 1 x"]
    assert found["one more task of kubernetes.core"] == ["not measured", "", ""]


def test_what_is_just_over_a_limit_is_seen_to_be() -> None:
    found = verdicts({**RESULTS, SECOND: samples(1.51)})
    assert found["second run, of kubectl's time"][:2] == ["NOT met", "0.302 x"]


def test_measurements_have_spread_ratio_and_the_memory_of_their_twins() -> None:
    table = report.measurements(Measured(RESULTS, {Row(rows.FRESH, OURS): "exit code 2"}))
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert [rows.SECOND, OURS, "1.00", "1.00", "7.00", "0.20", "0.50", "0.25", "15", "0", "120"] in lines
    assert [rows.VARIABLES, OURS, "2.50", "2.50", "2.50", "1.25", "1.25", "0.62", "0", "0", ""] in lines
    assert [rows.FRESH, OURS, *["did not run"] * 3, *[""] * 6] in lines
    assert rows.SECOND_MEMORY not in table


def test_a_quick_run_is_not_taken_for_a_measurement() -> None:
    measured = Measured(RESULTS)
    assert "Too small to compare" in report.document(measured, {"date": "2026-11-23"}, QUICK)
    assert "Too small to compare" not in report.document(measured, {"date": "2026-11-23"}, FULL)


def test_scales_agree_with_what_bars_extrapolate() -> None:
    assert FULL.objects / FULL.loop == QUICK.objects / QUICK.loop
    assert FULL.many / FULL.objects == QUICK.many / QUICK.objects
