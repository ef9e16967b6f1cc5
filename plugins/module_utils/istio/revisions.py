# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Revisions: control planes beside each other in one cluster, and how the charts name what belongs to one.

Source: the charts of 1.28 to 1.31; every object of a revisioned istiod bears the revision's name.
"""

from __future__ import annotations

import re

from ..kube.errors import Failure
from .webhooks import DEFAULT_REVISION

# istiod's Service is named `istiod-REVISION`, and a Service's name has at most 63 characters.
_LONGEST = 63 - len("istiod-")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")


class InvalidRevision(Failure):
    """Not a name that a revision can have."""

    code = "invalid_revision"


def checked_revision(revision: str | None) -> str:
    """The revision, empty for the default one. Raises InvalidRevision."""
    if not revision:
        return ""
    if revision == DEFAULT_REVISION:
        raise InvalidRevision(
            "'default' cannot be the name of a revision",
            subject="revision",
            reason="Istio calls the control plane without a revision so",
            hint="Leave 'revision' out to mean that one, or give this one a name of its own, like 1-29-1",
        )
    if len(revision) > _LONGEST or not _LABEL.fullmatch(revision):
        raise InvalidRevision(
            f"'{revision}' cannot be the name of a revision",
            subject="revision",
            reason=f"it becomes part of names and labels: at most {_LONGEST} lower-case letters, digits and '-', "
            "with a letter or digit at both ends",
            hint="Write it like 1-29-1 or canary",
        )
    return revision


def named(name: str, revision: str) -> str:
    """An object's name as a revision's charts make it: `istiod`, `istiod-canary`."""
    return f"{name}-{revision}" if revision else name


def shown(revision: str) -> str:
    """A revision as labels call it."""
    return revision or DEFAULT_REVISION
