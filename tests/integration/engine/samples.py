"""Objects of every kind that the engine proves by itself: Istio's from the table of cases, Kubernetes' as in charts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import KUBERNETES, Resource
from integration.engine.driver import Object
from integration.support.case import Case
from integration.support.cases import CASES

_RBAC = "rbac.authorization.k8s.io/v1"
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "name": "proof"}
_SUBJECTS = [{"kind": "ServiceAccount", "name": "proof", "namespace": "default"}]
_RULES = [{"apiGroups": ["example.com"], "resources": ["widgets"], "verbs": ["get", "list"]}]
_LABELS = {"matchLabels": {"app": "proof"}, "matchExpressions": [{"key": "team", "operator": "Exists"}]}


@dataclass(frozen=True)
class Sample:
    """What is below the name of an object of a kind."""

    id: str
    resource: Resource
    content: Object

    def named(self, name: str, namespace: str) -> Object:
        place = {"namespace": namespace} if self.resource.namespaced else {}
        head = {"apiVersion": self.resource.api_version, "kind": self.resource.kind}
        return {**head, "metadata": {"name": name, **place, "labels": {"team": "shop"}}, **self.content}


def _of_case(case: Case) -> Sample:
    options = case.kind.options
    spec = {options[name].field: value for name, value in case.options.items() if name in options}
    return Sample(case.id, case.kind.resource, {"spec": spec})


def _kubernetes(api_version: str, kind: str, **content: Any) -> Sample:
    return Sample(kind, KUBERNETES[api_version, kind], content)


_PORTS = [
    {"name": "https", "port": 443, "protocol": "TCP", "targetPort": 15017},
    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": "dns"},
]
_METRICS = [
    {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 8}}}
]
_SCALED = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "proof"}
KUBERNETES_SAMPLES = (
    _kubernetes("v1", "ConfigMap", data={"mesh": "a: 1\nb: 2\n", "flag": "true"}),
    _kubernetes("v1", "Namespace"),
    _kubernetes("v1", "Secret", data={"root-cert.pem": "cHJvb2Y=", "ca-cert.pem": ""}, type="Opaque"),
    _kubernetes("v1", "Service", spec={"ports": _PORTS, "selector": {"app": "proof", "istio": "pilot"}}),
    _kubernetes("v1", "ServiceAccount", imagePullSecrets=[{"name": "mirror"}]),
    _kubernetes(_RBAC, "ClusterRole", rules=_RULES),
    _kubernetes(_RBAC, "ClusterRoleBinding", roleRef={**_ROLE, "kind": "ClusterRole"}, subjects=_SUBJECTS),
    _kubernetes(_RBAC, "Role", rules=_RULES),
    _kubernetes(_RBAC, "RoleBinding", roleRef={**_ROLE, "kind": "Role"}, subjects=_SUBJECTS),
    _kubernetes(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        spec={"minReplicas": 2, "maxReplicas": 5, "metrics": _METRICS, "scaleTargetRef": _SCALED},
    ),
    _kubernetes("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": _LABELS}),
)
# Of Istio's kinds those that the bed's version serves.
_ISTIO = [case for case in CASES if case.kind.name != "traffic_extension"]
_ENTRY = next(case.kind.resource for case in _ISTIO if case.kind.name == "service_entry")
_SEVERAL = [{"number": number, "name": f"http-{number}", "protocol": "HTTP"} for number in (80, 81, 82)]
SAMPLES = (
    *map(_of_case, _ISTIO),
    Sample("several-ports", _ENTRY, {"spec": {"hosts": ["example.com"], "resolution": "DNS", "ports": _SEVERAL}}),
    *KUBERNETES_SAMPLES,
)
