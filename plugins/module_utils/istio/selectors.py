# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether labels match a selector, as the API server decides it.

Source: Kubernetes, apimachinery meta/v1 LabelSelector; none at all and an empty one match everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Labels = Mapping[str, str]


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
