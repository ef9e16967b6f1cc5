"""The real helm, with which somebody else installs Istio."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from integration.conftest import charts_of

from .bed import ISTIO, Cluster


@dataclass(frozen=True)
class Helm:
    """The real helm, with homes of its own."""

    cluster: Cluster
    namespace: str
    folder: Path

    def run(self, *arguments: str, fails: bool = False) -> str:
        homes = {f"HELM_{name}_HOME": str(self.folder / name) for name in ("CACHE", "CONFIG", "DATA")}
        argv = [str(self.cluster.bin / "helm"), "--kubeconfig", self.cluster.kubeconfig, "-n", self.namespace]
        done = subprocess.run(
            [*argv, *arguments], env={**os.environ, **homes}, capture_output=True, text=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def install(self, version: str = ISTIO, **values: str) -> None:
        """As Istio's page on Helm says; without nodes istiod never starts, and Helm does not wait for it."""
        place = ("--set", f"global.istioNamespace={self.namespace}")
        images = f"global.hub=docker.io/istio,global.tag={version}"
        more = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
        charts = charts_of(version)
        default = values.get("revision", "default")
        self.run(
            "install",
            "--create-namespace",
            "their-base",
            str(charts / "base"),
            *place,
            "--set",
            f"defaultRevision={default}",
        )
        self.run("install", "their-istiod", str(charts / "istiod"), *place, "--set", images, *more)

    def install_gateway(self, release: str, **values: str) -> None:
        """A gateway of the default version."""
        more = [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
        self.run("install", release, str(charts_of(ISTIO) / "gateway"), *more)

    def releases(self) -> list[str]:
        return sorted(release["name"] for release in json.loads(self.run("list", "-o", "json")))
