"""Runs a campaign: a proof too long for every commit, as a file of this folder with a function `campaign`.

    python tests/campaigns/run.py faults seeds=20 percent=10

The function's keyword parameters, all numbers, are the campaign's; it says what it measures and returns what was wrong.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
TESTS = FOLDER.parent
Campaign = Callable[..., list[str]]


def names() -> list[str]:
    """The campaigns that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.py") if path != Path(__file__).resolve())


def parameters(campaign: Campaign, arguments: list[str]) -> Mapping[str, int]:
    """`seeds=20` and the like. Raises ValueError for what the campaign does not know."""
    known = {name: value.default for name, value in inspect.signature(campaign).parameters.items()}
    given = {name: value for name, _, value in (argument.partition("=") for argument in arguments)}
    unknown = sorted(name for name, value in given.items() if name not in known or not value.isdigit())
    if unknown:
        defaults = " ".join(f"{name}={value}" for name, value in known.items())
        raise ValueError(f"not a parameter with a number: {', '.join(unknown)}; there are (with defaults): {defaults}")
    return {name: int(value) for name, value in given.items()}


def main(arguments: list[str]) -> int:
    """Run the named campaign; what was wrong decides the exit code."""
    name = arguments[0].replace("-", "_") if arguments else ""
    if name not in names():
        print(f"Which campaign? There are: {', '.join(names())}.", file=sys.stderr)
        return 2
    # In place of this folder, whose names are not modules of their own.
    sys.path[:1] = [str(TESTS), str(TESTS / "testbed"), str(TESTS.parent / ".venv" / "collections")]
    campaign: Campaign = importlib.import_module(f"campaigns.{name}").campaign
    try:
        chosen = parameters(campaign, arguments[1:])
    except ValueError as error:
        print(f"{name}: {error}.", file=sys.stderr)
        return 2
    wrong = campaign(**chosen)
    print(*wrong, f"{len(wrong)} wrong", sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
