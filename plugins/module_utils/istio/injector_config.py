# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an istiod is told about injection: its ConfigMap `istio-sidecar-injector`, one for each revision.

Source: istio-discovery, istiod-injector-configmap.yaml; pkg/kube/inject, Config.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

try:
    import yaml

    _Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
except ImportError:  # connect() says which library is missing
    pass

from ..kube.client import Object
from .revisions import named
from .webhooks import DEFAULT_REVISION
from .world import mapping, mappings

POLICY_ENABLED, POLICY_DISABLED = "enabled", "disabled"
_NAME = "istio-sidecar-injector"
Selector = Mapping[str, Any]


@dataclass(frozen=True)
class InjectorConfig:
    """What decides in istiod after a webhook has asked it, and the values of the charts that the proxy is made from.

    `doubt` says why these are Istio's defaults instead of what istiod has been told, where that could not be read.
    """

    policy: str = POLICY_ENABLED
    never: tuple[Selector, ...] = ()
    always: tuple[Selector, ...] = ()
    annotations: tuple[str, ...] = ()  # names of those that it adds to every Pod that it injects
    values: Mapping[str, Any] = field(default_factory=dict)
    doubt: str = ""


def name_of(revision: str) -> str:
    """The name of the ConfigMap of a revision, as labels call it."""
    return named(_NAME, "" if revision == DEFAULT_REVISION else revision)


def injector_config(found: Object) -> InjectorConfig:
    """What stands in the ConfigMap; somebody may have broken it."""
    try:
        config = yaml.load((found.get("data") or {}).get("config") or "", _Loader)
    except yaml.YAMLError as error:
        return InjectorConfig(doubt=_doubt(found, f"cannot be understood ({' '.join(str(error).split())})"))
    if not isinstance(config, Mapping):
        return InjectorConfig(doubt=_doubt(found, "has no configuration in it"))
    return InjectorConfig(
        policy=str(config.get("policy") or ""),
        never=tuple(mappings(config.get("neverInjectSelector"))),
        always=tuple(mappings(config.get("alwaysInjectSelector"))),
        annotations=tuple(mapping(config.get("injectedAnnotations"))),
        values=chart_values(found),
    )


def _doubt(found: Object, why: str) -> str:
    return f"the ConfigMap {found['metadata']['namespace']}/{found['metadata']['name']} {why}"


def chart_values(found: Object) -> Mapping[str, Any]:
    """The values of the charts, as far as istiod needs them to make a proxy."""
    try:
        return mapping(json.loads((found.get("data") or {}).get("values") or "{}"))
    except ValueError:
        return {}


def chart_globals(found: Object) -> Mapping[str, Any]:
    return mapping(chart_values(found).get("global"))
