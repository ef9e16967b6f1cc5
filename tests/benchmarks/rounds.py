"""Runs the suites: prepares each once, repeats its rounds, and keeps what was measured and what did not run."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.measure import Command, DidNotRunError, Laboratory, Sample
from benchmarks.rows import Row
from benchmarks.suites import Suite

_BEGAN = time.monotonic()


def say(text: str) -> None:
    """Progress, with the time since the beginning; stdout belongs to the tables."""
    print(f"[{time.monotonic() - _BEGAN:6.1f}s] {text}", file=sys.stderr, flush=True)


class State(Protocol):
    """What a round begins with, and goes back to between two contenders."""

    def wipe(self) -> None: ...


@dataclass
class Measured:
    """Samples by row, and why a row has none."""

    samples: dict[Row, list[Sample]] = field(default_factory=dict)
    failures: dict[Row, str] = field(default_factory=dict)

    def include(self, more: Measured) -> None:
        self.samples.update(more.samples)
        self.failures.update(more.failures)


@dataclass(frozen=True)
class Rounds:
    """Where suites run, and how often."""

    laboratory: Laboratory
    server: State
    runs: int

    def run(self, suites: Mapping[str, Suite]) -> Measured:
        measured = Measured()
        for name, suite in suites.items():
            try:
                self._suite(name, suite, measured)
            except DidNotRunError as error:
                measured.failures.update(dict.fromkeys(suite.rows, str(error)))
                say(f"{name}: could not be prepared: {error}")
        return measured

    def _suite(self, name: str, suite: Suite, measured: Measured) -> None:
        say(f"{name}: preparing")
        for step in suite.prepare:
            if isinstance(step, Command):
                self.laboratory.measure(step)
            else:
                self.server.wipe()
        for number in range(1, self.runs + 1):
            say(f"{name}: round {number} of {self.runs}")
            for step in suite.round:
                if isinstance(step, Command):
                    self._keep(step, measured)
                else:
                    self.server.wipe()

    def _keep(self, command: Command, measured: Measured) -> None:
        """A row that did not run once is not tried again: the half of its runs would mislead."""
        if command.row in measured.failures:
            return
        try:
            sample = self.laboratory.measure(command)
        except DidNotRunError as error:
            measured.samples.pop(command.row, None)
            measured.failures[command.row] = str(error)
            say(str(error))
            return
        measured.samples.setdefault(command.row, []).append(sample)
        say(f"  {command.row}: {sample.seconds:.2f} s")
