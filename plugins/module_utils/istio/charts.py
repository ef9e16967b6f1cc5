# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Istio's Helm charts: fetched from where the user says, checked, rendered.

Rendering is `helm template`: it needs no cluster, and what it prints goes
through our own engine. Values travel on standard input, never in arguments.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..kube.client import Object
from ..kube.errors import Failure
from ..kube.resources import KUBERNETES

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
_HELM_SECONDS = 120


class ChartError(Failure):
    """A chart cannot be had, or is not what it should be."""

    code = "chart"


class HelmError(Failure):
    """The helm program is missing or refused."""

    code = "helm"


@dataclass(frozen=True)
class Archive:
    """A packed chart and the checksum that it must have."""

    chart: str
    path: str
    sha256: str


@dataclass(frozen=True)
class ChartSource:
    """Where charts come from; exactly one of the three is given."""

    repository: str | None = None
    directory: str | None = None
    archives: tuple[Archive, ...] = ()


@dataclass
class Charts:
    """The charts of one version, for the time of one task."""

    source: ChartSource
    version: str
    helm: str
    scratch: Path
    _found: dict[str, Path] = field(default_factory=dict)

    def path(self, chart: str) -> Path:
        """The unpacked chart. Raises ChartError or HelmError."""
        if chart not in self._found:
            self._found[chart] = _checked(self._fetched(chart), chart)
        return self._found[chart]

    def _fetched(self, chart: str) -> Path:
        if self.source.directory:
            return _in_directory(Path(self.source.directory).expanduser(), chart)
        if self.source.archives:
            return self._unpacked(chart)
        return self._pulled(chart)

    def _unpacked(self, chart: str) -> Path:
        archive = next((archive for archive in self.source.archives if archive.chart == chart), None)
        if archive is None:
            raise ChartError(f"No archive of the chart '{chart}' is given", hint="Add it to 'charts.archives'")
        path = Path(archive.path).expanduser()
        _verify(path, archive.sha256)
        target = self.scratch / chart
        target.mkdir()
        try:
            with tarfile.open(path) as packed:
                packed.extractall(target, filter="data")
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise ChartError(f"The archive {path} cannot be unpacked", subject=str(path), reason=str(error)) from error
        return _only_folder(target, path)

    def _pulled(self, chart: str) -> Path:
        repository = str(self.source.repository)
        target = self.scratch / chart
        where = ["--repo", repository, "--version", self.version]
        arguments = ["pull", chart, *where, "--untar", "--untardir", str(target)]
        try:
            run_helm(self.helm, arguments, self.scratch)
        except HelmError as error:
            raise ChartError(
                f"The chart '{chart}' {self.version} cannot be had from {repository}",
                subject=chart,
                reason=error.reason or error.what,
                hint="Check the version, the repository's address and the way to it; "
                "'charts.directory' and 'charts.archives' work offline",
            ) from None
        return _only_folder(target, target)

    def render(
        self, chart: str, release: str, namespace: str, values: Mapping[str, Any], kubernetes: str, upgrade: bool
    ) -> list[Object]:
        """The objects of a release of a chart, as `helm template` renders them."""
        path = self.path(chart)
        arguments = [
            "template",
            release,
            str(path),
            "--namespace",
            namespace,
            "--kube-version",
            kubernetes,
            "--values",
            "-",
        ]
        text = run_helm(
            self.helm, arguments + (["--is-upgrade"] if upgrade else []), self.scratch, yaml.safe_dump(dict(values))
        )
        return [_placed(document, namespace) for document in yaml.load_all(text, Loader=_Loader) if document]


@contextmanager
def charts_of(source: ChartSource, version: str, helm: str) -> Iterator[Charts]:
    """The charts, with a scratch folder that goes away afterwards."""
    with tempfile.TemporaryDirectory(prefix="service_mesh.istio-") as scratch:
        yield Charts(source, version, helm, Path(scratch))


def run_helm(helm: str, arguments: Sequence[str], scratch: Path, stdin: str = "") -> str:
    """What helm prints. Its caches stay in the scratch folder; values go in by standard input."""
    program = shutil.which(os.path.expanduser(helm))
    if program is None:
        raise HelmError(
            f"The program '{helm}' is not found",
            hint="Install helm 3.8 or newer on the controller, or set 'helm_binary' to its path",
        )
    homes = {f"HELM_{name}_HOME": str(scratch / f"helm-{name.lower()}") for name in ("CACHE", "CONFIG", "DATA")}
    try:
        result = subprocess.run(
            [program, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_HELM_SECONDS,
            env={**os.environ, **homes},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HelmError(f"helm {arguments[0]} did not run", reason=str(error)) from error
    if result.returncode:
        raise HelmError(
            f"helm {arguments[0]} failed",
            reason=_last_lines(result.stderr),
            hint="Correct the values, the version or the chart",
        )
    return result.stdout


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


def _checked(path: Path, chart: str) -> Path:
    try:
        metadata = yaml.safe_load((path / "Chart.yaml").read_text(encoding="utf-8"))
        name = metadata["name"]
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError) as error:
        raise ChartError(
            f"{path} is not a Helm chart", subject=str(path), reason="it has no valid Chart.yaml"
        ) from error
    if name != chart:
        raise ChartError(
            f"{path} is not the chart '{chart}'", subject=str(path), reason=f"its Chart.yaml names it '{name}'"
        )
    return path


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


def _last_lines(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line and not line.startswith("WARNING")]
    return " ".join(lines[-4:])
