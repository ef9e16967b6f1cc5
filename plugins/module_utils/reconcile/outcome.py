# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task did, or in check mode would do; every module's result is made of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ..kube.client import Object
from .objects import shown
from .plan import Action

VERBS = ("create", "update", "delete", "unchanged")


@dataclass
class Outcome:
    """The actions of a plan, and what else a task tells."""

    actions: list[Action] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return any(action.writes for action in self.actions)

    def plan(self) -> list[dict[str, Any]]:
        return [_row(action) for action in self.actions if action.writes]

    def summary(self) -> dict[str, int]:
        counts = Counter(str(action.verb) for action in self.actions)
        return {verb: counts[verb] for verb in VERBS}

    def diff(self) -> list[dict[str, Any]]:
        return [
            {
                "before_header": _header(action, action.before),
                "after_header": _header(action, action.after),
                "before": shown(action.before),
                "after": shown(action.after),
            }
            for action in self.actions
            if action.writes
        ]


def _row(action: Action) -> dict[str, Any]:
    return {
        "action": action.verb,
        "kind": action.key.kind,
        "namespace": action.key.namespace,
        "name": action.key.name,
        "fields": list(action.fields),
        "reason": action.reason,
    }


def _header(action: Action, found: Object | None) -> str:
    return str(action.key) if found else f"{action.key} (does not exist)"
