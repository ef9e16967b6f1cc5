# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The injection webhooks that would meet on one Pod, decided from their selectors for all labels there can be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from ..kube.client import Object
from .injector import NEVER
from .selectors import Labels, matches

_OTHER = "another-value"


def injectors(webhooks: Iterable[Object], namespace: Labels, pod: Labels) -> list[str]:
    """The webhooks (configuration/webhook) that a Pod with these labels, in a namespace with those, would go to."""
    return [
        f"{configuration['metadata']['name']}/{hook['name']}"
        for configuration in webhooks
        for hook in configuration.get("webhooks") or []
        if matches(hook.get("namespaceSelector"), namespace) and matches(hook.get("objectSelector"), pod)
    ]


@dataclass(frozen=True)
class Collision:
    """Labels with which a Pod would go to several webhooks, and be injected by each of them."""

    namespace: Labels
    pod: Labels
    webhooks: tuple[str, ...]


def collisions(webhooks: Sequence[Object]) -> Iterator[Collision]:
    """Every way in which labels make two webhooks match, tried with all labels that the selectors speak of.

    Webhooks that have been put out of action do not count: the label that they wait for is nobody's.
    """
    webhooks = [_in_action(configuration) for configuration in webhooks]
    for namespace in _combinations(webhooks, "namespaceSelector"):
        for pod in _combinations(webhooks, "objectSelector"):
            found = injectors(webhooks, namespace, pod)
            if len(found) > 1:
                yield Collision(namespace, pod, tuple(found))


def _in_action(configuration: Object) -> Object:
    hooks = [hook for hook in configuration.get("webhooks") or [] if hook.get("namespaceSelector") != NEVER]
    return {**configuration, "webhooks": hooks}


def _combinations(webhooks: Iterable[Object], part: str) -> list[Labels]:
    """Every label that is spoken of in a part of the selectors: absent, with each value, with another value."""
    values: dict[str, set[str]] = {}
    for hook in (hook for configuration in webhooks for hook in configuration.get("webhooks") or []):
        selector = hook.get(part) or {}
        for key, value in (selector.get("matchLabels") or {}).items():
            values.setdefault(key, set()).add(value)
        for requirement in selector.get("matchExpressions") or []:
            values.setdefault(requirement["key"], set()).update(requirement.get("values") or ())
    choices = [[(key, value) for value in (None, _OTHER, *sorted(values[key]))] for key in sorted(values)]
    return [{key: value for key, value in chosen if value is not None} for chosen in product(*choices)]
