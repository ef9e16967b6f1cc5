# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few requests at a time.

Four workers: measured better than eight on two cores, and kind to an API server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_WORKERS = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """The results in the order of the items. The first error is raised after what was begun has ended."""
    todo = list(items)
    if len(todo) < 2:
        yield from map(work, todo)
        return
    with ThreadPoolExecutor(_WORKERS) as pool:
        futures = [pool.submit(work, item) for item in todo]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()
