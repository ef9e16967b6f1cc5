# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm values: merged openly, and checked against the chart before anything is rendered.

Four of Istio's five charts accept any key, so a misspelt one does nothing and
says nothing. What a chart knows is read from the chart itself: its default
values, its profiles, and every `.Values.…` that its templates mention.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..kube.errors import Failure
from ..kube.text import did_you_mean

try:
    import yaml
except ImportError:  # charts.py says which library is missing
    pass

# Charts keep their defaults below this key; users may not set it (templates/zzz_profile.yaml).
_DEFAULTS = "_internal_defaults_do_not_set"
# Values that a chart passes on as they are: their keys are another API's (MeshConfig, Kubernetes), not the chart's.
_PASSED_ON = frozenset(
    {
        "affinity",
        "annotations",
        "defaultConfig",
        "env",
        "envVarFrom",
        "labels",
        "lifecycle",
        "meshConfig",
        "meshNetworks",
        "nodeSelector",
        "podAnnotations",
        "podLabels",
        "resources",
        "securityContext",
        "containerSecurityContext",
        "serviceAnnotations",
        "templates",
        "topologySpreadConstraints",
        "volumes",
    }
)
_SHOWN = 12
_MENTION = re.compile(r"\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)+)")

Tree = dict[str, Any]


class UnknownValue(Failure):
    """A key that the chart does not know."""

    code = "unknown_value"


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Tree:
    """Two trees of values as Helm merges them: mappings key by key, anything else replaced."""
    result: Tree = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def refuse_unknown(chart: str, path: Path, values: Mapping[str, Any]) -> None:
    """Raise UnknownValue for the first key that the chart neither defines nor mentions."""
    known = known_values(path)
    for place, siblings in _unknown(values, known, ()):
        raise UnknownValue(
            f"The chart '{chart}' knows no value '{'.'.join(place)}'{did_you_mean(place[-1], siblings)}",
            subject=".".join((chart, *place)),
            reason="nothing in the chart reads it, so it would do nothing",
            hint=_known_here(siblings),
        )


def _known_here(siblings: list[str]) -> str:
    known = sorted(key for key in siblings if not key.startswith("_"))
    shown, more = known[:_SHOWN], len(known) - _SHOWN
    return f"Correct it; at this place the chart knows {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")


def known_values(path: Path) -> Tree:
    """The tree of values that a chart knows."""
    known: Tree = {"profile": None, "platform": None, "compatibilityVersion": None}
    for file in [path / "values.yaml", *sorted((path / "files").glob("profile-*.yaml"))]:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        known = merged(known, content.get(_DEFAULTS) or content)
    for file in sorted((path / "templates").rglob("*")) + sorted((path / "files").glob("*.yaml")):
        if file.is_file() and file.suffix in (".yaml", ".tpl", ".txt"):
            for mention in _MENTION.findall(file.read_text(encoding="utf-8")):
                _add(known, mention.strip(".").split("."))
    known.pop(_DEFAULTS, None)
    return known


def _add(tree: Tree, steps: list[str]) -> None:
    for step in steps[:-1]:
        inner = tree.get(step)
        if not isinstance(inner, dict):
            inner = tree[step] = {}
        tree = inner
    tree.setdefault(steps[-1], None)


def _unknown(
    values: Mapping[str, Any], known: Tree, place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    for key, value in values.items():
        if key not in known:
            yield (*place, key), list(known)
        elif isinstance(value, Mapping) and isinstance(known[key], dict) and known[key] and key not in _PASSED_ON:
            yield from _unknown(value, known[key], (*place, key))
