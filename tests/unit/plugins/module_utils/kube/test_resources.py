"""Where objects live: paths, and the table that spares discovery."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Invalid
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import (
    CRD,
    DEPLOYMENT,
    KUBERNETES,
    NAMESPACE,
    POD,
    Resource,
    api_root,
    resources_of_group,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "path"),
    [
        (POD, "web", "shop", "/api/v1/namespaces/web/pods/shop"),
        (POD, "web", None, "/api/v1/namespaces/web/pods"),
        (POD, None, None, "/api/v1/pods"),
        (DEPLOYMENT, "web", "shop", "/apis/apps/v1/namespaces/web/deployments/shop"),
        (NAMESPACE, None, "web", "/api/v1/namespaces/web"),
        (NAMESPACE, "ignored", "web", "/api/v1/namespaces/web"),
        (CRD, None, "a.b", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a.b"),
        (POD, "a/b", "c?d#e", "/api/v1/namespaces/a%2Fb/pods/c%3Fd%23e"),
    ],
)
def test_paths(resource: Resource, namespace: str | None, name: str | None, path: str) -> None:
    assert resource.path(namespace, name) == path


ODD = st.text(min_size=1).filter(lambda text: text not in (".", ".."))


@given(namespace=ODD, name=ODD)
def test_no_name_reaches_another_path(namespace: str, name: str) -> None:
    """Six segments, whatever stands in the names, and the names come back whole."""
    segments = POD.path(namespace, name).split("/")
    assert len(segments) == 7
    assert [unquote(segments[4]), unquote(segments[6])] == [namespace, name]


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_would_address_something_else_never_travels(name: str) -> None:
    """A pool normalizes paths: the Pod `..` of a namespace would be the namespace itself."""
    for place in ((name, "shop"), ("web", name)):
        with pytest.raises(Invalid, match=re.escape(f"'{name}' cannot be the name of an object. Correct the name.")):
            POD.path(*place)


def test_the_core_group_has_a_root_of_its_own() -> None:
    assert (api_root("v1"), api_root("apps/v1")) == ("/api/v1", "/apis/apps/v1")


def test_the_identity_of_a_kind_leaves_out_its_version() -> None:
    assert (POD.group_kind, DEPLOYMENT.group_kind) == ("Pod", "Deployment.apps")


def test_the_table_is_well_formed() -> None:
    assert [key for key, entry in KUBERNETES.items() if key != (entry.api_version, entry.kind)] == []
    assert [entry for entry in KUBERNETES.values() if not entry.plural.islower()] == []
    assert {entry.kind for entry in KUBERNETES.values() if not entry.namespaced} >= {"Namespace", "ClusterRole"}
    paths = [entry.path() for entry in KUBERNETES.values()]
    assert sorted(set(paths)) == sorted(paths)


def test_discovery_is_read_without_subresources() -> None:
    answer = {
        "resources": [
            {"name": "widgets", "kind": "Widget", "namespaced": True},
            {"name": "widgets/status", "kind": "Widget", "namespaced": True},
            {"name": "factories", "kind": "Factory", "namespaced": False},
        ]
    }
    assert resources_of_group("x.io/v1", answer) == {
        ("x.io/v1", "Widget"): Resource("x.io/v1", "Widget", "widgets"),
        ("x.io/v1", "Factory"): Resource("x.io/v1", "Factory", "factories", namespaced=False),
    }


def test_a_group_that_serves_nothing_is_no_surprise() -> None:
    assert resources_of_group("x.io/v1", {"resources": None}) == {}
