# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""To import this is to keep what Python compiles of this collection, as Python does with every other library.

ansible-core compiles what it imports of collections again in every run (`get_code` in
`ansible/utils/collection_loader/_collection_finder.py`): a tenth of a second for one of our modules, a quarter for the
playbook mesh. Packages and everybody else's collections stay its business.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

_PLUGINS = f"{__name__.rpartition('.plugin_utils.')[0]}."


class _Plugins:
    """Finds the files of our plugins in the way of Python."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None) -> ModuleSpec | None:
        """A file; of a package nothing, so that the next one is asked."""
        if not path or not name.startswith(_PLUGINS):
            return None
        found = FileFinder(path[0], (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name)
        return found if found and found.loader else None


sys.meta_path.insert(0, _Plugins)
