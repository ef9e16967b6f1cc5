# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a context of a kubeconfig says, in the library's configuration: address, authority, lasting credentials."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .errors import ConnectionOptionsError

try:
    from kubernetes.client import Configuration
    from kubernetes.config.kube_config import KubeConfigLoader, load_kube_config
except ImportError:  # connect() says which library is missing
    pass

_LONGEST_WORDS = 300


def fill(
    configuration: Configuration,
    documents: Sequence[Mapping[str, Any]],
    source: str | Mapping[str, Any],
    context: str,
    *,
    persist: bool,
) -> None:
    """Take a context that is there. `documents` are what the files of `source` hold, or `source` itself.

    Raises ConnectionOptionsError for a plugin that fails, and whatever the library does over wrong shapes.
    """
    folders = [os.path.dirname(path) for path in source.split(os.pathsep)] if isinstance(source, str) else [""]
    with _logged() as said:
        if isinstance(source, str) and (len(documents) > 1 or persist):
            load_kube_config(source, context, configuration, persist_config=persist)
        else:  # what has been read already is not read again: a fleet's kubeconfig is long
            folder = os.path.abspath(folders[0]) if isinstance(source, str) else ""
            KubeConfigLoader(_distinct(documents[0]), context, config_base_path=folder).load_and_set(configuration)
    user, folder = _user(documents, folders, context)
    _refuse_failed_plugin(user.get("exec"), said, configuration)
    if user.get("tokenFile") and not user.get("token"):
        untyped: Any = configuration  # the library's own types know no hook but None
        untyped.refresh_api_key_hook = _rereading(os.path.join(folder, user["tokenFile"]))


def _distinct(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with the first of entries of one name, as the library takes them where it reads a file itself."""
    lists = {
        item: list({entry["name"]: entry for entry in reversed(document.get(item) or [])}.values())
        for item in ("clusters", "contexts", "users")
    }
    return {**document, **lists}


def _user(
    documents: Sequence[Mapping[str, Any]], folders: Sequence[str], context: str
) -> tuple[Mapping[str, Any], str]:
    """The user of a context, and the folder of the file that has it, to which its paths are relative."""
    entries = {entry["name"]: entry["context"] for document in documents for entry in document.get("contexts") or []}
    for document, folder in zip(documents, folders, strict=True):
        for entry in document.get("users") or []:
            if entry["name"] == entries[context].get("user"):
                return entry.get("user") or {}, folder
    return {}, ""


def _refuse_failed_plugin(plugin: Mapping[str, Any] | None, said: Sequence[str], configuration: Configuration) -> None:
    """The library only logs that a plugin gives no credentials, and the server would then be asked by nobody."""
    if plugin and not configuration.api_key and not configuration.cert_file:
        raise ConnectionOptionsError(
            f"The plugin '{plugin.get('command')}' that the kubeconfig names gives no credentials",
            reason=" ".join(" ".join(said).split())[:_LONGEST_WORDS],
            hint="Run it by hand as the user that runs Ansible: it has to be on PATH there, and may need a login",
        )


class _Heard(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


@contextmanager
def _logged() -> Iterator[list[str]]:
    """What the library logs meanwhile, which would be printed between the lines of the playbook."""
    heard = _Heard()
    logging.getLogger().addHandler(heard)
    try:
        yield heard.said
    finally:
        logging.getLogger().removeHandler(heard)


def _rereading(path: str) -> Callable[[Configuration], None]:
    """The library reads a token file once; what is rotated while a task waits would be refused."""

    def refresh(configuration: Configuration) -> None:
        with suppress(OSError):  # in the middle of a rotation the token that we have is as good as any
            token = Path(path).read_text(encoding="utf-8").strip()
            configuration.api_key = {"authorization": f"Bearer {token}"}

    return refresh
