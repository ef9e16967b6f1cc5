"""The one error that a person is meant to read: what failed, where, and what to do about it."""

from __future__ import annotations

from pathlib import Path

TAIL = 25


class BedError(Exception):
    """Ends the command with its text and no traceback."""


def tail(path: Path, lines: int = TAIL) -> str:
    """The end of a log, indented, so that an error carries its cause and nobody has to go and look for it."""
    try:
        text = path.read_text(errors="replace").splitlines()[-lines:]
    except OSError:
        return "    (no log)"
    return "\n".join(f"    {line[:400]}" for line in text)
