"""Progress for people and CI logs: a line when something starts or ends, a heartbeat while it takes long."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

HEARTBEAT = 30.0
_started = time.monotonic()
_lock = threading.Lock()


def say(text: str) -> None:
    """One line on stderr (stdout belongs to the command's answer), with the time since the command began."""
    with _lock:
        print(f"[{time.monotonic() - _started:6.1f}s] {text}", file=sys.stderr, flush=True)


def span(seconds: float) -> str:
    """Seconds as a person says them."""
    return f"{seconds:.1f}s" if seconds < 60 else f"{int(seconds) // 60}m{int(seconds) % 60:02d}s"


@contextmanager
def heartbeat(what: str) -> Iterator[None]:
    """While the block runs, say every half minute that it still does."""
    done = threading.Event()
    since = time.monotonic()

    def beat() -> None:
        while not done.wait(HEARTBEAT):
            say(f"{what}: still at it after {span(time.monotonic() - since)}")

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
