"""A clean copy of the collection below the path that Ansible's tools insist on.

ansible-test and ansible-galaxy want `ansible_collections/service_mesh/istio` and nothing in it but the project's files.
Contributors may clone to wherever they like and keep what they like beside the files: the tools get this copy.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("SERVICE_MESH_ISTIO_CACHE") or Path.home() / ".cache" / "service_mesh.istio")


def files() -> list[Path]:
    """What git has or would take: new files are checked before they are committed."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listing.split("\0") if name and (ROOT / name).is_file()]


def every(_name: Path) -> bool:
    return True


def copy(destination: Path, wanted: Callable[[Path], bool] = every) -> Path:
    """Put the wanted files below `destination`, afresh; return the collection's folder."""
    shutil.rmtree(destination, ignore_errors=True)
    collection = destination / "ansible_collections" / "service_mesh" / "istio"
    for name in filter(wanted, files()):
        target = collection / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target, follow_symlinks=False)
    return collection
