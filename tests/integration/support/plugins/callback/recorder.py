"""Records every task's result as Ansible hands it to callbacks, beside the output that a person sees.

ansible-core ships no callback that prints JSON, on 2.16 as little as on 2.19.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: recorder
    type: notification
    short_description: Appends each result to the file RECORDER_FILE
    description: One line of JSON for each result of a task on a host.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """One line of JSON for each result."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "recorder"
    CALLBACK_NEEDS_ENABLED = True

    def _record(self, status: str, result: Any) -> None:
        line = {"status": status, "host": result._host.get_name(), "task": result._task.get_name()}
        with open(os.environ["RECORDER_FILE"], "a", encoding="utf-8") as file:
            given = result._task_fields.get("args")  # a callback may show what a task was given
            file.write(json.dumps({**line, "result": result._result, "given": given}, default=str) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._record("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._record("ignored" if ignore_errors else "failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._record("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._record("unreachable", result)
