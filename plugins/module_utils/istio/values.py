# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm values: merged openly, and checked against the chart before anything is rendered.

Four of Istio's five charts accept any key, so a misspelt one does nothing and
says nothing. What a chart knows is read from the chart itself: its default
values, and every `.Values.…` that its templates mention. Its profiles say
nothing of that: every chart carries the same ones, with the values of all charts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..kube.errors import Failure
from ..kube.text import did_you_mean

try:
    import yaml

    _Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
except ImportError:  # charts.py says which library is missing
    pass

# Charts keep their defaults below this key; users may not set it, nor the name that it had before
# (templates/zzz_profile.yaml).
_DEFAULTS = "_internal_defaults_do_not_set"
_CHARTS_OWN = (_DEFAULTS, "defaults")
_INTERNAL = (*_CHARTS_OWN, "_original")
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
_SELECTORS = {"profile": "files/profile-{}.yaml", "platform": "files/profile-platform-{}.yaml"}
_SELECTORS["compatibilityVersion"] = "files/profile-compatibility-version-{}.yaml"
_SHOWN = 12
_MENTION = re.compile(r"\.Values((?:\.[A-Za-z_][A-Za-z0-9_]*)+)")
# `pilot.x` of istiod's chart and `cni.x` of cni's mean `x`; ztunnel's takes what is below `global` for its own.
_PREFIX = re.compile(r'mustMergeOverwrite \$\.Values \(index \$\.Values "(\w+)"\)')
_FLATTENED = re.compile(r"# +Flatten globals[^\n]*\n\{\{- if true \}\}")

Tree = dict[str, Any]
Place = tuple[str, ...]
KnownElsewhere = Callable[[], Iterable[tuple[str, Tree]]]


class UnknownValue(Failure):
    """A key that the chart does not know."""

    code = "unknown_value"


class WrongValue(Failure):
    """A value that the chart cannot take at this place."""

    code = "wrong_value"


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> Tree:
    """Two trees of values as Helm merges them: mappings key by key, anything else replaced."""
    result: Tree = dict(base)
    for key, value in over.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def at(values: Mapping[str, Any], place: Place) -> Any:
    """The value at a place, or None where there is none."""
    found: Any = values
    for step in place:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _nowhere_else() -> Iterable[tuple[str, Tree]]:
    return ()


def refuse_wrong(chart: str, path: Path, values: Mapping[str, Any], elsewhere: KnownElsewhere = _nowhere_else) -> None:
    """Raise UnknownValue or WrongValue for the first value that the chart cannot mean.

    `elsewhere` tells what the other charts know; it is asked only when there is something to refuse.
    """
    _refuse_the_charts_own(chart, values)
    known = known_values(path)
    for place, siblings in _unknown(values, known, ()):
        raise UnknownValue(
            f"The chart '{chart}' knows no value '{'.'.join(place)}'{did_you_mean(place[-1], siblings)}",
            subject=".".join((chart, *place)),
            reason="nothing in the chart reads it, so it would do nothing",
            hint=_belongs_to(place, elsewhere()) or _known_here(siblings),
        )
    for place, problem in _mistyped(values, known, ()):
        raise WrongValue(
            f"The value '{'.'.join(place)}' of the chart '{chart}' has the wrong type",
            subject=".".join((chart, *place)),
            reason=problem,
            hint="Correct it",
        )
    _refuse_unknown_files(chart, path, values)


def _refuse_the_charts_own(chart: str, values: Mapping[str, Any]) -> None:
    for key in _CHARTS_OWN:
        if key in values:
            raise WrongValue(
                f"'{key}' of the chart '{chart}' may not be set",
                subject=f"{chart}.{key}",
                reason="it is where the chart keeps its own defaults, over which values are laid",
                hint=f"Write what is below '{key}' one level higher",
            )


def _refuse_unknown_files(chart: str, path: Path, values: Mapping[str, Any]) -> None:
    """A profile, a platform and a version to be compatible with are files of the chart."""
    for key, pattern in _SELECTORS.items():
        name = values.get(key) or at(values, ("global", key))
        if not name or (path / pattern.format(name)).is_file():
            continue
        known = _named_by_files(path, pattern)
        raise WrongValue(
            f"The chart '{chart}' has no {key} '{name}'{did_you_mean(str(name), known)}",
            subject=f"{chart}.{key}",
            reason=f"this version knows {', '.join(known) or 'none'}",
            hint="Choose one of these, or leave it out",
        )


def _named_by_files(path: Path, pattern: str) -> list[str]:
    start, end = path.joinpath(pattern).name.split("{}")
    names = [file.name[len(start) : -len(end)] for file in path.glob(pattern.format("*"))]
    special = ("platform-", "compatibility-version-")
    return sorted(name for name in names if start != "profile-" or not name.startswith(special))


def _belongs_to(place: Place, others: Iterable[tuple[str, Tree]]) -> str:
    """Whose value it is, when it stands below the wrong chart."""
    owners = [chart for chart, known in others if _is_known(place, known)]
    return f"It is a value of the chart {' and of '.join(repr(chart) for chart in owners)}: move it there" * bool(
        owners
    )


def _is_known(place: Place, known: Tree) -> bool:
    for step in place:
        if not isinstance(known, dict) or step not in known:
            return False
        known = known[step]
    return True


def _known_here(siblings: list[str]) -> str:
    known = sorted(key for key in siblings if not key.startswith("_"))
    shown, more = known[:_SHOWN], len(known) - _SHOWN
    return f"Correct it; at this place the chart knows {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")


def known_values(path: Path) -> Tree:
    """The tree of values that a chart knows."""
    content = yaml.load((path / "values.yaml").read_text(encoding="utf-8"), Loader=_Loader) or {}
    known: Tree = {**dict.fromkeys(_SELECTORS), **(content.get(_DEFAULTS) or content)}
    prefixes: set[str] = set()
    flattened = False
    for file in sorted((path / "templates").rglob("*")) + sorted((path / "files").glob("*.yaml")):
        if file.is_file() and file.suffix in (".yaml", ".tpl", ".txt"):
            text = file.read_text(encoding="utf-8")
            for mention in _MENTION.findall(text):
                _add(known, mention.strip(".").split("."))
            prefixes |= set(_PREFIX.findall(text))
            flattened = flattened or bool(_FLATTENED.search(text))
    for key in _INTERNAL:
        known.pop(key, None)
    return _with_other_places(known, prefixes, flattened)


def _with_other_places(known: Tree, prefixes: set[str], flattened: bool) -> Tree:
    """The same values again, where a chart lets them stand in a second place."""
    top = {key: value for key, value in known.items() if key not in {*prefixes, *_SELECTORS, "global"}}
    second = {**dict.fromkeys(prefixes, top), **({"global": top} if flattened else {})}
    return merged(second, known)


def _add(tree: Tree, steps: list[str]) -> None:
    for step in steps[:-1]:
        inner = tree.get(step)
        if not isinstance(inner, dict):
            inner = tree[step] = {}
        tree = inner
    tree.setdefault(steps[-1], None)


def _unknown(values: Mapping[str, Any], known: Tree, place: Place) -> Iterator[tuple[Place, list[str]]]:
    for key, value in values.items():
        if key not in known:
            yield (*place, key), list(known)
        elif isinstance(value, Mapping) and isinstance(known[key], dict) and known[key] and key not in _PASSED_ON:
            yield from _unknown(value, known[key], (*place, key))


def _mistyped(values: Mapping[str, Any], known: Tree, place: Place) -> Iterator[tuple[Place, str]]:
    for key, value in values.items():
        problem = _problem(value, known[key])
        if problem:
            yield (*place, key), problem
        elif isinstance(value, Mapping) and isinstance(known[key], dict) and known[key] and key not in _PASSED_ON:
            yield from _mistyped(value, known[key], (*place, key))


def _problem(value: Any, default: Any) -> str:
    """Why a value cannot stand where the chart has this default; nothing where it can, or where there is none."""
    if value is None or default is None or _kind(value) == _kind(default):
        return ""
    texts = [item for item in (value, default) if isinstance(item, str)]
    numbers = [item for item in (value, default) if _kind(item) == "a number"]
    if len(texts) == len(numbers) == 1 and (texts[0].endswith("%") or (isinstance(value, str) and value.isdigit())):
        return ""  # Kubernetes takes both for amounts: 1 and 25%
    hint = ": put it in quotes" if isinstance(default, str) and not isinstance(value, (Mapping, list)) else ""
    return f"it is {_kind(value)}, and {_kind(default)} belongs here (the chart's own is {_brief(default)}){hint}"


def _kind(value: Any) -> str:
    for types, name in ((Mapping, "a mapping"), (list, "a list"), (bool, "true or false"), (str, "a text")):
        if isinstance(value, types):
            return name
    return "a number"


def _brief(default: Any) -> str:
    return repr(default) if not isinstance(default, (Mapping, list)) or not default else _kind(default)
