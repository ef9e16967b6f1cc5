"""The program that says whether the project is well must itself be right: real commands, real reports."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
import run
import steps
from steps import STEPS, Check, Step

REPORT = '<testsuites><testsuite tests="{}" failures="{}" errors="{}" skipped="{}"/></testsuites>'


@pytest.fixture(autouse=True)
def _reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs of these runs stay out of the real ones."""
    monkeypatch.setattr(run, "REPORTS", tmp_path / "report")
    monkeypatch.setattr(run, "ROOT", tmp_path)
    (tmp_path / "report").mkdir()


def python(code: str, name: str = "check", **more: object) -> Check:
    """A check that runs a line of Python."""
    return Check(name, (sys.executable, "-c", code), **more)  # type: ignore[arg-type]


def test_a_check_counts_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Its output is shown, with its name before each line."""
    outcome = run.run_check("lint", python("print('hello')"))
    assert (outcome.passed, outcome.failed, outcome.note) == (1, 0, "")
    assert "check | hello\n" in capsys.readouterr().out


def test_a_line_is_shown_whole_however_slowly_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    """pytest writes a dot at a time, and a check may end without ending its line."""
    slow = "import time; [(print(c, end='', flush=True), time.sleep(0.15)) for c in 'a.b\\nend']"
    run.run_check("unit", python(slow))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == ["check | a.b", "check | end"]


def test_a_failing_check_says_its_exit_code() -> None:
    """The table has to say why."""
    outcome = run.run_check("lint", python("raise SystemExit(3)"))
    assert (outcome.passed, outcome.failed, outcome.note) == (0, 1, "exit code 3")


def test_a_missing_program_is_a_failure_and_not_a_crash() -> None:
    """The other checks still have to run."""
    outcome = run.run_check("lint", Check("check", ("no-such-program-here",)))
    assert outcome.failed == 1
    assert "cannot start" in outcome.note


@pytest.mark.parametrize(
    ("report", "exit_code", "counted"),
    [
        ((7, 0, 0, 0), 0, (7, 0)),
        ((7, 2, 1, 0), 1, (4, 3)),
        ((7, 0, 0, 2), 0, (5, 2)),
        ((0, 0, 0, 0), 5, (0, 1)),
        ((0, 0, 0, 0), 0, (0, 1)),
        ((7, 0, 0, 0), 3, (7, 1)),
    ],
    ids=["all pass", "failures and errors", "a skip proves nothing", "no tests", "no tests, exit 0", "died at the end"],
)
def test_cases_are_counted_from_the_report(
    tmp_path: Path, report: tuple[int, ...], exit_code: int, counted: tuple[int, int]
) -> None:
    """Nothing that went wrong may be counted as well."""
    junit = tmp_path / "junit.xml"
    write = f"import pathlib; pathlib.Path({str(junit)!r}).write_text({REPORT.format(*report)!r})"
    outcome = run.run_check("unit", python(f"{write}; raise SystemExit({exit_code})", junit=junit))
    assert (outcome.passed, outcome.failed) == counted


def test_a_report_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    """A suite that dies before it writes one has failed."""
    junit = tmp_path / "junit.xml"
    junit.write_text(REPORT.format(7, 0, 0, 0), encoding="utf-8")
    outcome = run.run_check("unit", python("", junit=junit))
    assert (outcome.passed, outcome.failed) == (0, 1)


def test_a_check_that_hangs_is_stopped_with_its_children(tmp_path: Path) -> None:
    """Continuous integration has a limit of its own, and prints no table when it strikes."""
    child = tmp_path / "child"
    code = (
        "import pathlib, subprocess, time; child = subprocess.Popen(['sleep', '60']);"
        f" pathlib.Path({str(child)!r}).write_text(str(child.pid)); time.sleep(60)"
    )
    outcome = run.run_check("lint", python(code, minutes=1 / 60))
    assert (outcome.failed, outcome.note) == (1, f"stopped after {1 / 60} minutes")
    assert ended(int(child.read_text(encoding="utf-8")))


def ended(pid: int) -> bool:
    """A killed process may still be on its way out when a machine is busy."""
    deadline = time.monotonic() + 5
    while state(pid) not in ("", "Z") and time.monotonic() < deadline:
        time.sleep(0.01)
    return state(pid) in ("", "Z")


def state(pid: int) -> str:
    """The state letter of a process, or nothing if it has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""


def test_a_daemon_that_keeps_the_output_open_does_not_hold_the_run(tmp_path: Path) -> None:
    """The bed leaves daemons behind on purpose."""
    pid = tmp_path / "pid"
    code = (
        "import pathlib, subprocess; child = subprocess.Popen(['sleep', '60'], start_new_session=True);"
        f" pathlib.Path({str(pid)!r}).write_text(str(child.pid))"
    )
    outcome = run.run_check("lint", python(code))
    os.kill(int(pid.read_text(encoding="utf-8")), 9)
    assert (outcome.passed, outcome.seconds < 30) == (1, True)


def test_a_failure_stops_nothing_and_decides_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run shows everything; its last line and its exit code say how it went."""
    checks = [python("raise SystemExit(1)", "first"), python("", "second"), python("", "third")]
    monkeypatch.setattr(run, "STEPS", {"lint": Step(lambda: checks, at_once=2)})
    assert run.main([]) == 1
    assert capsys.readouterr().out.endswith("2 passed, 1 failed\n")


def test_an_unknown_step_names_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """A slip of the finger must not look like success."""
    assert run.main(["unti"]) == 2
    assert f"There are: {', '.join(STEPS)}." in capsys.readouterr().out


def test_every_scenario_is_found() -> None:
    """A folder that was renamed would otherwise leave the step with nothing but the bed."""
    scenarios = {path.parent.name for path in (steps.ROOT / "extensions" / "molecule").glob("*/molecule.yml")}
    checks = {check.name.removeprefix("molecule-") for check in STEPS["molecule"].checks()}
    assert scenarios
    assert scenarios <= checks
