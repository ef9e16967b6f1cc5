# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A folder that remembers what takes time to make: pulled charts and rendered objects.

It only saves time: whatever is wrong with it, the work is done without it. What
is rendered may hold secrets, so nobody else may read the folder, and one that
others could have written to is not believed. Any number of processes may use it
at once, because files appear whole by being renamed.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LARGEST = 64 * 1024 * 1024  # some 60 control planes; one takes about 1 MB
_PRIVATE = 0o700


def default_folder() -> Path:
    """Where a user's caches are, by the XDG Base Directory Specification."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(home) / "service_mesh.istio" / "charts"


@dataclass(frozen=True)
class ChartCache:
    """The folder, bounded in size; None turns it off."""

    folder: Path | None
    largest: int = _LARGEST

    @property
    def problem(self) -> str:
        """Why the folder cannot be used, in a sentence; nothing when it can, or when there is none."""
        if self.folder is None:
            return ""
        try:
            self.folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
            found = self.folder.stat()
        except OSError as error:
            return f"{self.folder} cannot be used: {error.strerror}"
        if found.st_uid != os.geteuid():
            return f"{self.folder} belongs to another user"
        if found.st_mode & 0o077:
            return f"{self.folder} is open to other users; close it by: chmod 700 {self.folder}"
        return ""

    def read(self, name: str) -> bytes | None:
        """What was kept under a name, if it still is."""
        if self.folder is None or self.problem:
            return None
        path = self.folder / name
        try:
            content = path.read_bytes()
            os.utime(path)  # the least recently used go first
        except OSError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Keep something under a name."""
        if self.folder is None or self.problem:
            return
        with suppress(OSError):  # a full disk is no reason not to install
            handle, path = tempfile.mkstemp(prefix="new-", dir=self.folder)  # readable by its owner alone
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                os.replace(path, self.folder / name)
            except OSError:
                os.unlink(path)
                raise
            self._make_room(self.folder)

    def _make_room(self, folder: Path) -> None:
        kept = []
        for path in folder.iterdir():
            with suppress(OSError):  # another process may have removed it
                kept.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        size = sum(bytes_ for _time, bytes_, _path in kept)
        for _time, bytes_, path in sorted(kept):
            if size <= self.largest:
                return
            with suppress(OSError):
                path.unlink()
            size -= bytes_
