# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Secret by which an istiod reads another cluster: a kubeconfig with one token.

An external istiod has one more, `istio-kubeconfig`: the cluster in which the mesh's configuration is. It is mounted, so
its token is a file of its own, which is read anew while istiod runs.

Source: istioctl/pkg/multicluster/remote_secret.go for their names, label and content, pkg/kube/multicluster for what
istiod takes of it; the chart istiod, deployment.yaml, for where the other one is mounted. Claims of a token:
Kubernetes, "Managing Service Accounts", bound service account tokens.
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
from .world import mapping

LABEL, VALUE = "istio/multiCluster", "true"
SELECTOR = f"{LABEL}={VALUE}"
CLUSTER_ANNOTATION = "networking.istio.io/cluster"
# A token is renewed when less than this part of its life is left.
RENEW_BELOW = 0.33
_PREFIX, INTERIM = "istio-remote-secret-", "-token-renewal"
CONFIG_SECRET = "istio-kubeconfig"
_CONFIG, _TOKEN = "config", "token"
_MOUNTED_TOKEN = f"/var/run/secrets/remote/{_TOKEN}"


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


def token_state(token: Token | None, now: datetime) -> str:
    """How a token stands by what it says of itself; whether its cluster still takes it only that one knows."""
    if token is None:
        return "unreadable"
    if token.ends is None:
        return "endless"
    if token.ends <= now:
        return "expired"
    return "due" if token.ends - now < (token.ends - token.begins) * RENEW_BELOW else "valid"


def _moment(seconds: Any) -> datetime:
    return datetime.fromtimestamp(int(seconds or 0), timezone.utc)


def name_of(cluster: str) -> str:
    return f"{_PREFIX}{cluster}"


def interim_of(cluster: str) -> str:
    """The name by which an istiod reads a cluster while it does not read it by its own; no cluster is called so."""
    return f"{cluster}{INTERIM}"


def remote_secret(cluster: str, namespace: str, address: Address, token: str) -> Object:
    return _remote_secret(cluster, cluster, namespace, address, token)


def interim_secret(cluster: str, namespace: str, address: Address, token: str) -> Object:
    """The same access by another name, for as long as the other Secret is not there."""
    return _remote_secret(interim_of(cluster), cluster, namespace, address, token)


def _remote_secret(name: str, cluster: str, namespace: str, address: Address, token: str) -> Object:
    content = kubeconfig(name, address, {"token": token})
    return _secret(name_of(name), namespace, cluster, {name: _text(content)}, labels={LABEL: VALUE})


def config_secret(cluster: str, namespace: str, address: Address, token: str) -> Object:
    """What an external istiod has its configuration from."""
    content = kubeconfig(cluster, address, {"tokenFile": _MOUNTED_TOKEN})
    return _secret(CONFIG_SECRET, namespace, cluster, {_CONFIG: _text(content), _TOKEN: token})


def _secret(name: str, namespace: str, cluster: str, data: Mapping[str, str], **more: Any) -> Object:
    metadata = {"name": name, "namespace": namespace, **more, "annotations": {CLUSTER_ANNOTATION: cluster}}
    coded = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    return {"apiVersion": SECRET.api_version, "kind": SECRET.kind, "metadata": metadata, "data": coded}


def _text(content: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(content), sort_keys=False))


def kubeconfig(cluster: str, address: Address, user: Mapping[str, str]) -> dict[str, Any]:
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
        "users": [{"name": cluster, "user": dict(user)}],
    }


def clusters_in(secret: Object) -> list[str]:
    """The names of the clusters that a Secret gives access to."""
    if secret["metadata"]["name"] == CONFIG_SECRET:
        named = mapping(secret["metadata"].get("annotations")).get(CLUSTER_ANNOTATION)
        return [str(named)] if named else []
    return sorted(secret.get("data") or {})


def access_in(secret: Object, cluster: str) -> tuple[str, Token | None]:
    """The address and the token that a Secret holds for a cluster; empty where they cannot be read."""
    is_config = secret["metadata"]["name"] == CONFIG_SECRET
    try:
        content = mapping(yaml.safe_load(_decoded(secret, _CONFIG if is_config else cluster)))
        server = str(content["clusters"][0]["cluster"].get("server") or "")
        token = _decoded(secret, _TOKEN) if is_config else content["users"][0]["user"].get("token")
        return server, Token.of(str(token or ""))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, yaml.YAMLError):
        return "", None


def _decoded(secret: Object, name: str) -> str:
    return base64.b64decode(mapping(secret.get("data")).get(name) or "").decode()
