# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who owns which field of an object, read from its managedFields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..kube.client import Object
from ..kube.errors import Conflict

_CONFLICT = re.compile(r'conflict with "(?P<manager>[^"]+)"')


def fields_of(found: Object | None, manager: str) -> Mapping[str, Any]:
    """The fields that a manager owns by server-side apply (fieldsV1), or an empty mapping."""
    for entry in _entries(found):
        if entry.get("manager") == manager and entry.get("operation") == "Apply" and not entry.get("subresource"):
            return dict(entry.get("fieldsV1") or {})
    return {}


def managers(found: Object | None) -> list[str]:
    """Everybody who has written the object, the newest last."""
    entries = sorted(_entries(found), key=lambda entry: str(entry.get("time") or ""))
    return list(dict.fromkeys(str(entry.get("manager")) for entry in entries if not entry.get("subresource")))


def _entries(found: Object | None) -> list[Mapping[str, Any]]:
    return ((found or {}).get("metadata") or {}).get("managedFields") or []


def conflicting(error: Conflict) -> list[tuple[str, str]]:
    """(manager, field) of every cause of a server-side apply conflict."""
    pairs = []
    for cause in error.details.get("causes") or []:
        match = _CONFLICT.search(str(cause.get("message")))
        pairs.append((match["manager"] if match else "unknown", str(cause.get("field") or "")))
    return pairs


def explained(error: Conflict, subject: str) -> Conflict:
    """The conflict with its managers and fields named, and the way to take them over."""
    pairs = conflicting(error)
    if not pairs:
        return error
    owners = sorted({manager for manager, _field in pairs})
    fields = "; ".join(f"{field} is owned by '{manager}'" for manager, field in pairs)
    return Conflict(
        f"{subject} has fields that somebody else manages",
        subject=subject,
        reason=fields,
        hint=f"Leave these fields out, or take them over with 'take_ownership_from: [{', '.join(owners)}]'",
        status=error.status,
        details=error.details,
    )
