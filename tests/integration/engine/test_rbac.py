"""The ClusterRoles of examples/rbac are enough, and no wider than they look: one verb less, and the task names it."""

from __future__ import annotations

import copy
import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from integration.support.bed import ISTIO, ROOT, Cluster
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("crds")
EXAMPLES = ROOT / "examples" / "rbac"
RBAC = "rbac.authorization.k8s.io"
GROUPS = {
    "clusterroles": RBAC,
    "deployments": "apps",
    "leases": "coordination.k8s.io",
    "telemetries": "telemetry.istio.io",
    "virtualservices": "networking.istio.io",
}
Options = dict[str, Any]
Verb = tuple[str, str]


@dataclass
class Bound:
    """A user that is bound to one role, which a test may narrow; and the operations as that user."""

    cluster: Cluster
    role: dict[str, Any]
    user: str

    @property
    def operations(self) -> Operations:
        return Operations({"kubeconfig": self.cluster.kubeconfig, "impersonate_user": self.user})

    def grant(self, missing: Verb | None = None) -> None:
        """Give the user the role, but for one verb on one resource."""
        role = copy.deepcopy(self.role) | {"metadata": {"name": self.user}}
        if missing:
            role["rules"] = [part for rule in role["rules"] for part in _without(rule, *missing)]
        subject = {"kind": "User", "name": self.user, "apiGroup": RBAC}
        reference = {"kind": "ClusterRole", "name": self.user, "apiGroup": RBAC}
        head = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": self.user}}
        self.cluster.apply(role, {**head, "subjects": [subject], "roleRef": reference}, manager="tests")
        self._await("get", "virtualservices" if missing == ("get", "namespaces") else "namespaces", expected="yes")
        if missing:
            self._await(*missing, expected="no")

    def _await(self, verb: str, resource: str, expected: str) -> None:
        """The API server learns of a role a moment after it has taken it."""
        deadline = time.monotonic() + 10
        while self._may(verb, resource) != expected:
            assert time.monotonic() < deadline, f"{self.user} should get '{expected}' for {verb} {resource}"
            time.sleep(0.05)

    def _may(self, verb: str, resource: str) -> str:
        question = json.dumps(_question(self.user, verb, resource))
        review = self.cluster.kubectl("create", "-f", "-", "-o", "json", stdin=question)
        return "yes" if json.loads(review)["status"]["allowed"] else "no"


def _question(user: str, verb: str, resource: str) -> dict[str, Any]:
    spec = {"user": user, "resourceAttributes": {"verb": verb, "resource": resource, "group": GROUPS.get(resource, "")}}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def _without(rule: dict[str, Any], verb: str, resource: str) -> Iterator[dict[str, Any]]:
    """A rule in at most two parts, of which the one for the resource lacks the verb."""
    of_group = GROUPS.get(resource, "") in rule["apiGroups"]
    if not of_group or (rule["resources"] != ["*"] and resource not in rule["resources"]):
        yield rule
        return
    if others := [name for name in rule["resources"] if name not in ("*", resource)]:
        yield {**rule, "resources": others}
    resources = rule["resources"] if rule["resources"] == ["*"] else [resource]
    yield {**rule, "resources": resources, "verbs": [one for one in rule["verbs"] if one != verb]}


@pytest.fixture
def bound(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Bound]:
    role = yaml.safe_load((EXAMPLES / f"{request.param}.yaml").read_text(encoding="utf-8"))
    user = f"tests-{request.param}-{uuid.uuid4().hex[:8]}"
    yield Bound(cluster, role, user)
    cluster.kubectl("delete", f"clusterrole/{user}", f"clusterrolebinding/{user}", "--ignore-not-found")


def sets(namespace: str, *names: str) -> Options:
    """Istio's objects in a set that prunes: everything that `config` may have to do."""
    rows = [{"name": name, "namespace": namespace, "hosts": [name]} for name in names]
    return {"set": "shop", "set_namespace": namespace, "prune": True, "virtual_services": rows}


def one(namespace: str, *hosts: str) -> Options:
    return {"name": "one", "namespace": namespace, "hosts": list(hosts)}


NEEDED = [
    *((verb, "virtualservices") for verb in ("get", "list", "patch", "create", "delete")),
    *((verb, "configmaps") for verb in ("get", "patch")),
    *((verb, "leases") for verb in ("get", "create")),
]


@pytest.mark.parametrize("bound", ["configuration"], indirect=True)
def test_configuration(bound: Bound, cluster: Cluster, namespace: str) -> None:
    Operations({"kubeconfig": cluster.kubeconfig}).run("config", sets(namespace, "stays", "goes"))
    wanted = sets(namespace, "stays", "comes")
    bound.grant()
    for missing in NEEDED:
        bound.grant(missing)
        _refused(bound, "config", wanted, missing)
    assert cluster.names("virtualservices", namespace) == {"stays", "goes"}
    bound.grant()
    assert bound.operations.run("config", wanted)["changed"]
    assert bound.operations.run("virtual_service", one(namespace, "a"))["changed"]
    assert not bound.operations.run("virtual_service", one(namespace, "a"), check=True)["changed"]
    assert cluster.names("virtualservices", namespace) == {"stays", "comes", "one"}


def _refused(bound: Bound, module: str, options: Options, missing: Verb, *, check: bool = False) -> None:
    verb, resource = missing
    with pytest.raises(Failure) as raised:
        bound.operations.run(module, options, check=check)
    assert raised.value.as_dict()["code"] == "forbidden", str(raised.value)
    assert f'cannot {verb} resource "{resource}"' in str(raised.value)
    assert "examples/rbac" in raised.value.hint
    assert not raised.value.changed


@pytest.mark.parametrize("bound", ["read"], indirect=True)
@pytest.mark.parametrize(
    ("module", "missing"),
    [
        ("mesh_info", ("list", "deployments")),
        ("mesh_info", ("list", "pods")),
        ("config_info", ("list", "telemetries")),
    ],
)
def test_read(bound: Bound, cluster: Cluster, namespace: str, module: str, missing: Verb) -> None:
    cluster.apply(gateway(namespace), manager="tests")
    bound.grant()
    assert not bound.operations.run(module, {})["changed"]
    with pytest.raises(Failure, match='cannot patch resource "virtualservices"'):
        bound.operations.run("virtual_service", one(namespace, "a"))
    bound.grant(missing)
    _refused(bound, module, {}, missing)


def gateway(namespace: str) -> dict[str, Any]:
    """A Deployment that the status takes for a gateway, whose Pods it then looks at."""
    metadata = {"labels": {"app": "ingress"}, "annotations": {"inject.istio.io/templates": "gateway"}}
    pod = {"metadata": metadata, "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "ingress"}}, "template": pod}
    place = {"name": "ingress", "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": place, "spec": spec}


@pytest.mark.parametrize("bound", ["lifecycle"], indirect=True)
def test_lifecycle(bound: Bound, charts: Path, namespace: str, cluster: Cluster) -> None:
    """Without nodes istiod would never get ready: the plan asks the server for everything that a run would write."""
    directory = {"directory": str(charts)}
    helm = str(cluster.bin / "helm")
    options = {"version": ISTIO, "namespace": namespace, "charts": directory, "helm_binary": helm}
    bound.grant()
    assert bound.operations.run("control_plane", options, check=True)["summary"]["create"] > 10
    assert bound.operations.run("injection", injected(namespace, "enabled"))["changed"]
    for missing in (("patch", "deployments"), ("create", "clusterroles")):
        bound.grant(missing)
        _refused(bound, "control_plane", options, missing, check=True)
    bound.grant(("patch", "namespaces"))
    _refused(bound, "injection", injected(namespace, "disabled"), ("patch", "namespaces"))


def injected(namespace: str, mode: str) -> Options:
    return {"namespaces": [{"name": namespace, "mode": mode}]}


def test_every_role_is_an_example_of_its_own() -> None:
    """Each file holds one ClusterRole, whose name says what it is for."""
    for name in ("read", "configuration", "lifecycle"):
        role = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8"))
        assert (role["kind"], role["metadata"]["name"]) == ("ClusterRole", f"service-mesh-istio-{name}")
