# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a task's `src` names, found as Ansible finds files and decrypted by it.

They are always the controller's: inside the role (`files/`), beside the
playbook, or at an absolute path. So they are read by the action plugin, whatever
host the module runs on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleError

from ..istio.sources import packed_files
from ..istio.yaml_text import InvalidSource, refused


def sources_of(params: Mapping[str, Any], find: Callable[[str, str], str], loader: Any) -> dict[str, list[str]]:
    """The parameter `src` with every file in place of its name; nothing without it. Raises InvalidSource."""

    def found(path: str) -> str:
        try:
            return str(find("files", path))
        except AnsibleError as error:
            hint = "Files are looked for in 'files' of the role and of the playbook, and beside both"
            raise InvalidSource(f"'{path}' is not found", subject=path, reason="'src' names it", hint=hint) from error

    def decrypted(path: str) -> bytes:
        try:
            return bytes(loader._get_file_contents(path)[0])  # as include_vars does: there is no public way to the text
        except AnsibleError as error:
            raise refused(path, 0, "it is vaulted, and no secret given opens it", "Give its vault password") from error

    return {"src": packed_files(params["src"], found, decrypted)} if params.get("src") else {}
