# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file in which a mesh's root is kept: certificate and key, for its owner alone.

Both are in one file because a file appears at once or not at all: several clusters may ask for the root at the same
time, and whoever comes first makes it for all.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from .issuing import BadAuthority, Root, private_pem, read_certificates, read_key, require_pair

_VAULT = "$ANSIBLE_VAULT"


def stored_root(path: str) -> Root | None:
    """The root that the file holds; None when there is no file. Raises BadAuthority for any other file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        link = _dangling(path)
        if link:
            raise _unusable(
                path, f"{link} is a link to {os.readlink(link)}, and nothing is there", _LINK_HINT
            ) from error
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, str(error).splitlines()[0]) from error
    if text.startswith(_VAULT):
        raise _unusable(path, "it is encrypted by Ansible Vault", _VAULT_HINT)
    what = f"The root file {path}"
    found, key = read_certificates(text, what), read_key(text, what)
    require_pair(key, found, what)
    return Root(found, key)


_VAULT_HINT = (
    "Give it by 'root_certificate' and 'root_key', both with lookup('ansible.builtin.file', ...), which decrypts it"
)


def _dangling(path: str) -> str:
    """The link on the way to the file that leads nowhere, if there is one: the root that it stood for is elsewhere."""
    file = os.path.abspath(path)
    way = [file, *map(str, Path(file).parents)]
    return next((one for one in way if os.path.islink(one) and not os.path.exists(one)), "")


_LINK_HINT = (
    "Mount or restore what the link leads to: the root of the mesh may be kept there. If there is none yet, take the "
    "link away, and a new root is made"
)


def keep(root: Root, path: str) -> Root:
    """Write a new root to its file, and return the one that is there: another worker may have been first.

    A root that is in no file is never returned: the next cluster would get another one, and its key would be lost.
    """
    folder = os.path.dirname(os.path.abspath(path))
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder)  # readable by its owner alone
    except OSError as error:
        raise _unusable(path, str(error)) from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(root.pem + (private_pem(root.key) if root.key else ""))
            file.flush()
            os.fsync(file.fileno())
        _link(temporary, path)
    except OSError as error:
        raise _unusable(path, str(error)) from error
    finally:
        os.unlink(temporary)
    stored = stored_root(path)
    if stored is None:
        raise _unusable(path, "a new root was written to it, and it is gone again", _GONE_HINT)
    return stored


_NO_LINKS_HINT = "Name a file on a disk of this machine, where files can have a second name (hard links)"
_GONE_HINT = "Look who takes it away, and run this again: nothing has been signed by that root"


def _link(temporary: str, path: str) -> None:
    """Give the file its name, unless another one has it already."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    except OSError as error:
        raise _unusable(path, str(error), _NO_LINKS_HINT) from error


def readable_by_others(path: str) -> bool:
    """Whether more people than its owner may read the file."""
    try:
        return bool(os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


def _unusable(path: str, reason: str, hint: str = "") -> BadAuthority:
    hint = hint or "Check 'root_file' (with a local connection it is a file of the controller)"
    return BadAuthority(f"The root file {path} cannot be used", subject=path, reason=reason, hint=hint)
