"""Makes what is missing, once per machine: builds are kept by their key and shared by all checkouts of the user."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import host
from .layout import Bed
from .parts import Part, with_needs
from .progress import heartbeat, say, span
from .recipes import RECIPES, Workshop, built


def missing(bed: Bed, names: list[str]) -> list[Part]:
    """The parts that must still be made. Looks only for folders: a second `up` spends no time here."""
    wanted = [part for name in names for part in with_needs([name]) if not built(bed, name).exists()]
    unique = {part.name: part for part in wanted if not built(bed, part.name).exists()}
    return list(unique.values())


def ensure(bed: Bed, names: list[str]) -> dict[str, float]:
    """Makes the missing parts in order; returns the seconds that each took."""
    todo = missing(bed, names)
    if any(part.recipe == "proxy_image" for part in todo):
        host.require(host.PROXY_IMAGE)
    took: dict[str, float] = {}
    for position, part in enumerate(todo, 1):
        following = todo[position].name if position < len(todo) else "nothing"
        say(f"building {part.name} ({position} of {len(todo)}, then {following})")
        since = time.monotonic()
        with heartbeat(part.name):
            one(bed, part)
        took[part.name] = time.monotonic() - since
        say(f"built {part.name} in {span(took[part.name])}")
    return took


def one(bed: Bed, part: Part) -> None:
    """Makes one part in a folder of another name and renames it: a half-made build is never found."""
    final = built(bed, part.name)
    with locked(bed.builds / f"{final.name}.lock", f"another build is making {part.name}: waiting for it"):
        if final.exists():
            return
        scratch = bed.builds / f"{final.name}.making"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        log = bed.builds / f"{final.name}.log"
        log.unlink(missing_ok=True)
        RECIPES[part.recipe](Workshop(bed, part, scratch, log))
        scratch.rename(final)


@contextmanager
def locked(path: Path, waiting: str) -> Iterator[None]:
    """Only one at a time, over all processes of the user; says so when it waits. The kernel frees it when we die."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def table(bed: Bed, names: list[str], took: dict[str, float]) -> str:
    """What was asked for, what it cost and where it is."""
    rows = [
        (part.name, span(took[part.name]) if part.name in took else "there already", built(bed, part.name))
        for part in with_all(names)
    ]
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{name:<{width}}  {cost:>13}  {folder}" for name, cost, folder in rows]
    return "\n".join([*lines, f"{'all':<{width}}  {span(sum(took.values())):>13}"])


def with_all(names: list[str]) -> list[Part]:
    return list({part.name: part for part in with_needs(names)}.values())
