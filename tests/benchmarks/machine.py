"""Where the figures come from: the machine and the versions, without which they mean nothing."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

import yaml
from benchmarks import peers
from integration.support.bed import ISTIO, ROOT, Cluster


def facts(cluster: Cluster, collections: Path) -> dict[str, str]:
    """What a reader must know to compare. No path, no name of a machine."""
    versions = json.loads(cluster.kubectl("version", "--output", "json"))
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
        "service_mesh.istio": f"{_release()}, commit {_commit()}",
        "processor": f"{os.cpu_count()} x {_field('/proc/cpuinfo', 'model name')}",
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "load average before": f"{os.getloadavg()[0]:.1f}",
        "system": f"Linux {platform.release()}",
        "Kubernetes API server": f"{versions['serverVersion']['gitVersion']}, with etcd on the same machine",
        "Istio CRDs": ISTIO,
        "kubectl": versions["clientVersion"]["gitVersion"],
        "kapp": _kapp(),
        "kubernetes.core": peers.kubernetes_core_version(collections),
        "ansible-core": version("ansible-core"),
        "kubernetes (Python)": version("kubernetes"),
        "Python": platform.python_version(),
    }


def _field(file: str, name: str) -> str:
    """A value of a file in /proc."""
    lines = Path(file).read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")


def _release() -> str:
    return str(yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["version"])


def _commit() -> str:
    return _said("git", "-C", str(ROOT), "describe", "--always", "--dirty=, with changes", "--exclude=*")


def _kapp() -> str:
    program = peers.kapp()
    return _said(program, "version").splitlines()[0].removeprefix("kapp version ") if program else "not on PATH"


def _said(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
