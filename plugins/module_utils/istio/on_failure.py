# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a rollout that fails.

By itself, because every module's options are made of words like these: with the rollout behind it, each task of any
module would take a quarter of a second longer to start.
"""

from __future__ import annotations

from typing import Literal

OnFailure = Literal["stop", "undo"]
ON_FAILURE: tuple[OnFailure, ...] = ("stop", "undo")
