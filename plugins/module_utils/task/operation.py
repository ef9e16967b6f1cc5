# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An OPERATION: what a module does, as a value that a module or an action plugin can run.

`prepare` is pure: it turns parameters into a request and raises for what can
never be right, before anything is asked of a cluster. `run` does the work.
"""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

try:
    import yaml
except ImportError:  # connect() says which library is missing
    pass

from ..istio.kinds import RESOURCES
from ..kube.client import Client, Object
from ..kube.connection import connect
from ..kube.errors import Bug, Failure, Interrupted
from ..kube.kubeconfig import ConnectionOptions
from ..reconcile.outcome import Outcome
from ..reconcile.planned import FACT, Planned, PlannedWorlds
from ..reconcile.run import Run
from .arguments import CONNECTION, ArgumentSpec, Options
from .environment import connection_options, connection_secrets

Request = TypeVar("Request")
Params = Mapping[str, Any]
_COLLECTED_AFTER = 50_000
# The controller hands the planned world to a module on another host through its environment.
PLANNED_VARIABLE = "SERVICE_MESH_ISTIO_PLANNED"


@dataclass(frozen=True)
class Operation(Generic[Request]):
    """One module's work: its options, its request, what it does with a cluster.

    `texts` are options that say what objects there shall be: of a number where text belongs no text is made, and null
    is not the same as nothing.
    """

    name: str
    options: ArgumentSpec
    prepare: Callable[[Params], Request]
    run: Callable[[Run, Request], Outcome]
    texts: Options = field(default_factory=dict)

    @property
    def spec(self) -> ArgumentSpec:
        """The options of the task: those of the operation, and the connection."""
        return CONNECTION + self.options


@dataclass(frozen=True)
class Surroundings:
    """What differs between a module and an action plugin."""

    check_mode: bool
    diff_mode: bool
    progress: Callable[[str], None]
    planned: PlannedWorlds


def perform(operation: Operation[Any], params: Params, surroundings: Surroundings) -> dict[str, Any]:
    """Run an operation and return the task's result. Raises Failure."""
    options = connection_options(params)
    try:
        with _seldom_collected():
            return _perform(operation, operation.prepare(params), options, surroundings)
    except Failure as error:
        error.hide(connection_secrets(params))
        raise
    except Exception as error:
        raise Bug.of(error) from None


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """What is read of a cluster lives as long as its task; to look for garbage in it all the time takes a third of it.

    Every 50,000 objects is seldom enough, and costs some megabytes.
    """
    before = gc.get_threshold()
    gc.set_threshold(_COLLECTED_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _perform(
    operation: Operation[Any], request: Any, options: ConnectionOptions, surroundings: Surroundings
) -> dict[str, Any]:
    client = Client(connect(options), RESOURCES)
    url = client.connection.url
    planned = surroundings.planned.of(url) if surroundings.check_mode else Planned()
    run = Run(client, surroundings.check_mode, _guard(_parent()), surroundings.progress, planned)
    outcome = operation.run(run, request)
    result = _result(client, outcome, surroundings.diff_mode)
    if run.planned is not planned:
        result["ansible_facts"] = {FACT: surroundings.planned.with_world(url, run.planned).as_fact()}
    return result


def _result(client: Client, outcome: Outcome, diff_mode: bool) -> dict[str, Any]:
    return {
        "changed": outcome.changed,
        "plan": outcome.plan(),
        "summary": outcome.summary(),
        **({"diff": [_as_text(entry) for entry in outcome.diff()]} if diff_mode else {}),
        "requests": dict(client.requests),
        "warnings": [*client.warnings, *outcome.warnings],
        **outcome.extra,
    }


def _as_text(entry: Mapping[str, Any]) -> dict[str, str]:
    """A diff of objects as people write them."""
    return {**entry, **{side: _yaml(entry[side]) for side in ("before", "after")}}


def _yaml(content: Object) -> str:
    return str(yaml.dump(content, Dumper=_dumper(), sort_keys=False, allow_unicode=True)) if content else ""


@functools.cache
def _dumper() -> Any:
    """PyYAML's emitter in C where there is one: a plan of thousands of changes would wait for the other one.

    What stands in two places of an object is written twice, as people write it.
    """
    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return type("Dumper", (base,), {"ignore_aliases": lambda _self, _data: True})


def _parent() -> int:
    """The process that started this one: a worker knows it from its fork, a module has to look."""
    parent = multiprocessing.parent_process()
    return parent.pid or os.getppid() if parent else os.getppid()


def _guard(parent: int) -> Callable[[], None]:
    """A check that the process which started us still lives: a worker outlives a killed playbook."""

    def before_write() -> None:
        if os.getppid() != parent:
            raise Interrupted("The playbook behind this task has gone", reason="its process does not exist any more")

    return before_write
