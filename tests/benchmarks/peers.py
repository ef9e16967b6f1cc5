"""The tools that we are measured against: kubernetes.core out of a pinned wheel, kapp where somebody has it."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path

from testbed import layout
from testbed.toolchain import download

ANSIBLE = "ansible==12.3.0"
HASH = "sha256:cd156f82fa87f7a899212b0efa9f7ca3a24d609212de9f78428a572eb01e5414"
CORE = "ansible_collections/kubernetes/core/"


def kubernetes_core() -> Path:
    """The folder of collections that holds it, in the cache; fetched the first time."""
    folder = layout.bed().cache / "peers" / f"kubernetes.core-{HASH[-16:]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            wheel = download(f"{ANSIBLE} --hash={HASH}", Path(scratch))
            unpack(wheel, Path(scratch) / "made")
            # Renamed when it is whole: a half-unpacked collection is never found.
            (Path(scratch) / "made").rename(folder)
    return folder


def unpack(wheel: Path, folder: Path) -> None:
    """Only this one collection of the many in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(CORE)])


def kubernetes_core_version(collections: Path) -> str:
    manifest = json.loads((collections / CORE / "MANIFEST.json").read_text(encoding="utf-8"))
    return str(manifest["collection_info"]["version"])


def kapp() -> str | None:
    """The command, if it is on PATH."""
    return shutil.which("kapp")
