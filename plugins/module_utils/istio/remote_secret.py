# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Secret by which an istiod reads another cluster: a kubeconfig with one token.

Source: istioctl/pkg/multicluster/remote_secret.go for its name, label and content, pkg/kube/multicluster for what
istiod takes of it. Claims of a token: Kubernetes, "Managing Service Accounts", bound service account tokens.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

try:
    import yaml
except ImportError:  # connect() says which library is missing
    pass

from ..kube.client import Object
from ..kube.resources import SECRET
from ..reconcile.objects import Key
from .world import mapping

LABEL, VALUE = "istio/multiCluster", "true"
SELECTOR = f"{LABEL}={VALUE}"
CLUSTER_ANNOTATION = "networking.istio.io/cluster"
_PREFIX = "istio-remote-secret-"


@dataclass(frozen=True)
class Address:
    """Where a cluster is reached, and how its certificate is verified."""

    server: str
    authority: str
    tls_server_name: str = ""


@dataclass(frozen=True)
class Token:
    """What a service account's token says of itself."""

    text: str = field(repr=False)
    claims: Mapping[str, Any] = field(repr=False, default_factory=dict)

    @classmethod
    def of(cls, text: str) -> Token | None:
        """None for a text that is no such token."""
        part = (text.split(".") + ["", ""])[1]
        try:
            claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        except ValueError:
            return None
        return cls(text, claims) if isinstance(claims, dict) else None

    @property
    def begins(self) -> datetime:
        return _moment(self.claims.get("iat"))

    @property
    def ends(self) -> datetime | None:
        """None for one that never ends, as old tools make them."""
        return _moment(self.claims["exp"]) if "exp" in self.claims else None

    def bound_to(self, what: str) -> tuple[str, str]:
        """Name and uid of the account or the Secret with which it ends."""
        bound = mapping(mapping(self.claims.get("kubernetes.io")).get(what))
        return str(bound.get("name") or ""), str(bound.get("uid") or "")


def _moment(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds or 0), timezone.utc)


def name_of(cluster: str) -> str:
    return f"{_PREFIX}{cluster}"


def key_of(cluster: str, namespace: str) -> Key:
    return Key(SECRET.api_version, SECRET.kind, namespace, name_of(cluster))


def remote_secret(cluster: str, namespace: str, address: Address, token: str) -> Object:
    text = yaml.safe_dump(kubeconfig(cluster, address, token), sort_keys=False)
    metadata = {
        "name": name_of(cluster),
        "namespace": namespace,
        "labels": {LABEL: VALUE},
        "annotations": {CLUSTER_ANNOTATION: cluster},
    }
    data = {cluster: base64.b64encode(text.encode()).decode()}
    return {"apiVersion": SECRET.api_version, "kind": SECRET.kind, "metadata": metadata, "data": data}


def kubeconfig(cluster: str, address: Address, token: str) -> dict[str, Any]:
    """One cluster, one context, one user, all of the same name."""
    authority = base64.b64encode(address.authority.encode()).decode()
    server = {"server": address.server, "certificate-authority-data": authority}
    named = {"tls-server-name": address.tls_server_name} if address.tls_server_name else {}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": cluster, "cluster": {**server, **named}}],
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "current-context": cluster,
        "users": [{"name": cluster, "user": {"token": token}}],
    }


def clusters_in(secret: Object) -> list[str]:
    """The names of the clusters that a Secret gives access to."""
    return sorted(secret.get("data") or {})


def access_in(secret: Object, cluster: str) -> tuple[str, Token | None]:
    """The address and the token that a Secret holds for a cluster; empty where they cannot be read."""
    try:
        content = mapping(yaml.safe_load(base64.b64decode(mapping(secret.get("data")).get(cluster) or "")))
        server = str(content["clusters"][0]["cluster"].get("server") or "")
        return server, Token.of(str(content["users"][0]["user"].get("token") or ""))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return "", None
