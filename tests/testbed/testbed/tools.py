"""The programs and charts of a bed under fixed names: links to the builds, so that nobody needs to know a key."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import build
from .layout import Bed
from .parts import DEFAULT_ISTIO, ISTIO_VERSIONS
from .recipes import built


def provide(bed: Bed, names: list[str]) -> None:
    """Builds what is missing and links it."""
    build.ensure(bed, names)
    bed.bin.mkdir(parents=True, exist_ok=True)
    for name, target in links(bed).items():
        link(bed.run / name, target)


def links(bed: Bed) -> dict[str, Path]:
    """Which name leads where; what is not built is not linked."""
    wanted = {
        "bin/kubectl": built(bed, "kube") / "bin" / "kubectl",
        "bin/helm": built(bed, "helm") / "bin" / "helm",
        "bin/httpapp": built(bed, "httpapp") / "bin" / "httpapp",
    }
    for version in ISTIO_VERSIONS:
        wanted[f"bin/istioctl-{version}"] = built(bed, f"istio-{version}") / "bin" / "istioctl"
        wanted[f"charts/{version}"] = built(bed, f"charts-{version}")
    wanted["bin/istioctl"] = wanted[f"bin/istioctl-{DEFAULT_ISTIO}"]
    return {name: target for name, target in wanted.items() if target.exists()}


def link(path: Path, target: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(target)
    fresh.rename(path)
