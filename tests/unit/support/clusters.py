"""What a cluster with Istio has, in a few words, as a snapshot would hold it."""

from __future__ import annotations

from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import RESOURCES
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.snapshot import Snapshot, Unread
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.usage import API_GATEWAY, SAIL_TAG
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import KUBERNETES

Made = dict[str, Any]
_VERSIONS = {kind: api_version for api_version, kind in (*KUBERNETES, *RESOURCES)}
_VERSIONS |= {resource.kind: resource.api_version for resource in (SAIL_TAG,)}
HUB = "docker.io/istio"


def made(kind: str, place: str, api_version: str = "", **more: Any) -> Made:
    """An object; `metadata` adds to its name and namespace."""
    namespace, _slash, name = place.rpartition("/")
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), **more.pop("metadata", {})}
    return {"apiVersion": api_version or _VERSIONS[kind], "kind": kind, "metadata": metadata, **more}


def namespace(name: str, **labels: str) -> Made:
    given = {key.replace("_", "-"): value for key, value in labels.items()}
    return made("Namespace", name, metadata={"labels": {"kubernetes.io/metadata.name": name, **given}})


def of_revision(name: str, revision: str) -> Made:
    """A namespace that asks for a revision or a tag."""
    return made("Namespace", name, metadata={"labels": {"istio.io/rev": revision}})


def istiod(version: str, revision: str = "", ready: bool = True, place: str = "istio-system", hub: str = HUB) -> Made:
    name = f"istiod-{revision}" if revision else "istiod"
    labels = {"app": "istiod", "istio.io/rev": revision or "default"}
    requests = {"cpu": "500m", "memory": "2048Mi"}
    container = {"name": "discovery", "image": f"{hub}/pilot:{version}", "resources": {"requests": requests}}
    template = {
        "metadata": {"labels": {**labels, "sidecar.istio.io/inject": "false"}},
        "spec": {"containers": [container]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    count = 1 if ready else 0
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": count}
    return made("Deployment", f"{place}/{name}", metadata={"labels": labels, "generation": 1}, spec=spec, status=status)


def injector(revision: str = "", tag: str = "", by_default: bool = False, **more: Any) -> Made:
    """The webhooks of a revision or of a tag, with the selectors of Istio's chart."""
    name = f"istio-revision-tag-{tag}" if tag else "istio-sidecar-injector" + (f"-{revision}" if revision else "")
    labels = {"istio.io/rev": revision or "default", **({"istio.io/tag": tag} if tag else {})}
    service = {"namespace": "istio-system", "name": f"istiod-{revision}" if revision else "istiod"}
    client = {"service": service, "caBundle": ""}
    hooks = _by_revision(tag or revision or "default")
    if not revision or tag == "default":
        hooks += _by_injection_label()
    if by_default:
        hooks += [
            _hook(
                "auto",
                [_absent("istio-injection"), _absent("istio.io/rev"), _no_system()],
                [_absent("sidecar.istio.io/inject"), _absent("istio.io/rev")],
            )
        ]
    webhooks = [{**hook, "clientConfig": client, "rules": [_PODS]} for hook in hooks]
    return made("MutatingWebhookConfiguration", name, metadata={"labels": labels}, webhooks=webhooks, **more)


_PODS = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}


def _absent(key: str) -> Made:
    return {"key": key, "operator": "DoesNotExist"}


def _among(key: str, value: str, operator: str = "In") -> Made:
    return {"key": key, "operator": operator, "values": [value]}


def _no_system() -> Made:
    return {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", "kube-public"]}


def _hook(name: str, of_namespace: list[Made], of_pod: list[Made]) -> Made:
    return {
        "name": f"{name}.sidecar-injector.istio.io",
        "namespaceSelector": {"matchExpressions": of_namespace},
        "objectSelector": {"matchExpressions": of_pod},
    }


def _by_revision(revision: str) -> list[Made]:
    mine, willing = _among("istio.io/rev", revision), _among("sidecar.istio.io/inject", "false", "NotIn")
    return [
        _hook("rev.namespace", [mine, _absent("istio-injection")], [willing]),
        _hook("rev.object", [_absent("istio.io/rev"), _absent("istio-injection")], [willing, mine]),
    ]


def _by_injection_label() -> list[Made]:
    willing = _among("sidecar.istio.io/inject", "false", "NotIn")
    asked = _among("sidecar.istio.io/inject", "true")
    nothing = [_absent("istio-injection"), _absent("istio.io/rev")]
    return [
        _hook("namespace", [_among("istio-injection", "enabled")], [willing]),
        _hook("object", nothing, [asked, _absent("istio.io/rev")]),
    ]


def pod(
    place: str, injected_by: str = "", version: str = "1.29.1", phase: str = "Running", hub: str = HUB, **labels: str
) -> Made:
    """A Pod, with a native sidecar when a revision has injected it."""
    labels = {_LABELS.get(key, key): value for key, value in labels.items()}
    annotations = {"istio.io/rev": injected_by, "sidecar.istio.io/status": "{}"} if injected_by else {}
    proxy = [{"name": "istio-proxy", "image": f"{hub}/proxyv2:{version}"}] if injected_by else []
    spec = {"containers": [{"name": "app", "image": "app:1"}], "initContainers": proxy}
    metadata = {"labels": labels, "annotations": annotations}
    return made("Pod", place, metadata=metadata, spec=spec, status={"phase": phase})


_LABELS = {"inject": "sidecar.istio.io/inject", "revision": "istio.io/rev"}


def workload(kind: str, place: str, replicas: int = 0, status: Made | None = None, **labels: str) -> Made:
    """A Deployment, Job, CronJob, … without Pods."""
    labels = {_LABELS.get(key, key): value for key, value in labels.items()}
    template: Made = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app"}]}}
    spec: Made = {"template": template, "replicas": replicas, "selector": {"matchLabels": {}}}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": {"template": template}}}
    return made(kind, place, spec=spec, status=status or {})


def api_gateway(place: str, cls: str = "istio", revision: str = "") -> Made:
    labels = {"istio.io/rev": revision} if revision else {}
    spec = {"gatewayClassName": cls}
    return made("Gateway", place, API_GATEWAY.api_version, metadata={"labels": labels}, spec=spec)


def validator(revision: str = "", name: str = "istiod-default-validator") -> Made:
    service = {"namespace": "istio-system", "name": f"istiod-{revision}" if revision else "istiod"}
    hooks = [
        {
            "name": "validation.istio.io",
            "clientConfig": {"service": service},
            "failurePolicy": "Fail",
            "rules": [_RULES],
        }
    ]
    labels = {"istio.io/rev": revision or "default"}
    return made("ValidatingWebhookConfiguration", name, metadata={"labels": labels}, webhooks=hooks)


_RULES = {"apiGroups": ["networking.istio.io"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["*"]}


def snapshot(*objects: Made, kubernetes: str = "v1.34.4", unread: tuple[Unread, ...] = ()) -> Snapshot:
    """A cluster that has these objects."""
    by_kind: dict[str, list[Made]] = {}
    for found in objects:
        group = found["apiVersion"].rpartition("/")[0]
        by_kind.setdefault(f"{found['kind']}.{group}" if group else found["kind"], []).append(found)
    return Snapshot("east", kubernetes, by_kind, unread)
