"""Our answer about a Pod is what real istiods do with it: every combination of the labels, and settings of proxies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from integration.support.bed import Cluster
from integration.support.injection_worlds import LAYOUTS, World, differences, layout_worlds, open_worlds
from integration.support.istiods import Istiods, istiods
from integration.support.proxy_worlds import Proxies


@pytest.fixture(scope="module")
def real(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Istiods]:
    with istiods(cluster, tmp_path_factory.mktemp("istiods"), "default", "r1") as found:
        yield found


def test_all_combinations_of_labels_in_all_layouts(real: Istiods) -> None:
    worlds = layout_worlds()
    assert [len(world.tries) for world in worlds] == [144] * len(LAYOUTS)
    open_worlds(real, worlds)
    real.await_world("last")
    assert list(differences(real, worlds)) == []


def test_what_istiod_asks_itself(real: Istiods) -> None:
    """Its policy, its selectors, the annotation, the network of the node, and Kubernetes' own namespaces."""
    never, always = ([{"matchLabels": {"app": name}}] for name in ("never", "always"))
    real.tell("default", "disabled", policy="disabled", alwaysInjectSelector=[*always, {}])
    real.tell("r1", "selectors", neverInjectSelector=[*never, {}], alwaysInjectSelector=never)
    worlds = [World(f"filter-{revision}", ((revision, "", False),)) for revision in ("default", "r1")]
    for world, label in zip(worlds, ({"istio-injection": "enabled"}, {"istio.io/rev": "r1"}), strict=True):
        for app in ("never", "always", "other"):
            for value in ("", "true", "false", "yes"):
                annotations = {"sidecar.istio.io/inject": value} if value else {}
                world.add(label, {"app": app}, annotations=annotations)
                switch = {"sidecar.istio.io/inject": value} if value in ("true", "false") else {}
                world.add(label, {"app": app, **switch}, annotations={"sidecar.istio.io/inject": "false"})
        world.add(label, {"sidecar.istio.io/inject": "true"}, host_network=True)
    worlds[1].add({"istio.io/rev": "r1"}, {"sidecar.istio.io/inject": "true"}, name="local-path-storage")
    open_worlds(real, worlds)
    real.await_world("filters")
    assert list(differences(real, worlds)) == []


def test_a_restart_is_due_when_a_new_proxy_would_be_another(real: Istiods) -> None:
    """Amounts, log levels and ports, set by annotations or by what istiod is told."""
    real.open_world([real.webhooks("proxies", "r1")])
    real.add_namespace("proxies", "proxies", {})
    real.await_world("seen")
    found = [line for seed in range(3) for line in Proxies(real, "r1", "proxies", seed).differences(12)]
    assert found == []
