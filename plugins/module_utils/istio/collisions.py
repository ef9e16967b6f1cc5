# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The injection webhooks that would meet on one Pod, decided from their selectors for all labels there can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from ..kube.client import Object
from .injector import NEVER, Selector
from .selectors import Labels
from .webhooks import hooks_of

_OTHER = "another-value"


@dataclass(frozen=True)
class Collision:
    """Labels with which a Pod would go to several webhooks, and be injected by each of them."""

    namespace: Labels
    pod: Labels
    webhooks: tuple[str, ...]


def collisions(webhooks: Iterable[Object]) -> Iterator[Collision]:
    """Every way in which labels make two webhooks match, tried with all labels that the selectors speak of.

    Webhooks that have been put out of action do not count: the label that they wait for is nobody's.
    """
    hooks = [hook for hook in hooks_of(webhooks) if hook.namespaces != NEVER]
    for namespace in _combinations(hook.namespaces for hook in hooks):
        for pod in _combinations(hook.pods for hook in hooks):
            found = [str(hook) for hook in hooks if hook.selects(namespace, pod)]
            if len(found) > 1:
                yield Collision(namespace, pod, tuple(found))


def _combinations(selectors: Iterable[Selector]) -> list[Labels]:
    """Every label that is spoken of in selectors: absent, with each value, with another value."""
    values: dict[str, set[str]] = {}
    for selector in selectors:
        for key, value in (selector.get("matchLabels") or {}).items():
            values.setdefault(key, set()).add(value)
        for requirement in selector.get("matchExpressions") or []:
            values.setdefault(requirement["key"], set()).update(requirement.get("values") or ())
    choices = [[(key, value) for value in (None, _OTHER, *sorted(values[key]))] for key in sorted(values)]
    return [{key: value for key, value in chosen if value is not None} for chosen in product(*choices)]
