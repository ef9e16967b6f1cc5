"""Discovery scopes and groups: whom the sidecars of a namespace know, and what contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.discovery_scope import (
    DiscoveryScope,
    desired_sidecars,
    discovery_scopes,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injection import InjectionError

ROOT = "istio-system"


def hosts(*given: DiscoveryScope, **groups: Any) -> dict[str, list[str]]:
    found = desired_sidecars(discovery_scopes(given, groups), ROOT)
    return {one.key.namespace: one.content["spec"]["egress"][0]["hosts"] for one in found}


def test_scopes() -> None:
    assert hosts(
        DiscoveryScope("a", "own"),
        DiscoveryScope("b", "list", ("d", "c")),
        DiscoveryScope("c", "all"),
        DiscoveryScope("d", "mesh"),
        DiscoveryScope(ROOT, "own"),
    ) == {
        "a": ["./*", f"{ROOT}/*"],
        "b": ["./*", "c/*", "d/*", f"{ROOT}/*"],
        "c": ["*/*"],
        ROOT: ["./*", f"{ROOT}/*"],
    }


def test_members_of_a_group_know_each_other() -> None:
    """Beside whom they know anyway."""
    assert hosts(
        DiscoveryScope("a", "list", ("x",)), DiscoveryScope("c", "all"), sales=["a", "b"], costs=["b", "c"]
    ) == {
        "a": ["./*", "b/*", f"{ROOT}/*", "x/*"],
        "b": ["./*", "a/*", "c/*", f"{ROOT}/*"],
        "c": ["*/*"],
    }


@pytest.mark.parametrize(
    ("given", "groups", "said"),
    [
        ([DiscoveryScope("a", "own"), DiscoveryScope("a", "all")], {}, "'a' stands twice"),
        ([DiscoveryScope("a", "list")], {}, "has the scope 'list' and lists no namespaces"),
        ([DiscoveryScope("a", "all", ("b",))], {}, "has the scope 'all' and lists namespaces"),
        ([DiscoveryScope("a", "own")], {"sales": ["a", "b"]}, "scope 'own' and is in a discovery group"),
        ([DiscoveryScope("a", "mesh")], {"sales": ["a", "b"]}, "scope 'mesh' and is in a discovery group"),
        ([], {"sales": "a"}, "group 'sales' is no list"),
    ],
)
def test_what_contradicts_itself(given: list[DiscoveryScope], groups: dict[str, Any], said: str) -> None:
    with pytest.raises(InjectionError, match=said):
        discovery_scopes(given, groups)
