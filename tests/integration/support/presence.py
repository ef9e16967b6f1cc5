"""All by which a cluster is a part of a mesh, so that two looks can be compared."""

from __future__ import annotations

import re
from typing import Any

from .bed import Cluster

KINDS = (
    "serviceaccounts,secrets,configmaps,services,endpointslices,deployments,daemonsets,roles,rolebindings,clusterroles,"
    "clusterrolebindings,leases,horizontalpodautoscalers,poddisruptionbudgets,mutatingwebhookconfigurations,"
    "validatingwebhookconfigurations"
)
ISTIOS = ("gateways.networking.istio.io", "virtualservices.networking.istio.io")
# What Kubernetes itself makes in every namespace, and for every Service.
_OF_KUBERNETES = re.compile("ServiceAccount .*/default|ConfigMap .*/kube-root-ca.crt|Lease kube-(system|node-lease)/.*")


def presence(cluster: Cluster) -> set[str]:
    """Objects by kind and name, and what labels and annotations of namespaces say of a mesh."""
    known = cluster.names("crds", "default").intersection(ISTIOS)
    found = _read(cluster, ",".join([KINDS, *sorted(known)]))
    names = {f"{one['kind']} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}" for one in found}
    for one in _read(cluster, "namespaces"):
        marks = [*one["metadata"]["labels"], *one["metadata"].get("annotations", {})]
        names |= {f"{mark} of {one['metadata']['name']}" for mark in marks if "istio" in mark}
    return {name for name in names if not _OF_KUBERNETES.fullmatch(name)}


def _read(cluster: Cluster, kinds: str) -> list[dict[str, Any]]:
    """Without what a controller has made for something else, which ends with it."""
    return [one for one in cluster.objects(kinds) if not one["metadata"].get("ownerReferences")]
