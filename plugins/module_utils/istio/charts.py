# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio's Helm charts: fetched from where the user says, checked, rendered.

Rendering is `helm template`: it needs no cluster, and what it prints goes
through our own engine. It depends on nothing but the chart, the values, the
version of Kubernetes, so it is done once for these.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..kube.client import Object
from ..kube.errors import Failure
from ..kube.resources import KUBERNETES
from .chart_cache import ChartCache, default_folder
from .helm import Helm, HelmError, HelmRefused
from .values import Tree, known_values, refuse_wrong

MISSING_LIBRARY: str | None = None
try:
    import yaml

    _Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
except ImportError as error:
    MISSING_LIBRARY = error.name or str(error)

# Where each chart lies below a directory of charts: in a folder of its own name,
# or where Istio's source tree has it.
_LOCATIONS: Mapping[str, tuple[str, ...]] = {
    "base": ("base",),
    "istiod": ("istiod", "istio-control/istio-discovery"),
    "cni": ("cni", "istio-cni"),
    "ztunnel": ("ztunnel",),
    "gateway": ("gateway",),
}
CHARTS = tuple(_LOCATIONS)
OCI = "oci://"
_LOGIN = ", and that 'helm registry login' has been run for a registry that wants it"
# Charts in Istio's source tree bear this version, until the release build replaces it.
_UNRELEASED = "1.0.0"
_RELEASE = re.compile(r"v?(\d+\.\d+\.\d+)")
_FORMAT = 1  # of what is cached: another number forgets what an earlier version of this file has kept


class ChartError(Failure):
    """A chart cannot be had, or is not what it should be."""

    code = "chart"


@dataclass(frozen=True)
class Archive:
    """A packed chart and the checksum that it must have."""

    chart: str
    path: str
    sha256: str


@dataclass(frozen=True)
class ChartSource:
    """Where charts come from, exactly one of three, and where they are kept once they are rendered."""

    repository: str | None = None
    directory: str | None = None
    archives: tuple[Archive, ...] = ()
    cache: Path | None = None
    use_cache: bool = True


@dataclass
class Charts:
    """The charts of one version, for the time of one task."""

    source: ChartSource
    version: str
    helm: Helm
    scratch: Path
    cache: ChartCache
    _found: dict[str, Path] = field(default_factory=dict)

    @property
    def warnings(self) -> list[str]:
        """What a user should know, although it works."""
        problem = self.cache.problem
        return [f"Charts are rendered anew every time, because the cache {problem}"] if problem else []

    def path(self, chart: str) -> Path:
        """The unpacked chart. Raises ChartError or HelmError."""
        if chart not in self._found:
            self._found[chart] = _checked(self._fetched(chart), chart, self.version)
        return self._found[chart]

    def _fetched(self, chart: str) -> Path:
        if self.source.directory:
            return _in_directory(Path(self.source.directory).expanduser(), chart)
        if self.source.archives:
            return self._archived(chart)
        return self._pulled(chart)

    def _archived(self, chart: str) -> Path:
        archive = next((archive for archive in self.source.archives if archive.chart == chart), None)
        if archive is None:
            raise ChartError(f"No archive of the chart '{chart}' is given", hint="Add it to 'charts.archives'")
        path = Path(archive.path).expanduser()
        _verify(path, archive.sha256)
        return self._unpacked(chart, path)

    def _unpacked(self, chart: str, path: Path) -> Path:
        target = self.scratch / chart
        target.mkdir()
        try:
            with tarfile.open(path) as packed:
                packed.extractall(target, filter="data")
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise ChartError(f"The archive {path} cannot be unpacked", subject=str(path), reason=str(error)) from error
        return _only_folder(target, path)

    def _pulled(self, chart: str) -> Path:
        """What a repository has published under a version stays what it is, so it is pulled once."""
        name = f"{_digest_of([self.source.repository, chart, self.version])}.tgz"
        kept = self.cache.read(name)
        path = self.scratch / f"{chart}.tgz"
        if kept is None:
            kept = self._pull(chart).read_bytes()
            self.cache.write(name, kept)
        path.write_bytes(kept)
        return self._unpacked(chart, path)

    def _pull(self, chart: str) -> Path:
        repository = str(self.source.repository)
        target = self.scratch / f"pulled-{chart}"
        target.mkdir()
        what = [f"{repository.rstrip('/')}/{chart}"] if repository.startswith(OCI) else [chart, "--repo", repository]
        try:
            self.helm.run(["pull", *what, "--version", self.version, "--destination", str(target)])
        except HelmRefused as error:
            raise ChartError(
                f"The chart '{chart}' {self.version} cannot be had from {repository}",
                subject=chart,
                reason=error.reason,
                hint="Check that this version exists, the repository's address and the way to it"
                f"{_LOGIN if repository.startswith(OCI) else ''}; "
                "'charts.directory' and 'charts.archives' work offline",
            ) from None
        return next(target.glob("*.tgz"))

    def render(
        self, chart: str, release: str, namespace: str, values: Mapping[str, Any], kubernetes: str
    ) -> list[Object]:
        """The objects of a release of a chart, as if it were new. Raises UnknownValue or WrongValue for wrong values.

        Told that it is an upgrade, a chart leaves out what the live object shall keep (from Istio 1.31 on, that a
        validator fails open until istiod answers); then an object that is missing would come without it. What is there
        keeps such fields as co-owned ones.
        """
        asked = [_FORMAT, _digest_of_folder(self.path(chart)), release, namespace, values, kubernetes]
        name = f"{_digest_of(asked)}.json"
        kept = _parsed(self.cache.read(name))
        if kept is not None:
            return kept  # its values were judged when it was rendered
        refuse_wrong(chart, self.path(chart), values, lambda: self._others(chart))
        objects = self._rendered(chart, release, namespace, values, kubernetes)
        self.cache.write(name, json.dumps(objects).encode())
        return objects

    def _rendered(
        self, chart: str, release: str, namespace: str, values: Mapping[str, Any], kubernetes: str
    ) -> list[Object]:
        where = ["--namespace", namespace, "--kube-version", kubernetes, "--values", "-"]
        text = self.helm.run(["template", release, str(self.path(chart)), *where], yaml.safe_dump(dict(values)))
        return [_placed(document, namespace) for document in yaml.load_all(text, Loader=_Loader) if document]

    def _others(self, chart: str) -> Iterator[tuple[str, Tree]]:
        """What the other charts know, as far as they are at hand."""
        for other in CHARTS:
            if other != chart:
                with suppress(ChartError, HelmError):
                    yield other, known_values(self.path(other))


@contextmanager
def charts_of(source: ChartSource, version: str, helm: str) -> Iterator[Charts]:
    """The charts, with a scratch folder that goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="service_mesh.istio-") as folder:
        scratch, cache = Path(folder), source.cache or default_folder()
        yield Charts(source, version, Helm(helm, scratch), scratch, ChartCache(cache if source.use_cache else None))


def _digest_of(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _digest_of_folder(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return _digest_of(
        [(str(path.relative_to(folder)), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    )


def _parsed(kept: bytes | None) -> list[Object] | None:
    """What the cache has kept; a file that is none of ours is as good as none."""
    try:
        found = json.loads(kept) if kept else None
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _in_directory(directory: Path, chart: str) -> Path:
    if not directory.is_dir():
        raise ChartError(
            f"The directory of charts {directory} does not exist",
            hint="Check 'charts.directory' (a path on the controller)",
        )
    for location in _LOCATIONS[chart]:
        if (directory / location).is_dir():
            return directory / location
    raise ChartError(
        f"The directory {directory} has no chart '{chart}'",
        subject=chart,
        reason=f"there is no folder {' or '.join(_LOCATIONS[chart])} in it",
        hint="'charts.directory' is the folder that holds the folders base, istiod and gateway",
    )


def _checked(path: Path, chart: str, version: str) -> Path:
    try:
        metadata = yaml.safe_load((path / "Chart.yaml").read_text(encoding="utf-8"))
        name, of = metadata["name"], str(metadata.get("appVersion") or _UNRELEASED)
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError) as error:
        raise ChartError(
            f"{path} is not a Helm chart", subject=str(path), reason="it has no valid Chart.yaml"
        ) from error
    if name != chart:
        raise ChartError(
            f"{path} is not the chart '{chart}'", subject=str(path), reason=f"its Chart.yaml names it '{name}'"
        )
    _refuse_another_version(path, of, version)
    return path


def _refuse_another_version(path: Path, of: str, version: str) -> None:
    """Charts of one version with images of another is nothing that anybody has tested."""
    releases = [match[1] if (match := _RELEASE.match(text)) else text for text in (of, version)]
    if of != _UNRELEASED and releases[0] != releases[1]:
        raise ChartError(
            f"{path.name} is not the chart of Istio {version}",
            subject=str(path),
            reason=f"its Chart.yaml says that it is of {of}",
            hint="Set 'version' to that of the charts, or get the charts of the version that you mean",
        )


def _only_folder(target: Path, source: Path) -> Path:
    folders = [entry for entry in target.iterdir() if entry.is_dir()]
    if len(folders) != 1:
        raise ChartError(
            f"{source} is not a packed Helm chart",
            subject=str(source),
            reason=f"it holds {len(folders)} folders instead of one",
        )
    return folders[0]


def _verify(path: Path, sha256: str) -> None:
    try:
        actual = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ChartError(
            f"The chart archive {path} cannot be read", subject=str(path), reason=str(error.strerror)
        ) from error
    if actual != sha256.lower():
        raise ChartError(
            f"The chart archive {path} is not the one that was meant",
            subject=str(path),
            reason=f"its SHA-256 is {actual}, not {sha256}",
            hint="Download it again, or correct 'sha256' if the new content is right",
        )


def _placed(document: Object, namespace: str) -> Object:
    """Charts may leave the namespace of their objects to the release's, as Helm does when it writes."""
    resource = KUBERNETES.get((document["apiVersion"], document["kind"]))
    if resource is None or not resource.namespaced or "namespace" in document["metadata"]:
        return document
    return {**document, "metadata": {**document["metadata"], "namespace": namespace}}
