# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""PyYAML's loader in C where there is one, ten times as fast as the other, with a limit to the depth that it takes."""

from __future__ import annotations

import functools
import re
from typing import Any

try:
    import yaml
except ImportError:  # who reads says which library is missing
    pass

# Far beyond any object; what is deeper crashes the process in C.
DEEPEST = 200
# The name of an alias, an anchor or a tag: what is in quotes and neither one character (',', '\t') nor a '<token>'.
_NAME = re.compile(r""" ('|")(?![<\\])(?:(?!\1)\S){2,}\1""")


class TooDeep(Exception):
    """Nested deeper than anything that is meant."""


@functools.cache
def limited_loader() -> Any:
    """The class of the loader; its reading raises TooDeep, or RecursionError where it is not in C."""
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def descend(self: Any, _parent: Any, _index: Any) -> None:
        self.depth = getattr(self, "depth", 0) + 1
        if self.depth > DEEPEST:
            raise TooDeep

    def ascend(self: Any) -> None:
        self.depth -= 1

    return type("LimitedLoader", (base,), {"descend_resolver": descend, "ascend_resolver": ascend})


def without_names(words: str) -> str:
    """PyYAML's words about a mistake. What it quotes may be a password that begins with '*', '&' or '!'."""
    return _NAME.sub("", words)
