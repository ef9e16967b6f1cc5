# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where charts come from, as the options of a task say it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...istio import releases
from ...istio.charts import Archive, ChartSource
from ..operation import Params


def chart_source(params: Params) -> ChartSource:
    charts: Mapping[str, Any] = params.get("charts") or {}
    cache = {"cache": Path(charts["cache"])} if charts.get("cache") else {}
    kept: dict[str, Any] = {**cache, "use_cache": charts.get("use_cache", True)}
    if charts.get("directory"):
        return ChartSource(directory=charts["directory"], **kept)
    if charts.get("archives"):
        return ChartSource(archives=tuple(Archive(**archive) for archive in charts["archives"]), **kept)
    return ChartSource(repository=charts.get("repository") or releases.chart_repository(params["version"]), **kept)
