"""Starts the test bed, or says what this Python lacks for it."""

from __future__ import annotations

import importlib.util
import sys

NEEDED = ("yaml", "cryptography")


def main() -> int:
    """The program's own imports wait until it is known that they can succeed."""
    if not all(importlib.util.find_spec(name) for name in NEEDED):
        sys.exit("bed: this Python lacks PyYAML or cryptography; run `make venv` in the checkout, then try again")
    from testbed.cli import main as run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
