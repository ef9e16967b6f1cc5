"""The table of what `make test` runs: each step, its checks, and how long a check may take."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORTS = ROOT / ".venv" / "report"
BED = "tests/testbed/bed"
# What integration tests use of the bed beside the lane api: servers, programs of two versions and charts of all.
TESTED_CHARTS = ("charts-1.28.3", "charts-1.29.1", "charts-1.31.0")
TESTED_PARTS = ("prometheus", "registry", "istio-1.29.1", "istio-1.31.0", *TESTED_CHARTS)
TOOLS = Path(sys.executable).parent
OLDEST = ROOT / ".venv-2.16" / "bin"
DOCS = ("lint-collection-docs", "--plugin-docs", "--validate-collection-refs=self", ".")
AWX = ("--file", "examples/awx/execution-environment.yml", "--context", str(REPORTS / "execution-environment"))


@dataclass(frozen=True)
class Check:
    """One command. It counts as one case, or as many as its JUnit report says."""

    name: str
    argv: tuple[str, ...]
    minutes: int = 10
    junit: Path | None = None
    folder: str = "."
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """Checks that belong together; looked up only when their turn comes."""

    checks: Callable[[], list[Check]]
    at_once: int = 1


@cache
def scratch() -> tempfile.TemporaryDirectory[str]:
    """Where tests keep their files: pytest's own place forgets those of a run when three more have begun."""
    return tempfile.TemporaryDirectory(prefix="service_mesh.istio-")


def pytest(name: str, *arguments: str, minutes: int, tools: Path = TOOLS) -> Check:
    """One run of pytest with a report to count. What the tests start comes from the same environment."""
    junit = REPORTS / f"{name}.xml"
    command = (str(tools / "python"), "-m", "pytest", f"--junitxml={junit}", *arguments)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return Check(name, command, minutes, junit, environment={"PATH": path, "PYTEST_DEBUG_TEMPROOT": scratch().name})


def lint() -> list[Check]:
    """Longest first: two run at a time. Each is independent of the others."""
    python = sys.executable
    return [
        Check("sanity", (python, "tests/lint/sanity.py"), minutes=20),
        Check("sanity-core-2.16", (str(OLDEST / "python"), "tests/lint/sanity.py"), minutes=20),
        Check("ansible-lint", ("ansible-lint", "--offline", "--strict")),
        Check("artifact", (python, "tests/lint/artifact.py")),
        Check("docs", ("antsibull-docs", "--config-file=tests/lint/antsibull.cfg", *DOCS)),
        Check("mypy", ("mypy",)),
        Check("mypy-tests", ("mypy", "--config-file=tests/mypy.ini")),
        Check("yamllint", ("yamllint", "--strict", ".")),
        Check("awx", ("ansible-builder", "create", *AWX)),
        Check("changelog", ("antsibull-changelog", "lint")),
        Check("ruff", ("ruff", "check")),
        Check("ruff-format", ("ruff", "format", "--check")),
    ]


def unit() -> list[Check]:
    """The same tests on the newest ansible-core that this Python takes and on the oldest that we promise."""
    return [
        pytest("unit", "-n2", "tests/unit", minutes=10),
        pytest("unit-core-2.16", "-n2", "tests/unit", minutes=10, tools=OLDEST),
    ]


def bed() -> list[Check]:
    """The bed comes first and by itself: a cold machine builds for many minutes, which no test's limit should see."""
    return [
        Check("bed-api", (BED, "up", "--lane", "api"), minutes=45),
        Check("bed-parts", (BED, "build", *TESTED_PARTS), minutes=30),
    ]


def integration() -> list[Check]:
    """Longest first: two run at a time. Some folders have API servers of their own, the others share the bed's."""
    apart = ("tests/integration/lives", "tests/integration/engine")
    ignored = (f"--ignore={folder}" for folder in apart)
    return [
        pytest("integration-apart", "-n2", "--dist=loadfile", *apart, minutes=60),
        pytest("integration", "tests/integration", *ignored, minutes=60),
    ]


def molecule() -> list[Check]:
    """One check a scenario: the folders of extensions/molecule that hold a molecule.yml."""
    scenarios = sorted(path.parent.name for path in (ROOT / "extensions" / "molecule").glob("*/molecule.yml"))
    environment = f'eval "$({BED} env --lane cluster)"'
    cluster = Check("bed-cluster", (BED, "up", "--lane", "cluster"), minutes=60)
    # What molecule remembers of a cluster that has gone since is forgotten: it would not be filled again.
    tests = [
        Check(
            f"molecule-{name}",
            ("bash", "-c", f"{environment} && molecule reset -s {name} && molecule test -s {name}"),
            20,
        )
        for name in scenarios
    ]
    down = Check("bed-down", (BED, "down"), minutes=5)
    # A person's bed stays up for the next round; continuous integration leaves its machine as it was.
    return [cluster, *tests, *([down] if os.environ.get("CI") else [])]


STEPS: Mapping[str, Step] = {
    "lint": Step(lint, at_once=2),
    "unit": Step(unit),
    "bed": Step(bed),
    "integration": Step(integration, at_once=2),
    "molecule": Step(molecule),
}
