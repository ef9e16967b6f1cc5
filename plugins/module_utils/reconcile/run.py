# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one task is given of its surroundings, whoever runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ..kube.client import Client
from ..kube.wait import Wait
from .planned import Planned


@dataclass
class Run:
    """One run of one operation.

    `before_write` is called before every request that persists something, and
    while something is waited for; it raises when the playbook behind this run
    has gone. `progress` shows a line to whoever watches.
    """

    client: Client
    check_mode: bool
    before_write: Callable[[], None]
    progress: Callable[[str], None]
    planned: Planned = field(default_factory=Planned)

    def wait(self, seconds: float) -> Wait:
        return Wait.within(self.client, seconds, self.progress, self.before_write)
