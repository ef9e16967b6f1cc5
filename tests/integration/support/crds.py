"""The CRDs of each Istio that the bed has, as its charts bring them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from . import bed
from .bed import Cluster

VERSIONS = ("1.28.3", bed.ISTIO, "1.31.0")
# The kind that is younger than the Istio of most tests.
YOUNGEST = "trafficextensions.extensions.istio.io"
Crd = dict[str, Any]


def crds() -> Mapping[str, dict[str, Crd]]:
    """For each version of Istio, its CRDs by their names."""
    names = {version: f"charts-{version}" for version in VERSIONS}
    folders = bed.parts(*names.values())
    return {version: _parsed(folders[name] / "base" / "files" / "crd-all.gen.yaml") for version, name in names.items()}


def _parsed(file: Path) -> dict[str, Crd]:
    with file.open(encoding="utf-8") as text:
        found = [crd for crd in yaml.load_all(text, Loader=yaml.CSafeLoader) if crd]
    return {crd["metadata"]["name"]: crd for crd in found}


def install_youngest(cluster: Cluster) -> None:
    crd = crds()[VERSIONS[-1]][YOUNGEST]
    cluster.kubectl("apply", "--server-side", "--field-manager", "tests", "-f", "-", stdin=json.dumps(crd))
    cluster.kubectl("wait", "--for=condition=Established", f"crd/{YOUNGEST}")


def remove_youngest(cluster: Cluster) -> None:
    cluster.kubectl("delete", "crd", YOUNGEST, "--ignore-not-found")
