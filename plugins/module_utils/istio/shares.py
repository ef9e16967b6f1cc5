# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shares of namespaces by percentage, for whoever moves, injects or restarts them little by little."""

from __future__ import annotations

import hashlib

from ..kube.errors import Failure


def share_of(name: str) -> int:
    """From 0 to 99, always the same for a name: so a larger percentage contains the smaller."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) % 100


def checked_percentage(
    percentage: int, error: type[Failure], subject: str = "percentage", least: int = 0, where: str = ""
) -> int:
    """The same, if it is one. Raises the error."""
    if not least <= percentage <= 100:
        raise error(
            f"{percentage} is no percentage{where}",
            subject=subject,
            reason=f"it goes from {least} to 100",
            hint="A larger one contains the smaller: 10, then 50, then 100",
        )
    return percentage
