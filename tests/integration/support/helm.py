"""The real helm, with which somebody else installs Istio."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
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
        default = f"defaultRevision={values.get('revision', 'default')}"
        chart = str(charts_of(version) / "base")
        self.run("install", "--create-namespace", "their-base", chart, *self._place(), "--set", default)
        self.install_istiod(version, **values)

    def install_istiod(self, version: str = ISTIO, **values: str) -> None:
        """That alone, where the CRDs are there."""
        images = f"global.hub=docker.io/istio,global.tag={version}"
        chart = str(charts_of(version) / "istiod")
        named = ("install", "--create-namespace", "their-istiod", chart)
        self.run(*named, *self._place(), "--set", images, *_set(values))

    def _place(self) -> tuple[str, ...]:
        return "--set", f"global.istioNamespace={self.namespace}"

    def install_gateway(self, release: str, **values: str) -> None:
        """A gateway of the default version."""
        self.run("install", release, str(charts_of(ISTIO) / "gateway"), *_set(values))

    def releases(self) -> list[str]:
        return sorted(release["name"] for release in json.loads(self.run("list", "-o", "json")))


def _set(values: Mapping[str, str]) -> list[str]:
    return [part for name, value in values.items() for part in ("--set", f"{name}={value}")]
