"""Manifests a little different from others: what a person, another tool or another language makes of the same text."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

Content = dict[str, Any]
Step = tuple[Any, Any]
_LABEL = {"team": "other"}


def mutated(content: Content) -> st.SearchStrategy[Content]:
    """The manifest with up to three changes in what it says or in its labels, or as it is."""
    return st.integers(0, 3).flatmap(lambda count: _changed(content, count))


def body(content: Content) -> list[str]:
    """The parts of a manifest that say what the object is: all but its kind and its name."""
    return [part for part in content if part not in ("apiVersion", "kind", "metadata")]


def _changed(content: Content, count: int) -> st.SearchStrategy[Content]:
    if not count:
        return st.just(content)
    once = st.tuples(st.integers(0, 10_000), st.sampled_from(_CHANGES)).map(lambda drawn: _once(content, *drawn))
    return once.flatmap(lambda changed: _changed(changed, count - 1))


def _once(content: Content, number: int, change: Callable[[Any, Any], None]) -> Content:
    made = copy.deepcopy(content)
    places = [place for part in body(made) for place in _places(made[part])]
    places += list(_places(made["metadata"].setdefault("labels", {})))
    if places:
        change(*places[number % len(places)])
    return made


def _places(value: Any) -> Iterator[Step]:
    """Every container with each of its keys or indices."""
    for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield value, key
        yield from _places(value[key])


def _removed(container: Any, key: Any) -> None:
    del container[key]


def _retyped(container: Any, key: Any) -> None:
    """What compares as equal in Python and is another value to the server, and the other way round."""
    value = container[key]
    if isinstance(value, bool):
        container[key] = int(value)
    elif isinstance(value, int):
        container[key] = bool(value) if value in (0, 1) else float(value)
    elif isinstance(value, str):
        container[key] = int(value) if value.isdigit() else f"{value[:-1]}.0s" if value.endswith("s") else value + "x"
    elif isinstance(value, list):
        container[key] = dict.fromkeys(map(str, range(len(value))), "")
    elif isinstance(value, dict):
        container[key] = [value]


def _emptied(container: Any, key: Any) -> None:
    container[key] = type(container[key])()


def _null(container: Any, key: Any) -> None:
    container[key] = None


def _turned(container: Any, key: Any) -> None:
    if isinstance(container[key], list):
        container[key].reverse()
    elif isinstance(container[key], dict):
        container[key] = dict(reversed(container[key].items()))


def _doubled(container: Any, key: Any) -> None:
    if isinstance(container[key], list) and container[key]:
        container[key].append(copy.deepcopy(container[key][0]))


def _grown(container: Any, key: Any) -> None:
    if isinstance(container[key], dict):
        container[key].update(_LABEL)
    elif isinstance(container[key], int) and not isinstance(container[key], bool):
        container[key] += 1


_CHANGES = (_removed, _retyped, _emptied, _null, _turned, _doubled, _grown)
