"""Holds a playbook at the boundary before one of its tasks, for a test that wants to end it there."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: holder
    type: notification
    short_description: Waits before the task whose number is HOLDER_TASK
    description: It makes the file HOLDER_FILE, and then does nothing for longer than any test lasts.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Counts tasks, those of roles and skipped ones included, from 1."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "holder"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._number = 0

    def v2_playbook_on_task_start(self, *_task: Any) -> None:
        self._number += 1
        if self._number == int(os.environ["HOLDER_TASK"]):
            Path(os.environ["HOLDER_FILE"]).touch()
            time.sleep(3600)
