# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waves of a rollout: which workload belongs to which.

Namespaces by name or label, and workloads by name, are claims, of which no two may be for the same workload. A share
by percentage, and a wave that says nothing, which is for the rest, take what nobody has claimed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..kube.errors import Failure
from ..kube.text import did_you_mean
from .rollout_gates import Gate
from .shares import checked_percentage, share_of

_SHOWN = 10


class RolloutError(Failure):
    """What is asked for cannot be rolled out so."""

    code = "rollout"


@dataclass(frozen=True, order=True)
class Place:
    """Which workload."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class Wave:
    """Workloads that restart together, and what has to hold before it begins; one of the first four says which."""

    name: str
    namespaces: tuple[str, ...] | None = None
    selector: str = ""
    percentage: int | None = None
    workloads: tuple[Place, ...] | None = None
    gates: tuple[Gate, ...] = ()
    pause: float | None = None
    max_parallel: int | None = None

    @property
    def claims(self) -> bool:
        return self.namespaces is not None or bool(self.selector) or self.workloads is not None


ALL = Wave("all")


def checked_waves(waves: Sequence[Wave]) -> tuple[Wave, ...]:
    """The same, if they can ever be right. Raises RolloutError."""
    names = [wave.name for wave in waves]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise _wrong(f"Two waves are named '{twice[0]}'", "waves", "messages and approvals name a wave", "Rename one")
    for wave in waves:
        if wave.percentage is not None:
            checked_percentage(wave.percentage, RolloutError, least=1, where=f" (wave '{wave.name}')")
    _refuse_shared(waves, {})
    return tuple(waves) or (ALL,)


def _wrong(what: str, subject: str, reason: str, hint: str) -> RolloutError:
    return RolloutError(what, subject=subject, reason=reason, hint=hint)


@dataclass(frozen=True)
class Claims:
    """Waves with what they claim; `matching` are the namespaces that a selector has found."""

    waves: tuple[Wave, ...]
    matching: Mapping[str, Collection[str]]

    def __post_init__(self) -> None:
        _refuse_shared(self.waves, self.matching)

    def wave_of(self, place: Place) -> int | None:
        """The number of a workload's wave, or None when it is in none."""
        named = [wave.workloads is not None and place in wave.workloads for wave in self.waves]
        return named.index(True) if True in named else self.wave_of_namespace(place.namespace)

    def wave_of_namespace(self, namespace: str) -> int | None:
        claimed = [namespace in _claimed(wave, self.matching) for wave in self.waves]
        if True in claimed:
            return claimed.index(True)
        takes = (number for number, wave in enumerate(self.waves) if _takes(wave, namespace))
        return next(takes, None)

    def namespaces_of(self, number: int, names: Iterable[str]) -> list[str]:
        """Those of a wave: its own, and those of its workloads."""
        own = {place.namespace for place in self.waves[number].workloads or ()}
        return [name for name in names if name in own or self.wave_of_namespace(name) == number]


def _takes(wave: Wave, namespace: str) -> bool:
    return not wave.claims and (wave.percentage is None or share_of(namespace) < wave.percentage)


def _claimed(wave: Wave, matching: Mapping[str, Collection[str]]) -> set[str]:
    return {*(wave.namespaces or ()), *matching.get(wave.selector, ())}


def _refuse_shared(waves: Sequence[Wave], matching: Mapping[str, Collection[str]]) -> None:
    for number, wave in enumerate(waves):
        for other in waves[:number]:
            shared = next(_shared(other, wave, matching), None)
            if shared:
                raise _wrong(
                    f"Two waves claim {shared}",
                    "waves",
                    f"it is in '{other.name}' and in '{wave.name}'",
                    "Leave it in one of them",
                )


def _shared(one: Wave, other: Wave, matching: Mapping[str, Collection[str]]) -> Iterator[str]:
    spaces, others = _claimed(one, matching), _claimed(other, matching)
    yield from (f"the namespace {name}" for name in sorted(spaces & others))
    yield from map(str, sorted({*(one.workloads or ())} & {*(other.workloads or ())}))
    yield from (str(place) for place in one.workloads or () if place.namespace in others)
    yield from (str(place) for place in other.workloads or () if place.namespace in spaces)


@dataclass(frozen=True)
class Known:
    """What waves may name. Of namespaces that may not be read, nobody knows; a task may look at some only."""

    namespaces: Collection[str]
    workloads: Collection[Place]
    where: str
    unread: Collection[str] = ()
    is_limited: bool = False

    @property
    def lacks(self) -> str:
        """Beside its name."""
        return "is not among what this task looks at" if self.is_limited else "does not exist"


def require_known(waves: Iterable[Wave], known: Known) -> None:
    """Nothing is named that is not there. Raises RolloutError."""
    for wave in waves:
        for name in wave.namespaces or ():
            if name not in known.namespaces and name not in known.unread:
                raise unknown_namespace(name, known, f"wave '{wave.name}'")
        for place in wave.workloads or ():
            if place not in known.workloads and place.namespace not in known.unread:
                near = did_you_mean(str(place), map(str, known.workloads))
                reason = f"wave '{wave.name}' names it"
                hint = "Correct its kind, namespace or name; Deployments, StatefulSets and DaemonSets are restarted"
                raise _wrong(f"{place} {known.lacks} on {known.where}{near}", str(place), reason, hint)


def unknown_namespace(name: str, known: Known, who: str) -> RolloutError:
    near = did_you_mean(name, known.namespaces)
    what = f"The namespace '{name}' {known.lacks} on {known.where}{near}"
    hint = "Correct its name, or 'namespaces' and 'selector' of the task" if known.is_limited else "Correct its name"
    return _wrong(what, f"Namespace {name}", f"{who} names it", hint)
