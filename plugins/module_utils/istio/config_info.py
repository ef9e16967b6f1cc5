# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading objects back: of Istio's kinds, and of any other that the API server knows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..kube.client import Client, Object
from ..kube.errors import Failure, UnknownKind
from ..kube.resources import Resource
from ..kube.text import did_you_mean
from ..reconcile.objects import shown
from ..reconcile.outcome import Outcome
from ..reconcile.parallel import each
from ..reconcile.run import Run
from .kinds import KINDS

_BY_NAME = {kind.name: (kind.resource.api_version, kind.resource.kind) for kind in KINDS}
_CONDITIONS = ("namespaces", "names", "label_selectors")
_QUALIFIED = re.compile(r"([A-Z][A-Za-z0-9]*)/((?:[a-z0-9-]+(?:\.[a-z0-9-]+)*/)?v[0-9][a-z0-9]*)")


class InvalidKindName(Failure):
    """What was given for a kind names none."""

    code = "invalid_kind_name"
    default_hint = (
        "Name a kind of Istio by its module (virtual_service), "
        "any other by kind and apiVersion (HTTPRoute/gateway.networking.k8s.io/v1)"
    )


class BlankEntry(Failure):
    """An entry of a list of conditions says nothing, and would stand for everything."""

    code = "blank_entry"


@dataclass(frozen=True)
class Query:
    """Which objects are asked for. Kinds are pairs of apiVersion and kind; nothing named means all of it."""

    kinds: tuple[tuple[str, str], ...] = ()
    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    labels: str = ""
    managed_fields: bool = False


@dataclass(frozen=True)
class _Place:
    """Where one LIST looks."""

    resource: Resource
    namespace: str | None

    @property
    def kind(self) -> tuple[str, str]:
        return self.resource.api_version, self.resource.kind


def query(params: Mapping[str, Any]) -> Query:
    """The request of the module. Raises InvalidKindName or BlankEntry."""
    for option in _CONDITIONS:
        _refuse_blank(option, params[option])
    return Query(
        kinds=_unique([_kind(name) for name in params["kinds"]]),
        namespaces=_unique(params["namespaces"]),
        names=_unique(params["names"]),
        labels=",".join(params["label_selectors"]),
        managed_fields=params["managed_fields"],
    )


def run_query(run: Run, wanted: Query) -> Outcome:
    """What the cluster has of what is asked for, in the order of the kinds."""
    kinds = wanted.kinds or tuple(_BY_NAME.values())
    places = [place for kind in kinds for place in _places(run.client, kind, wanted.namespaces)]
    answers = list(each(lambda place: _list(run.client, place, wanted), places))
    served = {place.kind for place, answer in zip(places, answers, strict=True) if answer is not None}
    missing = [kind for kind in kinds if kind not in served]
    objects = [_plain(found, wanted.managed_fields) for answer in answers for found in answer or ()]
    # Of all kinds of Istio, an older one lacks some; that is news only to somebody who asked for them.
    warnings = [_warning(run.client, missing)] if missing and (wanted.kinds or not served) else []
    return Outcome(extra={"objects": objects}, warnings=warnings)


def _refuse_blank(option: str, entries: Sequence[str]) -> None:
    """Raise BlankEntry: to the server it is no condition, and the answer would be everything."""
    for number, entry in enumerate(entries):
        if not entry.strip():
            raise BlankEntry(
                f"{option}[{number}] is empty",
                subject=f"{option}[{number}]",
                reason="an empty entry would stand for everything",
                hint=f"Say there what is meant, or take the entry out; without '{option}' everything is read. "
                "Where a template gives the entry, look at its variable",
            )


def _unique(values: Sequence[Any]) -> tuple[Any, ...]:
    """What is named twice is read once."""
    return tuple(dict.fromkeys(values))


def _kind(name: str) -> tuple[str, str]:
    if name in _BY_NAME:
        return _BY_NAME[name]
    match = _QUALIFIED.fullmatch(name)
    if match is None:
        raise InvalidKindName(f"There is no kind '{name}'{did_you_mean(name, _BY_NAME)}", subject=name)
    return match[2], match[1]


def _places(client: Client, kind: tuple[str, str], namespaces: Sequence[str]) -> list[_Place]:
    """One LIST of the whole cluster, or one for each namespace."""
    try:
        resource = client.resource(*kind)
    except UnknownKind:
        return []
    within: Sequence[str | None] = namespaces if resource.namespaced else ()
    return [_Place(resource, namespace) for namespace in within or (None,)]


def _list(client: Client, place: _Place, wanted: Query) -> list[Object] | None:
    """The objects; None when the server does not serve the kind."""
    fields = f"metadata.name={wanted.names[0]}" if len(wanted.names) == 1 else ""
    try:
        found = list(client.list_objects(place.resource, place.namespace, wanted.labels, fields))
    except UnknownKind:
        return None
    return [item for item in found if not wanted.names or item["metadata"]["name"] in wanted.names]


def _plain(found: Object, managed_fields: bool) -> Object:
    """The object as it is; of a Secret only hashes, and never who manages its fields, whose names may tell."""
    if found["kind"] == "Secret":
        return shown(found)
    if managed_fields:
        return found
    return {**found, "metadata": {key: value for key, value in found["metadata"].items() if key != "managedFields"}}


def _warning(client: Client, missing: Sequence[tuple[str, str]]) -> str:
    names = ", ".join(f"{kind} ({api_version})" for api_version, kind in missing)
    return f"{client.name} does not serve {names}: no CRD of theirs is installed, so the result has no such objects"
