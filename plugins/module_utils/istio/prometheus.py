# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Prometheus says of a query now (its HTTP API, /api/v1/query)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .web import Access, Answer, ask

_BAD_QUERY = "bad_data"


@dataclass(frozen=True)
class Prometheus:
    """A server."""

    url: str
    access: Access = field(default_factory=Access)

    def samples(self, query: str) -> list[Sample]:
        """The values of a query. Raises NoAnswer."""
        found = ask(f"{self.url.rstrip('/')}/api/v1/query", self.access, {"query": query})
        content = _content(found)
        if content.get("status") != "success":
            raise self._refusal(found, content)
        return _samples(content["data"])

    def _refusal(self, found: Answer, content: Mapping[str, Any]) -> NoAnswer:
        if not found.status:
            return NoAnswer(f"Prometheus cannot be reached at {self.url}: {found.excerpt}")
        said = str(content.get("error") or found.excerpt or "nothing")
        return NoAnswer(f"Prometheus answers {found.status}: {said}", content.get("errorType") == _BAD_QUERY)


@dataclass(frozen=True)
class Sample:
    """A value, and the labels that say of what."""

    value: float
    labels: str = ""


class NoAnswer(Exception):
    """There is no value; `is_bad_query` when no time and no other server would help."""

    def __init__(self, why: str, is_bad_query: bool = False) -> None:
        super().__init__(why)
        self.is_bad_query = is_bad_query


def _content(found: Answer) -> Mapping[str, Any]:
    try:
        content = json.loads(found.text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _samples(data: Mapping[str, Any]) -> list[Sample]:
    kind, result = data.get("resultType"), data.get("result") or []
    if kind == "scalar":
        return [Sample(float(result[1]))]
    if kind == "vector":
        return [Sample(float(one["value"][1]), _labels(one.get("metric") or {})) for one in result]
    raise NoAnswer(f"the query's answer is a {kind}, and only a scalar or a vector has a value now", True)


def _labels(metric: Mapping[str, str]) -> str:
    name = metric.get("__name__", "")
    inner = ", ".join(f'{key}="{value}"' for key, value in sorted(metric.items()) if key != "__name__")
    return f"{name}{{{inner}}}" if inner else name
