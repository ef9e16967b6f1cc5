# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether labels match a selector, as the API server decides it.

Source: Kubernetes, apimachinery meta/v1 LabelSelector; none at all and an empty one match everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..kube.errors import Failure

Labels = Mapping[str, str]


def checked_selector(
    text: str | None, error: type[Failure], subject: str = "selector", where: str = "", everything: str = ""
) -> str:
    """A label selector as `kubectl` takes it, nothing where there is none. Raises the error for an empty one.

    To the API server that means everything, and to whoever wrote it most likely nothing.
    """
    if text is not None and not text.strip():
        raise error(
            f"The selector is empty{where}",
            subject=subject,
            reason="for Kubernetes an empty one selects everything",
            hint=f"Name labels, as 'tier=front'; {everything or 'for everything leave it out'}",
        )
    return text or ""


def matches(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Whether all conditions hold. One that nobody knows does not."""
    wanted = selector or {}
    exact = (wanted.get("matchLabels") or {}).items()
    conditions = wanted.get("matchExpressions") or []
    return all(labels.get(key) == value for key, value in exact) and all(_holds(one, labels) for one in conditions)


def _holds(condition: Mapping[str, Any], labels: Labels) -> bool:
    key, values = str(condition["key"]), condition.get("values") or []
    operator = condition["operator"]
    if operator == "In":
        return labels.get(key) in values
    if operator == "NotIn":
        return labels.get(key) not in values
    if operator == "Exists":
        return key in labels
    return bool(operator == "DoesNotExist") and key not in labels
