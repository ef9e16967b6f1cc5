"""Looking for secrets in everything that a run leaves behind."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from pathlib import Path

SHORTEST = 8


def forms(secret: str) -> set[str]:
    """A secret as it is, encoded, and (when it is an encoding itself) decoded line by line."""
    found = {secret, base64.b64encode(secret.encode()).decode()}
    try:
        decoded = base64.b64decode(secret, validate=True).decode()
    except ValueError:
        decoded = ""
    lines = [line for line in decoded.splitlines() if not line.startswith("-----")]
    return {form for form in (*found, *lines) if len(form) >= SHORTEST}


def files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        yield from (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def traces(secrets: Iterable[str], texts: dict[str, str]) -> list[str]:
    """Where a secret stands, in which form, without showing it whole."""
    wanted = {form for secret in secrets for form in forms(secret)}
    return [f"{where}: {form[:4]}…{len(form)}" for where, text in texts.items() for form in wanted if form in text]


def contents(paths: Iterable[Path]) -> dict[str, str]:
    return {str(path): path.read_text(encoding="utf-8", errors="replace") for path in paths}
