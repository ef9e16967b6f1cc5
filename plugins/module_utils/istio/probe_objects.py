# Copyright: Contributors to the service_mesh.istio collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A probe: what answers in one cluster with the cluster's name, and asks the others through the mesh.

It needs no image of its own: the mesh's proxy is one already, so a second one beside the sidecar is server and client.
The client listens where `pilot-agent request` asks (it asks no other port), and the sidecar's administration moves
aside. What the client sends leaves its Pod as any application's request does: by the sidecar, the gateways and mTLS.
Source: Envoy's API v3; Istio's ProxyConfig.proxyAdminPort; pilot/cmd/pilot-agent/app/request.go.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ..kube.client import Object
from ..kube.resources import DEPLOYMENT, SERVICE
from ..reconcile.objects import Key
from .facts import INJECT_LABEL, REVISION_LABEL

ANSWER_PORT = 8080
CONTAINER = "probe"
SERVICE_PORT = 80
# What the container runs as: anybody but the sidecar, whose own requests are not captured.
_USER = 65532
_ASKED_PORT, _ADMIN_PORT = 15000, 15099
_SECONDS = 5
_PREFIX = "mesh-probe-"
# Of what went wrong with TLS, Envoy tells in statistics alone, which a sidecar does not keep unless it is told to.
_PROXY = {
    "proxyAdminPort": _ADMIN_PORT,
    "proxyStatsMatcher": {"inclusionRegexps": [rf"cluster\.outbound.*{_PREFIX}.*ssl.*"]},
}
_LABEL = "service-mesh-istio/probe"
_TYPES = "type.googleapis.com/envoy.extensions.filters"


@dataclass(frozen=True)
class Probe:
    """The probe of one cluster; all of a mesh have the same namespace."""

    cluster: str
    namespace: str
    revision: str = ""

    @property
    def name(self) -> str:
        return service_of(self.cluster)

    @property
    def labels(self) -> dict[str, str]:
        return {_LABEL: self.cluster}

    @property
    def selector(self) -> str:
        return f"{_LABEL}={self.cluster}"

    def keys(self) -> list[Key]:
        return [Key(kind.api_version, kind.kind, self.namespace, self.name) for kind in (DEPLOYMENT, SERVICE)]

    def objects(self, image: str) -> list[Object]:
        return [self._service(), self._deployment(image)]

    def pod(self, image: str) -> Object:
        """One Pod of it, to be asked what an injector would make of it."""
        template = self._template(image)
        return {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**template["metadata"], "name": self.name}}

    def _metadata(self) -> dict[str, Any]:
        return {"name": self.name, "namespace": self.namespace, "labels": self.labels}

    def _service(self) -> Object:
        port = {"name": "http", "port": SERVICE_PORT, "targetPort": ANSWER_PORT}
        spec = {"selector": self.labels, "ports": [port]}
        return {"apiVersion": SERVICE.api_version, "kind": SERVICE.kind, "metadata": self._metadata(), "spec": spec}

    def _deployment(self, image: str) -> Object:
        spec = {"replicas": 1, "selector": {"matchLabels": self.labels}, "template": self._template(image)}
        head = {"apiVersion": DEPLOYMENT.api_version, "kind": DEPLOYMENT.kind}
        return {**head, "metadata": self._metadata(), "spec": spec}

    def _template(self, image: str) -> dict[str, Any]:
        revision = {REVISION_LABEL: self.revision} if self.revision else {}
        return {
            "metadata": {
                "labels": {**self.labels, INJECT_LABEL: "true", **revision},
                "annotations": {"proxy.istio.io/config": json.dumps(_PROXY)},
            },
            "spec": {
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "containers": [self._container(image)],
            },
        }

    def _container(self, image: str) -> dict[str, Any]:
        settings = json.dumps(self._settings(), sort_keys=True)
        options = ["--config-yaml", settings, "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
        return {
            "name": CONTAINER,
            "image": image,
            "command": ["/usr/local/bin/envoy"],
            "args": options,
            "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}],
            "ports": [{"name": "http", "containerPort": ANSWER_PORT, "protocol": "TCP"}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
            "securityContext": {
                "runAsUser": _USER,
                "runAsNonRoot": True,
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }

    def _settings(self) -> dict[str, Any]:
        """Any address does that the sidecar captures: by the name of the host it finds out where to."""
        answers = {
            "match": {"prefix": "/"},
            "direct_response": {"status": 200, "body": {"inline_string": self.cluster}},
        }
        host = {"pattern": {"regex": "^/ask/(.+)$"}, "substitution": rf"\1.{self.namespace}.svc"}
        asks = {
            "match": {"prefix": "/ask/"},
            "route": {"cluster": "mesh", "timeout": f"{_SECONDS}s", "host_rewrite_path_regex": host},
        }
        looks = {"match": {"prefix": "/"}, "route": {"cluster": "sidecar"}}
        own = f"{self.name}.{self.namespace}.svc"
        return {
            "static_resources": {
                "listeners": [
                    _listener("$(POD_IP)", ANSWER_PORT, [answers]),
                    _listener("127.0.0.1", _ASKED_PORT, [asks, looks]),
                ],
                "clusters": [
                    _cluster("mesh", "STRICT_DNS", own, SERVICE_PORT),
                    _cluster("sidecar", "STATIC", "127.0.0.1", _ADMIN_PORT),
                ],
            }
        }


def service_of(cluster: str) -> str:
    """The name of the Service that leads to the probe of a cluster, and to no other cluster's."""
    return f"{_PREFIX}{cluster}"


def _listener(address: str, port: int, routes: list[dict[str, Any]]) -> dict[str, Any]:
    manager = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "probe",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "router", "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"}}],
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {"address": _address(address, port), "filter_chains": [chain]}


def _cluster(name: str, kind: str, address: str, port: int) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(address, port)}}]}]
    return {"name": name, "type": kind, "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def _address(address: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": address, "port_value": port}}
