# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running an OPERATION inside the controller's worker.

Nothing of the task's arguments ever gets into the result: `no_log` masks
nothing in what an action plugin returns.
"""

from __future__ import annotations

import datetime
import gc
import math
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..istio.yaml_text import shown
from ..kube.errors import Failure
from ..kube.yaml_loader import DEEPEST
from .arguments import ArgumentSpec
from .mistakes import mistakes
from .operation import Operation, Surroundings, perform
from .texts import HINT, no_texts

_SHOWN = 10
_DEEP = "they are nested deeper than anything that is meant, which has at most"


class InvalidArguments(Failure):
    """The task's options are not right."""

    code = "invalid_arguments"


def run_in_worker(
    operation: Operation[Any], params: Mapping[str, Any], surroundings: Surroundings, environment: Mapping[str, str]
) -> dict[str, Any]:
    """The result of a task whose options are right. Raises Failure."""
    gc.freeze()  # what the controller has loaded lives as long as its worker: searching it for garbage only takes time
    with _environment(environment):
        return perform(operation, params, surroundings)


def failed(error: Failure) -> dict[str, Any]:
    """The result of a task that failed."""
    return {"failed": True, "changed": error.changed, "msg": str(error), "failure": error.as_dict(), **error.extra}


def validated(operation: Operation[Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """The parameters, checked by the same code as a module's. Raises InvalidArguments."""
    spec = operation.spec
    changed = sorted(no_texts(operation.texts, arguments))  # the validator would make texts of them, or overlook them
    params, complaints = _judged(spec, arguments)
    if complaints or changed:
        wrong = [*mistakes(spec.options, spec.rules, arguments), *(one.sentence for one in changed)]
        raise InvalidArguments(
            f"The options of {operation.name} are not right",
            subject=operation.name,
            reason="; ".join(wrong or complaints),
            hint=". ".join(dict.fromkeys(one.hint for one in changed))
            or f"'ansible-doc service_mesh.istio.{operation.name}' lists the options",
        )
    return params


def _judged(spec: ArgumentSpec, arguments: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Ansible's own judgement: the parameters, and what it has against them."""
    try:
        result = ArgumentSpecValidator(dict(spec.options), **spec.rules).validate(arguments)
    except TypeError as error:  # it stumbles over a number in place of a mapping
        return {}, [str(error)]
    return dict(result.validated_parameters), result.error_messages


class Arguments(dict[str, Any]):
    """What a task was given, for its own worker.

    A worker sends its task's fields back with the result, value by tagged value, for callbacks to show. Of a thousand
    objects that takes half a second, and what a task was given may be secret: so the controller gets none of it.
    """

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[()]]:
        return dict, ()


_PLAIN = frozenset({str, int, bool, type(None)})
_PLAIN_KEYS = frozenset({str})


# What only the server sets: whatever a manifest says there is left out.
_DROPPED = re.compile(r"\.metadata\.(creationTimestamp|deletionTimestamp|managedFields\[\d+\]\.time)$")


class _Changed(Exception):
    """A value that would become another one on its way."""


def plain(value: Any) -> Any:
    """A task's argument without Ansible's tags: subclasses with a pickle, a comparison and a text of their own.

    Raises InvalidArguments for what would become something else, all of it with its place.
    """
    try:
        return _plain(value)
    except RecursionError:
        raise InvalidArguments("The task's options are not right", reason=f"{_DEEP} {DEEPEST} levels") from None
    except _Changed:
        found = list(_changed(value))
    if all(_DROPPED.search(place) for place, _why in found):
        return _plain(_without_timestamps(value))
    raise InvalidArguments(
        "The task's options are not right",
        reason="; ".join(f"'{place.removeprefix('.')}' {why}" for place, why in found[:_SHOWN]),
        hint=HINT,
    )


def _plain(value: Any) -> Any:
    if type(value) in _PLAIN:  # most are, and to ask this first takes half the time
        return value
    if isinstance(value, Mapping):
        return {key if type(key) in _PLAIN_KEYS else _key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_plain(item) for item in value]
    if _why_changed(value):
        raise _Changed
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return _text(value)


def _why_changed(value: Any) -> str:
    """A timestamp would be written as Python prints it; a date is printed as it was written."""
    if isinstance(value, datetime.datetime):
        return "must be text, but YAML reads it as a timestamp"
    if isinstance(value, float) and not math.isfinite(value):
        return "is infinite or not a number, which JSON cannot hold"
    return ""


def _changed(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _changed(item, f"{place}.{key}")
    elif isinstance(value, (list, tuple, set)):
        for number, item in enumerate(value):
            yield from _changed(item, f"{place}[{number}]")
    elif why := _why_changed(value):
        yield place, why


def _without_timestamps(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_timestamps(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_without_timestamps(item) for item in value]
    return "" if isinstance(value, datetime.datetime) else value


def _key(key: object) -> str:
    """A key as JSON has it. Of an unquoted `on` YAML makes True, and nobody has meant 'True'."""
    if key is None or isinstance(key, (bool, float, datetime.datetime)):
        what = "a timestamp" if isinstance(key, datetime.datetime) else shown(key)
        raise InvalidArguments(
            "The task's options are not right",
            reason=f"a key must be text, but YAML reads it as {what}",
            hint=HINT,
        )
    return _text(key)


def _text(value: object) -> str:
    """Exactly a str: even what str() makes of a vaulted value is a tagged one."""
    return str.__str__(value if isinstance(value, str) else str(value))


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The task's `environment:`, which a worker does not get by itself."""
    before = dict(os.environ)
    os.environ.update({str(name): str(value) for name, value in variables.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
