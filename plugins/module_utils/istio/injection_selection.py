# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many namespaces at once: by a label selector, or a share of them that a name always belongs to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from ..kube.client import Client
from ..kube.resources import NAMESPACE
from ..reconcile.objects import is_ending
from .injection import InjectionError, NamespaceInjection
from .shares import share_of


@dataclass(frozen=True)
class Selection:
    """Namespaces by labels, or a percentage of them, and what they shall have."""

    wish: NamespaceInjection
    selector: str = ""
    percentage: int = 100

    def __str__(self) -> str:
        return f"{self.percentage} % of {self.selector or 'all namespaces'}"


def selected(
    client: Client, selections: Sequence[Selection], named: Iterable[NamespaceInjection], protected: Collection[str]
) -> list[NamespaceInjection]:
    """What the selections mean today. A namespace that is named for itself is none of theirs.

    Nor are protected namespaces, and those that are about to go. Raises InjectionError for one that two of them want
    to be different.
    """
    taken = {wanted.name for wanted in named} | set(protected)
    chosen: dict[str, Selection] = {}
    for selection in selections:
        for name in _matching(client, selection):
            if name not in taken:
                _refuse_two(name, chosen.setdefault(name, selection), selection)
    return [selection.wish.of(name) for name, selection in sorted(chosen.items())]


def _matching(client: Client, selection: Selection) -> list[str]:
    found = client.list_objects(NAMESPACE, labels=selection.selector)
    names = [one["metadata"]["name"] for one in found if not is_ending(one)]
    return [name for name in names if share_of(name) < selection.percentage]


def _refuse_two(name: str, one: Selection, other: Selection) -> None:
    if one.wish != other.wish:
        raise InjectionError(
            f"Two selections want the namespace '{name}' to be different",
            subject=f"Namespace {name}",
            reason=f"'{one}' says {one.wish.asked}, '{other}' says {other.wish.asked}",
            hint="Make the selectors exclude each other, or name the namespace in 'namespaces', which wins",
        )
