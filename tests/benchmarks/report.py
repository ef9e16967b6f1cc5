"""The tables: one text for the terminal and for docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import median

from benchmarks.bars import BARS, Bar, Results, middle
from benchmarks.rounds import Measured
from benchmarks.rows import EMPTY, HELM, KUBECTL, MEMORY_OF, Row
from benchmarks.suites import FULL, Scale

# The first of these that a phase has is what its other rows are compared with.
REFERENCES = (KUBECTL, HELM, EMPTY)
HEAD = """\
# Performance

Written by `make bench`: do not edit. Whole processes side by side in one run, in turns, on one machine with its API
server. Seconds differ from machine to machine; ratios less, but they do: a second run of ours is Python at work on one
core, and kubectl's waits for the server most of the time.
"""
NOTES = """\
- *fresh*: the namespaces exist, the objects do not. *second run*: everything is as described. *check*: `kubectl diff
  --server-side`, `kapp deploy --diff-run`, `ansible-playbook --check --diff`, with 10 objects that differ.
- *ratio*: the median, of kubectl's in the same phase (of Helm's or the empty playbook's where kubectl has none). *CPU*:
  of the process and its children; *server*: of etcd, the API server and its controllers meanwhile, in seconds as well.
- What is *fresh* is bound by processors, which the server shares with the contenders here: kubectl and its server keep
  one and a half of two busy, and what is validated by the server first is asked of it twice. Where the API server has
  its own, requests side by side take less time.
- *requests* and *writes* are from the API server's audit log. A write is a mutating request that was accepted and no
  dry run; an apply that changes nothing counts.
- *MB*: peak of the proportional set size of the process tree, from runs of its own, because looking costs time.
- kubectl: `kubectl apply --server-side -f FOLDER`. kapp: `kapp deploy -f FOLDER`. kubernetes.core: one `k8s` task with
  the list of objects, server-side apply; *in a loop* one object at a time, on one in twenty of them.
- The objects (14 kinds of Istio, 20 in each namespace) are made by `tests/benchmarks/workload.py`.
- *control plane*: base and istiod from the same charts with the same values on a cluster with a node, by one task, and
  by two releases of Helm (`helm upgrade --install --wait`), until istiod is ready.
- *many hosts*: every inventory host has the 20 objects of one namespace; all of them are one API server here.
  *whole playbook*: the same by `service_mesh.istio.mesh`, of a mesh whose Istio is somebody else's, beside ten empty
  tasks.
"""


def table(head: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    """A table in Markdown that is also readable as it stands. All columns but the first two hold numbers."""
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    rule = [("-" * width if column < 2 else "-" * (width - 1) + ":") for column, width in enumerate(widths)]

    def line(row: Sequence[str]) -> str:
        cells = (cell.ljust(w) if n < 2 else cell.rjust(w) for n, (cell, w) in enumerate(zip(row, widths, strict=True)))
        return f"| {' | '.join(cells)} |"

    return "\n".join(line(row) for row in [head, rule, *body])


def measurements(measured: Measured) -> str:
    """Every row that was measured or should have been; those for memory fill a column of their twins."""
    head = ("phase", "tool", "min s", "median s", "max s", "ratio", "CPU s", "server", "requests", "writes", "MB")
    shown = [row for row in measured.samples if row.phase not in MEMORY_OF.values()]
    body = [_line(row, measured.samples) for row in shown]
    body += [(row.phase, row.tool, *["did not run"] * 3, *[""] * 6) for row in measured.failures]
    order = {phase: number for number, phase in enumerate(dict.fromkeys(line[0] for line in body))}
    return table(head, sorted(body, key=lambda line: order[line[0]]))


def _line(row: Row, samples: Results) -> tuple[str, ...]:
    seconds = [sample.seconds for sample in samples[row]]
    return (
        row.phase,
        row.tool,
        *(f"{number:.2f}" for number in (min(seconds), median(seconds), max(seconds))),
        _ratio(row, samples),
        f"{middle(samples, row, 'cpu_seconds'):.2f}",
        f"{middle(samples, row, 'server_seconds'):.2f}",
        f"{middle(samples, row, 'requests'):.0f}",
        f"{middle(samples, row, 'writes'):.0f}",
        _memory(row, samples),
    )


def _memory(row: Row, samples: Results) -> str:
    twin = Row(MEMORY_OF.get(row.phase, ""), row.tool)
    return f"{middle(samples, twin, 'megabytes'):.0f}" if twin in samples else ""


def _ratio(row: Row, samples: Results) -> str:
    reference = next((tool for tool in REFERENCES if Row(row.phase, tool) in samples), None)
    if reference is None:
        return ""
    return f"{middle(samples, row) / middle(samples, Row(row.phase, reference)):.2f}"


def bars(results: Results) -> str:
    """What was promised, and what came of it."""
    return table(("bar", "verdict", "measured", "limit"), [_bar(bar, bar.figure(results)) for bar in BARS])


def _bar(bar: Bar, figure: float | None) -> tuple[str, ...]:
    if figure is None:
        return bar.text, "not measured", "", bar.limit
    verdict = ("met" if bar.met(figure) else "NOT met") if bar.limit else "for comparison"
    return bar.text, verdict, f"{_short(figure)} {bar.unit}", bar.limit


def _short(figure: float) -> str:
    """Three digits, so that what is just over a limit is seen to be."""
    return f"{figure:.3g}" if abs(figure) < 1000 else f"{figure:.0f}"


def failures(measured: Measured) -> str:
    """Why rows are missing."""
    return "\n".join(dict.fromkeys(measured.failures.values()))


def _scale(scale: Scale) -> str:
    size = f"{scale.objects:,} objects in {scale.namespaces} namespaces (and {scale.many:,}), medians of {scale.runs}"
    small = "" if replace(scale, runs=FULL.runs) == FULL else ". **Too small to compare with the bars.**"
    return f"{size}; {scale.namespaces} hosts with {scale.forks} forks{small}\n"


def document(measured: Measured, facts: Mapping[str, str], scale: Scale) -> str:
    """docs/performance.md."""
    machine = table(("what", "which"), list(facts.items()))
    parts = [
        HEAD,
        _scale(scale),
        "## Bars\n",
        bars(measured.samples),
        "\n## Measurements\n",
        measurements(measured),
        "",
    ]
    return "\n".join([*parts, NOTES, "## Machine and versions\n", machine, ""])
