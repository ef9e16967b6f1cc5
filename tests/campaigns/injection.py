"""Our answers about injection against real istiods: the truth table in all layouts, random worlds, settings of proxies.

A Pod that is only tried (dryRun) goes to the webhooks like any other, so what comes back is what would happen.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from integration.support import bed
from integration.support.injection_worlds import (
    Labels,
    Plane,
    World,
    differences,
    labels_of,
    layout_worlds,
    open_worlds,
)
from integration.support.istiods import TAGS, Istiods, istiods
from integration.support.proxy_worlds import Proxies

REVISIONS = ("default", "r1", "r2")
_ROUNDS = 10
_PODS = 12
_CHANGES = 20
_NAMES = st.sampled_from(["", "", *REVISIONS, "prod", "test", "gone"])
_SWITCHES = st.sampled_from(["", "", "true", "false", "yes"])
_SELECTORS = st.lists(st.sampled_from([{"matchLabels": {"app": "a"}}, {"matchLabels": {"app": "b"}}, {}]), max_size=2)
_TOLD = st.fixed_dictionaries(
    {
        "policy": st.sampled_from(["enabled", "enabled", "disabled"]),
        "neverInjectSelector": _SELECTORS,
        "alwaysInjectSelector": _SELECTORS,
    }
)


@st.composite
def _planes(draw: st.DrawFn) -> list[Plane]:
    """Control planes and tags; a tag `default` beside a control plane without a revision makes two injectors meet."""
    revisions = sorted(draw(st.sets(st.sampled_from(REVISIONS), min_size=1)))
    by_default = draw(st.booleans())
    tags = draw(st.dictionaries(st.sampled_from(TAGS), st.sampled_from(revisions)))
    planes = [(revision, "", by_default and revision == "default") for revision in revisions]
    return [*planes, *((revision, tag, False) for tag, revision in tags.items())]


_SPACES = st.builds(labels_of, injection=st.sampled_from(["", "", "enabled", "disabled", "Enabled"]), revision=_NAMES)
_APPS = st.sampled_from(["a", "b", "c"])


@st.composite
def _pods(draw: st.DrawFn) -> tuple[Labels, Labels, dict[str, Any]]:
    """Labels of a namespace, labels of a Pod in it, and what else an istiod looks at."""
    labels = {**draw(st.builds(labels_of, switch=_SWITCHES, revision=_NAMES)), "app": draw(_APPS)}
    annotations = draw(st.builds(labels_of, switch=_SWITCHES))
    return draw(_SPACES), labels, {"annotations": annotations, "host_network": draw(st.integers(0, 9)) == 0}


def _layouts(real: Istiods) -> Iterator[str]:
    worlds = layout_worlds()
    open_worlds(real, worlds)
    real.await_world("layouts")
    for world in worlds:
        found = list(differences(real, [world]))
        print(f"layout {world.name}: {len(world.tries)} combinations, {len(found)} differences", flush=True)
        yield from found
    real.close_worlds([*(world.name for world in worlds), "layouts"])


def _random_worlds(real: Istiods, count: int, first: int) -> Iterator[str]:
    """Worlds of Hypothesis; what each istiod is told changes from round to round."""
    numbers, tried = itertools.count(), itertools.count()
    for number in range(first, first + _ROUNDS):
        for revision in REVISIONS:
            real.tell(revision, f"round-{number}", **_drawn(_TOLD, number * 10 + REVISIONS.index(revision)))
        wrong: list[str] = []

        @seed(number)
        @settings(
            max_examples=-(-count // _ROUNDS),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(planes=_planes(), pods=st.lists(_pods(), min_size=_PODS, max_size=_PODS))
        def one_world(planes: list[Plane], pods: list[tuple[Labels, Labels, dict[str, Any]]]) -> None:
            world = World(f"world-{next(numbers)}", planes)
            for of_namespace, labels, more in pods:
                world.add(of_namespace, labels, **more)
                next(tried)
            _judge(real, world, wrong.extend)  # noqa: B023

        one_world()
        yield from wrong
    print(f"{next(numbers)} worlds: {next(tried)} Pods", flush=True)


def _judge(real: Istiods, world: World, add: Callable[[list[str]], None]) -> None:
    open_worlds(real, [world])
    real.await_world(f"{world.name}-seen")
    add(list(differences(real, [world])))
    real.close_worlds([world.name, f"{world.name}-seen"])


def _drawn(strategy: st.SearchStrategy[dict[str, Any]], number: int) -> dict[str, Any]:
    """One example, the same for the same number."""
    found: list[dict[str, Any]] = []

    @seed(number)
    @settings(max_examples=2, database=None, deadline=None, phases=[Phase.generate])
    @given(strategy)
    def draw(value: dict[str, Any]) -> None:
        found.append(value)

    draw()
    return found[-1]


def _proxies(real: Istiods, count: int, first: int) -> Iterator[str]:
    real.open_world([real.webhooks("proxies", "r1")])
    real.add_namespace("proxies", "proxies", {})
    real.await_world("proxies-seen")
    rounds = range(first, first + -(-count // _CHANGES))
    found = [line for number in rounds for line in Proxies(real, "r1", "proxies", number).differences(_CHANGES)]
    print(f"{len(rounds) * _CHANGES} changes of settings, {len(found)} differences", flush=True)
    yield from found


def campaign(worlds: int = 500, proxies: int = 100, first: int = 1) -> list[str]:
    """What was wrong in the layouts, in random worlds, and with changes of settings, from a first seed on."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "istiods").mkdir()
        with (
            bed.own_cluster("api", place) as cluster,
            istiods(cluster, place / "istiods", *REVISIONS) as real,
        ):
            wrong = [*_layouts(real), *_random_worlds(real, worlds, first), *_proxies(real, proxies, first)]
    return wrong
