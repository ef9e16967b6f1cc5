# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests in the form in which the API server stores them, so that what is wanted and what is there can be compared.

Of `stringData` the server keeps nothing but what it writes into `data`. To
server-side apply they are two fields all the same: whoever applies `stringData`
overwrites the values of others without a conflict, and leaves behind the keys
that it gives no more (tried on Kubernetes 1.34). So it is merged here, as the
server does.

What only the server sets stands in what people save with `kubectl get -o yaml`.
It says which object was saved, and nothing of what is wanted: sent back, it is
refused as soon as the object has changed or been made anew.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from ..kube.client import Object
from ..reconcile.objects import SERVER_FIELDS, mappings

STAMP = "creationTimestamp"
_PLAIN = "stringData"
_SET_BY_SERVER = frozenset((*SERVER_FIELDS, "deletionTimestamp", "deletionGracePeriodSeconds"))


def is_secret(content: Mapping[str, Any]) -> bool:
    """Whether an object is a Secret of Kubernetes."""
    return content.get("apiVersion") == "v1" and content.get("kind") == "Secret"


def as_stored(content: Object) -> Object:
    """An object without what only the server sets, and a Secret's `stringData` in its `data`."""
    if _has_stamp(content):  # hardly any has it
        content = _unstamped(content)
    metadata = {key: value for key, value in content["metadata"].items() if key not in _SET_BY_SERVER}
    content = {**content, "metadata": metadata}
    return _encoded(content) if is_secret(content) and _PLAIN in content else content


def _encoded(secret: Object) -> Object:
    """Source: https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/"""
    plain = {key: base64.b64encode(value.encode()).decode() for key, value in secret[_PLAIN].items()}
    kept = {key: value for key, value in secret.items() if key != _PLAIN}
    return {**kept, "data": {**secret.get("data", {}), **plain}}


def _has_stamp(content: Object) -> bool:
    return any(part.get(STAMP, "") is None for part in mappings(content))


def _unstamped(content: Any) -> Any:
    if isinstance(content, list):
        return [_unstamped(item) for item in content]
    if not isinstance(content, dict):
        return content
    return {key: _unstamped(value) for key, value in content.items() if not (key == STAMP and value is None)}
