# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm's records of what it has installed: Secrets that hold the release, found by Helm through a label.

Source: Helm 3 and 4 (pkg/storage/driver: the labels `owner` and `name`, the type, gzip in base64).
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

try:
    import yaml

    _Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
except ImportError:  # connect() says which library is missing
    pass

from ..kube.client import Client, Object
from ..kube.resources import SECRET
from ..reconcile.objects import Desired, Key, label_paths
from .webhooks import annotations_of, labels_of

_TYPE = "helm.sh/release.v1"
_OWNER = "owner"
_RETIRED = {"service-mesh-istio/retired": "helm"}


@dataclass(frozen=True)
class HelmRelease:
    """One version of a release, and what it says that it has installed."""

    name: str
    namespace: str
    secret: str
    objects: tuple[Key, ...]

    @property
    def key(self) -> Key:
        return Key(SECRET.api_version, SECRET.kind, self.namespace, self.secret)

    def told(self) -> dict[str, str]:
        return {
            "name": self.name,
            "namespace": self.namespace,
            "secret": self.secret,
            "put_back": f"kubectl label secret {self.secret} -n {self.namespace} owner=helm",
        }


def releases_of(client: Client, objects: Iterable[Object]) -> list[HelmRelease]:
    """The releases that objects say they are of, every version that Helm keeps."""
    names = dict.fromkeys(_release_of(found) for found in objects)
    return [release for namespace, name in names if name for release in _versions(client, namespace, name)]


def retired_release(release: HelmRelease) -> Desired:
    """The Secret as Helm does not find it any more. All else of it stays, so that it can be put back."""
    place = {"name": release.secret, "namespace": release.namespace, "labels": dict(_RETIRED)}
    content = {"apiVersion": SECRET.api_version, "kind": SECRET.kind, "metadata": place}
    return Desired(content, f"Helm release {release.name}", drops=label_paths(_OWNER))


def _release_of(found: Object) -> tuple[str, str]:
    said = annotations_of(found)
    return said.get("meta.helm.sh/release-namespace", ""), said.get("meta.helm.sh/release-name", "")


def _versions(client: Client, namespace: str, name: str) -> Iterator[HelmRelease]:
    for found in client.list_objects(SECRET, namespace, labels=f"name={name}"):
        if found.get("type") != _TYPE:
            continue
        newest = labels_of(found).get("status") != "superseded"
        objects = tuple(objects_of(decoded(found), namespace)) if newest else ()
        yield HelmRelease(name, namespace, found["metadata"]["name"], objects)


def decoded(secret: Object) -> dict[str, Any]:
    """The release. One that cannot be read has objects that nobody knows, and that is no reason to keep it."""
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        text = gzip.decompress(packed) if packed.startswith(b"\x1f\x8b") else packed
        release: dict[str, Any] = json.loads(text)
    except (KeyError, ValueError, OSError):
        return {}
    return release


def objects_of(release: dict[str, Any], namespace: str) -> Iterator[Key]:
    """What a release has installed; an object without a namespace of its own is where the release is."""
    for content in yaml.load_all(str(release.get("manifest") or ""), Loader=_Loader):
        if isinstance(content, dict) and content.get("metadata"):
            metadata = {"namespace": namespace, **content["metadata"]}
            yield Key.of({**content, "metadata": metadata})
