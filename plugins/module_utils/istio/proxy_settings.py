# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of a sidecar that a Pod keeps until it is made again: what it has, against what a new one would get.

They come from annotations of the Pod template, and from the values of the control plane where there are none.
Source: the sidecar template of Istio's charts of 1.28 to 1.31 (files/injection-template.yaml), and Kubernetes'
LimitRanger, which gives a container that names no amount the default of its namespace.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import InvalidOperation
from typing import Any

from ..kube.client import Object
from .injector_config import InjectorConfig
from .pods import STATUS, proxy_of
from .quantities import quantity
from .selectors import Labels
from .webhooks import annotations_of
from .world import mapping, mappings

Amounts = Mapping[str, Mapping[str, Any]]

# Amounts by the annotations that set them. One of these makes istiod forget all amounts of the control plane.
_AMOUNTS = {
    "sidecar.istio.io/proxyCPU": ("requests", "cpu"),
    "sidecar.istio.io/proxyMemory": ("requests", "memory"),
    "sidecar.istio.io/proxyCPULimit": ("limits", "cpu"),
    "sidecar.istio.io/proxyMemoryLimit": ("limits", "memory"),
}
# Log levels by the argument of the proxy: the annotation, and the value of the control plane below `global`.
_ARGUMENTS = {
    "--proxyLogLevel": ("sidecar.istio.io/logLevel", ("proxy", "logLevel")),
    "--proxyComponentLogLevel": ("sidecar.istio.io/componentLogLevel", ("proxy", "componentLogLevel")),
    "--log_output_level": ("sidecar.istio.io/agentLogLevel", ("logging", "level")),
}
_SETTINGS = (
    "sidecar.istio.io/",
    "traffic.sidecar.istio.io/",
    "proxy.istio.io/",
    "inject.istio.io/",
    "readiness.status.sidecar.istio.io/",
    "status.sidecar.istio.io/",
)
_WRITTEN = (STATUS, "proxy.istio.io/overrides")  # by an injector, whatever the template says
# Where node agents do what this container does elsewhere, istiod tells them by annotations of the Pod.
_WITHOUT_AGENT = "istio-init"
_WORDS = {"requests": "request", "limits": "limit"}


@dataclass(frozen=True)
class Wish:
    """What a new proxy of a Pod would be made from."""

    annotations: Labels = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)  # what the template itself says of the container
    values: Mapping[str, Any] = field(default_factory=dict)
    added: Collection[str] = ()  # annotations that istiod is told to add to every Pod
    limit_ranges: Sequence[Object] = ()


def wish_of(template: Mapping[str, Any], config: InjectorConfig, limit_ranges: Sequence[Object]) -> Wish:
    own = proxy_of({"spec": mapping(template.get("spec"))}) or {}
    return Wish(annotations_of({"metadata": {}, **template}), own, config.values, config.annotations, limit_ranges)


def setting_differences(pod: Object, wish: Wish) -> Iterator[str]:
    """Each setting of a Pod's proxy that a new one would not have, as the rest of a sentence about the proxy.

    Of a proxy that the template describes itself only the annotations are compared: the template changes, or nothing.
    """
    proxy = proxy_of(pod)
    if proxy and not wish.own and wish.values:
        yield from _amount_differences(_effective(proxy), _desired(wish))
        yield from _argument_differences(proxy, wish)
    yield from _annotation_differences(pod, wish)


def resources_of(pod: Object) -> dict[str, dict[str, Any]]:
    """What the proxy of a Pod really asks for and may have."""
    return {part: dict(amounts) for part, amounts in _effective(proxy_of(pod) or {}).items() if amounts}


def _effective(proxy: Mapping[str, Any]) -> Amounts:
    resources = mapping(proxy.get("resources"))
    return {part: mapping(resources.get(part)) for part in _WORDS}


def _desired(wish: Wish) -> Amounts:
    """What a new proxy would ask for, with what the API server adds to it."""
    given: dict[str, dict[str, Any]] = {part: {} for part in _WORDS}
    annotated = {name: place for name, place in _AMOUNTS.items() if name in wish.annotations}
    for name, (part, resource) in annotated.items():
        given[part][resource] = wish.annotations[name]
    if not annotated:
        stated = mapping(mapping(mapping(wish.values.get("global")).get("proxy")).get("resources"))
        given = {part: _without_nothing(mapping(stated.get(part))) for part in _WORDS}
    return _with_defaults(given, wish.limit_ranges)


def _without_nothing(amounts: Mapping[str, Any]) -> dict[str, Any]:
    return {resource: amount for resource, amount in amounts.items() if amount is not None}


def _with_defaults(given: Mapping[str, dict[str, Any]], limit_ranges: Sequence[Object]) -> Amounts:
    """A limit alone is also the request; then come the defaults of the namespace."""
    requests, limits = {**given["limits"], **given["requests"]}, dict(given["limits"])
    for limit in (one for found in limit_ranges for one in mappings(found["spec"].get("limits"))):
        if limit.get("type") == "Container":
            requests = {**mapping(limit.get("defaultRequest")), **requests}
            limits = {**mapping(limit.get("default")), **limits}
    return {"requests": requests, "limits": limits}


def _amount_differences(has: Amounts, wanted: Amounts) -> Iterator[str]:
    for part, word in _WORDS.items():
        for resource in sorted({*has[part], *wanted[part]}):
            now, then = has[part].get(resource), wanted[part].get(resource)
            if not _is_same(now, then):
                yield f"has the {resource} {word} {_shown(now)}, and would have {_shown(then)}"


def _is_same(one: object, other: object) -> bool:
    if one is None or other is None:
        return one is other
    try:
        return quantity(one) == quantity(other)
    except InvalidOperation:  # an annotation that is no quantity: istiod will refuse it
        return str(one) == str(other)


def _argument_differences(proxy: Mapping[str, Any], wish: Wish) -> Iterator[str]:
    arguments = dict(str(word).partition("=")[::2] for word in proxy.get("args") or [] if "=" in str(word))
    stated = mapping(wish.values.get("global"))
    for name, (annotation, (part, key)) in _ARGUMENTS.items():
        wanted = wish.annotations.get(annotation, mapping(stated.get(part)).get(key))
        if name in arguments and wanted is not None and arguments[name] != str(wanted):
            yield f"has {name}={arguments[name]}, and would have {wanted}"


def _annotation_differences(pod: Object, wish: Wish) -> Iterator[str]:
    has, wanted, there = annotations_of(pod), wish.annotations, pod["spec"].get("initContainers") or []
    agents = all(container["name"] != _WITHOUT_AGENT for container in there)
    for name in sorted({*has, *wanted}):
        written_by_istiod = name in _WRITTEN or (name not in wanted and (agents or name in wish.added))
        if name.startswith(_SETTINGS) and not written_by_istiod and has.get(name) != wanted.get(name):
            yield f"has {name}={_shown(has.get(name))}, and would have {_shown(wanted.get(name))}"


def _shown(value: object) -> str:
    return "none" if value is None else str(value)
