"""Starts the benchmarks: `make bench`, or `.venv/bin/python tests/benchmarks/run.py --help`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The bed, the tests' support and the collection are found from here as they are by pytest.
PLACES = ("tests", "tests/testbed", ".venv/collections")


def main() -> int:
    """The program's own imports wait until they can be found."""
    sys.path[:0] = [str(ROOT / place) for place in PLACES]
    from benchmarks.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
