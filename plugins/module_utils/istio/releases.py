# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio's releases, as a table: what each supports, until when, and where it is published.

Sources: Istio's page of supported releases (Kubernetes versions, dates), its security bulletins (the oldest patch
without a known hole), operator and istioctl sources (the Kubernetes version that is enforced), the upgrade notes of
1.31 (hosts of artifacts), and pkg/config/schema/gatewayapi with pkg/kube/kclient (versions of the Gateway API's CRDs).
As of 2026-11-22; a version that is newer than the table is taken, with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from ..kube.errors import Failure

Minor = tuple[int, int]
_VERSION = re.compile(r"(?P<major>\d+)\.(?P<minor>\d+)\.(?P<patch>\d+)(-(?P<pre>[0-9A-Za-z.]+))?")


@dataclass(frozen=True)
class Release:
    """A minor release. `kubernetes` is what it is tested with; `kubernetes_least` is what istioctl insists on."""

    minor: Minor
    kubernetes: tuple[Minor, Minor]
    kubernetes_least: Minor
    first_release: date
    last_patch: str
    minimum_safe: str
    end_of_life: date | None = None


_ALL = (
    Release((1, 26), ((1, 29), (1, 32)), (1, 29), date(2025, 5, 8), "1.26.8", "1.26.8", end_of_life=date(2025, 12, 22)),
    Release((1, 27), ((1, 29), (1, 33)), (1, 29), date(2025, 8, 11), "1.27.9", "1.27.9", end_of_life=date(2026, 4, 7)),
    Release(
        (1, 28), ((1, 30), (1, 34)), (1, 30), date(2025, 11, 5), "1.28.10", "1.28.10", end_of_life=date(2026, 7, 1)
    ),
    Release(
        (1, 29), ((1, 31), (1, 35)), (1, 30), date(2026, 2, 16), "1.29.9", "1.29.9", end_of_life=date(2026, 10, 15)
    ),
    Release((1, 30), ((1, 32), (1, 36)), (1, 32), date(2026, 5, 18), "1.30.7", "1.30.7"),
    Release((1, 31), ((1, 32), (1, 36)), (1, 32), date(2026, 8, 31), "1.31.1", "1.31.1"),
)
RELEASES: Mapping[Minor, Release] = {release.minor: release for release in _ALL}
NEWEST = max(RELEASES)

# Versions that nobody should begin to use, and why.
WITHDRAWN: Mapping[str, str] = {
    "1.31.0": "a BackendTLSPolicy falls open to plaintext (GHSA-qm8v-g4f9-qhjx); 1.31.1 has the correction",
}


@dataclass(frozen=True)
class Hosts:
    """Where versions from a minor release on are published."""

    since: Minor
    images: tuple[str, ...]
    charts: str
    oci_charts: str


HOSTS: tuple[Hosts, ...] = (
    Hosts(
        (1, 31),
        ("docker.io/istio",),
        "https://blob.istio.io/istio-release/charts",
        "oci://ghcr.io/istio/release/charts",
    ),
    Hosts(
        (0, 0),
        ("docker.io/istio", "gcr.io/istio-release", "registry.istio.io/release"),
        "https://istio-release.storage.googleapis.com/charts",
        "oci://gcr.io/istio-release/charts",
    ),
)
# Hosts that Istio gives up: nothing is pulled from them after that day.
DEAD_HOSTS = ("registry.istio.io", "gcr.io/istio-release", "istio-release.storage.googleapis.com")
DEAD_SINCE = date(2027, 1, 1)


@dataclass(frozen=True)
class Bundle:
    """Versions of the Gateway API's CRDs between which istiod takes one of them; it ignores it in silence otherwise."""

    crd: str
    since: Minor
    until: Minor | None = None
    least: str = ""
    most: str = ""


BUNDLES: tuple[Bundle, ...] = (
    Bundle("grpcroutes.gateway.networking.k8s.io", (0, 0), least="v1.1.0"),
    Bundle("backendtlspolicies.gateway.networking.k8s.io", (0, 0), least="v1.4.0"),
    Bundle("tlsroutes.gateway.networking.k8s.io", (1, 28), (1, 29), most="v1.4.1"),
    Bundle("tlsroutes.gateway.networking.k8s.io", (1, 30), least="v1.5.0"),
    Bundle("tcproutes.gateway.networking.k8s.io", (1, 31), least="v1.6.0"),
)


class UnknownVersion(Failure):
    """Not a version of Istio."""

    code = "unknown_version"


@dataclass(frozen=True)
class Version:
    """A full version of Istio; one before its release (1.31.0-rc.1) is older than it."""

    major: int
    number: int
    patch: int
    pre: str = ""

    @property
    def minor(self) -> Minor:
        return self.major, self.number

    @property
    def order(self) -> tuple[int, int, int, bool, str]:
        return self.major, self.number, self.patch, not self.pre, self.pre

    def __str__(self) -> str:
        return f"{self.major}.{self.number}.{self.patch}" + (f"-{self.pre}" if self.pre else "")


def parsed(version: str) -> Version:
    """A full version such as 1.29.1. Raises UnknownVersion."""
    match = _VERSION.fullmatch(version)
    if match is None:
        raise UnknownVersion(
            f"'{version}' is not a version of Istio",
            subject="version",
            reason="a full version is needed, so that what is installed does not depend on the day",
            hint="Write it like 1.29.1",
        )
    return Version(int(match["major"]), int(match["minor"]), int(match["patch"]), match["pre"] or "")


def checked_version(version: str) -> str:
    """The version as it was written, if it is a full one. Raises UnknownVersion."""
    parsed(version)
    return version


def version_of_tag(tag: str) -> Version | None:
    """The version that the tag of an image names (1.29.1, 1.29.1-distroless), or None for a private one."""
    match = _VERSION.match(tag)
    return parsed(match[0].removesuffix("-distroless").removesuffix("-debug")) if match else None


def hosts_of(version: str) -> Hosts:
    """Where Istio publishes a version."""
    minor = parsed(version).minor
    return next(hosts for hosts in HOSTS if minor >= hosts.since)


def chart_repository(version: str) -> str:
    """The Helm repository in which Istio publishes a version."""
    return hosts_of(version).charts


def bundles_of(minor: Minor) -> list[Bundle]:
    """What a minor release asks of the Gateway API's CRDs."""
    return [bundle for bundle in BUNDLES if bundle.since <= minor and (bundle.until is None or minor <= bundle.until)]


def shown(minor: Minor) -> str:
    """`1.29`."""
    return f"{minor[0]}.{minor[1]}"


def image_tag(container: Mapping[str, Any]) -> str:
    """The tag of a container's image, which is the version of Istio in it."""
    name = str(container.get("image") or "").partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]
