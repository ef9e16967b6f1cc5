"""Releases: which text is a version, and where its charts are published."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.releases import (
    DEAD_HOSTS,
    RELEASES,
    Minor,
    UnknownVersion,
    bundles_of,
    chart_repository,
    checked_version,
    hosts_of,
    parsed,
    version_of_tag,
)

OLD, NEW = "https://istio-release.storage.googleapis.com/charts", "https://blob.istio.io/istio-release/charts"


@pytest.mark.parametrize("version", ["1.29.1", "1.31.0-rc.1", "1.30.0-alpha.abc", "2.0.0"])
def test_a_full_version_passes(version: str) -> None:
    assert checked_version(version) == version


@pytest.mark.parametrize("version", ["", "1.29", "v1.29.1", "1.29.1 ", "latest", "1.29.x", "1.29.1/..", "1.29.1\n"])
def test_anything_else_is_no_version(version: str) -> None:
    with pytest.raises(UnknownVersion, match=r"is not a version of Istio: a full version is needed.* Write it like"):
        checked_version(version)


@pytest.mark.parametrize(
    ("version", "repository"),
    [("1.28.3", OLD), ("1.30.9", OLD), ("1.31.0", NEW), ("1.100.0", NEW), ("2.0.0", NEW), ("0.1.0", OLD)],
)
def test_each_release_is_published_somewhere(version: str, repository: str) -> None:
    assert chart_repository(version) == repository


def test_the_table_is_in_order() -> None:
    """Each release is younger than the one before, its range of Kubernetes no older, its dates make sense."""
    rows = list(RELEASES.values())
    for older, newer in itertools.pairwise(rows):
        assert older.minor < newer.minor
        assert older.first_release < newer.first_release
        assert older.kubernetes <= newer.kubernetes
    for row in rows:
        least, most = row.kubernetes
        assert row.kubernetes_least <= least <= most
        assert row.end_of_life is None or row.end_of_life > row.first_release
        assert parsed(row.minimum_safe).order <= parsed(row.last_patch).order
        assert parsed(row.minimum_safe).minor == parsed(row.last_patch).minor == row.minor


def test_no_bundle_of_the_gateway_api_serves_tls_routes_before_and_after_1_30() -> None:
    def bounds(minor: Minor) -> list[tuple[str, str]]:
        return [(found.least, found.most) for found in bundles_of(minor) if found.crd.startswith("tlsroutes")]

    assert (bounds((1, 29)), bounds((1, 30))) == ([("", "v1.4.1")], [("v1.5.0", "")])


@pytest.mark.parametrize(
    ("tag", "version"),
    [("1.29.1", "1.29.1"), ("1.29.1-distroless", "1.29.1"), ("1.31.0-rc.1-debug", "1.31.0-rc.1"), ("latest", None)],
)
def test_tags_of_images_name_versions(tag: str, version: str | None) -> None:
    found = version_of_tag(tag)
    assert (str(found) if found else None) == version


def test_images_of_a_new_release_are_not_at_the_dead_hosts() -> None:
    for host in hosts_of("1.31.0").images:
        assert not host.startswith(DEAD_HOSTS)
