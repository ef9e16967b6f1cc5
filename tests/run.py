"""Runs the project's checks and closes with one table, so that one run shows everything that is wrong.

`make test`, `make lint`, `make unit`, ... call it with the Makefile's environment. A failing check never stops the
others. What is run is data, in steps.py; here is how it is run, watched, measured and counted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import IO
from xml.etree import ElementTree

from steps import REPORTS, ROOT, STEPS, Check

POLL_SECONDS = 0.1
# Long enough for a scenario to take its objects down, short enough for a person who pressed Ctrl-C.
GRACE_SECONDS = 20
CASE_CHARACTERS = 300
interrupted = Event()


@dataclass(frozen=True)
class Outcome:
    """What one check came to; `note` says why it failed where its own output may not, `cases` which tests did."""

    step: str
    check: str
    seconds: float
    passed: int
    failed: int
    note: str = ""
    cases: tuple[str, ...] = ()


def say(text: str) -> None:
    """One whole line at a time: two checks may be talking at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the check with everything that it started: its process group is its own."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def relay(log: IO[str], prefix: str, rest: str) -> str:
    """Print the lines that the check has finished since the last time; return the one that it has begun."""
    *lines, rest = (rest + log.read()).split("\n")
    for line in lines:
        say(f"{prefix} | {line.rstrip()}")
    return rest


def watch(process: subprocess.Popen[bytes], log: IO[str], check: Check) -> str:
    """Relay output until the check ends, from a file: a pipe stays open as long as a daemon of the bed holds it."""
    deadline = time.monotonic() + 60 * check.minutes
    rest = ""
    while process.poll() is None:
        rest = relay(log, check.name, rest)
        if interrupted.wait(POLL_SECONDS):
            stop(process)
            return "interrupted"
        if time.monotonic() > deadline:
            stop(process)
            return f"stopped after {check.minutes} minutes"
    if rest := relay(log, check.name, rest):
        say(f"{check.name} | {rest}")
    return "" if process.returncode == 0 else f"exit code {process.returncode}"


def execute(check: Check) -> str:
    """Run one command; return why it failed, or nothing."""
    path = REPORTS / f"{check.name}.log"
    with path.open("wb") as output, path.open(encoding="utf-8", errors="replace") as log:
        try:
            process = subprocess.Popen(
                check.argv,
                cwd=ROOT / check.folder,
                env={**os.environ, **check.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        except OSError as error:
            return f"cannot start: {error}"
        return watch(process, log, check)


def count(check: Check, note: str) -> tuple[int, int]:
    """Test cases passed and failed; without a report the check is one case. A skipped case is no proof, so it fails."""
    if check.junit is None:
        return (0, 1) if note else (1, 0)
    if not check.junit.exists():
        return 0, 1
    suites = ElementTree.parse(check.junit).getroot().iter("testsuite")
    totals = [[int(suite.get(key, "0")) for key in ("tests", "failures", "errors", "skipped")] for suite in suites]
    tests = sum(row[0] for row in totals)
    failed = sum(sum(row[1:]) for row in totals)
    return tests - failed, max(failed, 1 if note or not tests else 0)


def failed_cases(check: Check) -> tuple[str, ...]:
    """Each failed test in one short line: a server may keep only the end of the output."""
    if check.junit is None or not check.junit.exists():
        return ()
    cases = ElementTree.parse(check.junit).getroot().iter("testcase")
    ends = ((case, end) for case in cases for kind in ("failure", "error", "skipped") for end in case.findall(kind))
    return tuple(
        f"{case.get('classname')}::{case.get('name')}: {' '.join(end.get('message', '').split())}"[:CASE_CHARACTERS]
        for case, end in ends
    )


def run_check(step: str, check: Check) -> Outcome:
    """Run, measure and count one check."""
    if interrupted.is_set():
        return Outcome(step, check.name, 0.0, 0, 1, "not started")
    if check.junit is not None:
        check.junit.unlink(missing_ok=True)
    say(f"{check.name} | $ {' '.join(check.argv)}")
    start = time.monotonic()
    note = execute(check)
    seconds = time.monotonic() - start
    outcome = Outcome(step, check.name, seconds, *count(check, note), note, failed_cases(check))
    say(f"{check.name} | {'FAILED: ' + (note or 'see above') if outcome.failed else 'ok'} in {outcome.seconds:.1f} s")
    return outcome


def run_step(name: str) -> list[Outcome]:
    """Run the checks of one step, as many at a time as the step bears."""
    step = STEPS[name]
    with ThreadPoolExecutor(step.at_once) as pool:
        try:
            return list(pool.map(lambda check: run_check(name, check), step.checks()))
        except KeyboardInterrupt:
            interrupted.set()
            raise


def table(outcomes: list[Outcome]) -> str:
    """The summary that people read."""
    width = max(len(outcome.check) for outcome in outcomes)
    rows = [f"{'step':<12} {'check':<{width}} {'seconds':>8} {'passed':>7} {'failed':>7}"]
    rows += [
        f"{o.step:<12} {o.check:<{width}} {o.seconds:>8.1f} {o.passed:>7} {o.failed:>7}  {o.note}".rstrip()
        for o in outcomes
    ]
    return "\n".join(rows)


def main(names: list[str]) -> int:
    """Run the steps that were asked for, all of them by default."""
    unknown = sorted(set(names) - set(STEPS))
    if unknown:
        say(f"No such step: {', '.join(unknown)}. There are: {', '.join(STEPS)}.")
        return 2
    REPORTS.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    outcomes = [outcome for name in names or STEPS for outcome in run_step(name)]
    failed = sum(outcome.failed for outcome in outcomes)
    say(f"\n{table(outcomes)}\n")
    say(f"{time.monotonic() - start:.0f} seconds in all; every check's output is in {REPORTS.relative_to(ROOT)}/")
    say(f"{sum(outcome.passed for outcome in outcomes)} passed, {failed} failed")
    for case in (case for outcome in outcomes for case in outcome.cases):
        say(f"FAILED {case}")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
