# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be known of an API server before it is asked: its address, whom to trust, and who we are."""

from __future__ import annotations

import functools
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Pem:
    """Certificates or a key: what is in a kubeconfig itself, or the path of a file."""

    path: str = ""
    text: str = field(default="", repr=False)

    def read(self) -> str:
        return self.text or Path(self.path).read_text(encoding="utf-8", errors="replace")

    @contextmanager
    def as_file(self) -> Iterator[str]:
        """OpenSSL takes keys from files alone."""
        if self.path:
            with open(self.path, "rb"):  # an error of this one names the file, which one of OpenSSL does not
                yield self.path
        else:
            with (_in_memory if _has_memory_files() else _scratch)(self.text.encode()) as path:
                yield path


@functools.cache
def _has_memory_files() -> bool:
    """Linux has them, unless it is hardened or without /proc."""
    try:
        with _in_memory(b"") as path:
            return os.path.exists(path)
    except (AttributeError, OSError):
        return False


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """A file that lies in no folder: whoever is killed leaves nothing."""
    with os.fdopen(os.memfd_create("pem"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


@contextmanager
def _scratch(content: bytes) -> Iterator[str]:
    """A file that nobody else may read, and that goes at once."""
    handle, path = tempfile.mkstemp()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        yield path
    finally:
        os.unlink(path)


def _nobody() -> str:
    return ""


@dataclass
class Access:
    """The way to one API server. `authorization` gives the header's value for one request, empty for nobody."""

    host: str = ""
    authority: Pem | None = None
    certificate: Pem | None = None
    key: Pem | None = None
    is_verified: bool = True
    server_name: str = ""
    proxy: str | None = field(default=None, repr=False)  # None: as the environment says
    no_proxy: str | None = None
    proxy_headers: Mapping[str, Any] | None = field(default=None, repr=False)
    acts_as: str = ""  # whom a kubeconfig impersonates, and with which groups
    with_groups: tuple[str, ...] = ()
    authorization: Callable[[], str] = field(default=_nobody, repr=False)

    def ssl_context(self) -> ssl.SSLContext:
        """Raises OSError (of which ssl.SSLError is one) for files and certificates that cannot be read."""
        with self.authority.as_file() if self.authority else nullcontext() as authority:
            context = ssl.create_default_context(cafile=authority)
        if self.certificate:
            with self.certificate.as_file() as certificate, (self.key or self.certificate).as_file() as key:
                context.load_cert_chain(certificate, key, password=_no_pass_phrase)
        if not self.is_verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context


def _no_pass_phrase() -> str:
    """Without this OpenSSL would ask on the terminal, and the worker would wait for ever."""
    return ""
