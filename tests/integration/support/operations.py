"""An OPERATION called in this process, with its options checked as a task's are: where many cases are proved."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.planned import PlannedWorlds
from ansible_collections.service_mesh.istio.plugins.module_utils.task.operation import Surroundings, perform
from ansible_collections.service_mesh.istio.plugins.module_utils.task.worker import validated

_MODULES = "ansible_collections.service_mesh.istio.plugins.modules"


def _unwatched(_line: str) -> None:
    """Nobody looks at the progress."""


@dataclass(frozen=True)
class Operations:
    """The collection's operations on one cluster."""

    connection: Mapping[str, Any]

    def run(
        self,
        name: str,
        options: Mapping[str, Any],
        *,
        check: bool = False,
        progress: Callable[[str], None] = _unwatched,
    ) -> dict[str, Any]:
        """The result of a task. Raises Failure."""
        operation = importlib.import_module(f"{_MODULES}.{name}").OPERATION
        params = validated(operation, {**self.connection, **options})
        surroundings = Surroundings(check_mode=check, diff_mode=True, progress=progress, planned=PlannedWorlds())
        return perform(operation, params, surroundings)
