"""Releases: which text is a version, and where its charts are published."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.releases import (
    UnknownVersion,
    chart_repository,
    checked_version,
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
