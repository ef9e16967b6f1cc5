# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The images that a control plane needs, and those that its injector puts into Pods: what a mirror has to have.

Source: pkg/kube/inject (ProxyImage), which builds the name of the proxy's image from the injector's values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ..kube.client import Object
from ..kube.resources import CONFIG_MAP

_INJECTOR = "istio-sidecar-injector"
_BY_INJECTOR = "auto"  # the gateway chart leaves the image to the injector
_PROXY = "proxyv2"
_TYPES = ("debug", "distroless")


def images_of(objects: Iterable[Object]) -> list[str]:
    """Every image that some objects will have pulled, by their own containers or by injection."""
    found = {image for content in objects for image in (*_of_containers(content), *_of_injector(content))}
    return sorted(found - {_BY_INJECTOR, ""})


def _of_containers(content: Object) -> Iterator[str]:
    spec: Mapping[str, Any] = content.get("spec") or {}
    for step in ("jobTemplate", "spec", "template", "spec"):
        spec = spec.get(step) or spec if isinstance(spec.get(step), Mapping) else spec
    for container in (*(spec.get("initContainers") or []), *(spec.get("containers") or [])):
        yield str(container.get("image") or "")


def _of_injector(content: Object) -> Iterator[str]:
    if content["kind"] == CONFIG_MAP.kind and content["metadata"]["name"].startswith(_INJECTOR):
        values = json.loads((content.get("data") or {}).get("values") or "{}").get("global") or {}
        for part in ("proxy", "proxy_init"):
            yield _proxy_image(values, str((values.get(part) or {}).get("image") or _PROXY))


def _proxy_image(values: Mapping[str, Any], name: str) -> str:
    """A name with a path is an image as it stands; otherwise hub, name, tag and variant make one."""
    if "/" in name:
        return name
    tag, variant = str(values.get("tag") or ""), str(values.get("variant") or "")
    if variant:
        tag = next((tag.removesuffix(f"-{kind}") for kind in _TYPES if tag.endswith(f"-{kind}")), tag)
    return f"{values.get('hub')}/{name}:{tag}" + (f"-{variant}" if variant not in ("", "default") else "")
