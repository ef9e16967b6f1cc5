"""The ClusterRole for the life of a control plane: all of it is used, and what is missing is named.

The API server has no nodes: the test says that istiod is available, and writes what istiod would, so that the
readiness ladder is climbed up to its end.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.desired_control_plane import COMPONENTS
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.permissions import TO_REMOVE, TO_WRITE
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from faults import Proxy, Rule
from faults.catalogue import FAULTS
from integration.engine.bound import RBAC, Bound, Verb, bound
from integration.engine.test_rbac import names, refused
from integration.support import bed
from integration.support.bed import Cluster
from integration.support.operations import Operations

HOME, EDGE = "istio-system", "istio-ingress"
ADMISSION = "admissionregistration.k8s.io"
MANY = [f"many-{number}" for number in range(20)]
BINDINGS = "validatingadmissionpolicybindings"
LAST = "validatingwebhookconfigurations"
Options = dict[str, Any]


@dataclass(frozen=True)
class Mesh:
    """An API server of its own, a user bound to the role, and the charts."""

    cluster: Cluster
    user: Bound
    charts: Path

    def control_plane(self) -> Options:
        """With everything that the charts can bring."""
        istiod = {
            "global": {"networkPolicy": {"enabled": True}},
            "experimental": {"stableValidationPolicy": True},
            "autoscaleMin": 2,
        }
        values = {"istiod": istiod, "cni": {"resourceQuotas": {"enabled": True}}}
        return {**self._common(), "namespace": HOME, "components": list(COMPONENTS), "values": values}

    def gateway(self) -> Options:
        values = {"autoscaling": {"enabled": True}, "imagePullPolicy": "IfNotPresent"}
        return {**self._common(), "name": "ingress", "namespace": EDGE, "values": values}

    def _common(self) -> Options:
        source = {"version": bed.ISTIO, "charts": {"directory": str(self.charts)}}
        return {**source, "helm_binary": str(self.cluster.bin / "helm"), "wait_timeout": 1.0}

    def fails_at(self, module: str, options: Options, path: str) -> str:
        """What a run says in which the answer to one write is lost, after everything else has been written."""
        with Proxy(self.cluster) as proxy:
            proxy.play([Rule(FAULTS["truncated"], verb="apply", path=path, dry_run=False, nth={1})])
            with pytest.raises(Failure) as raised:
                self.user.through(proxy.kubeconfig).run(module, options)
        return str(raised.value)

    def unready(self, module: str, options: Options) -> None:
        """A run that writes everything, and then waits in vain."""
        with pytest.raises(NotReady):
            self.user.operations.run(module, options)

    def drift(self) -> None:
        """Every object has lost a label of ours, so that a run has something to write to each."""
        kinds = sorted(name for verb, name in self.user.granted if verb == "update" and name != "namespaces")
        self.cluster.kubectl("label", ",".join(kinds), "--all", "--all-namespaces", "app.kubernetes.io/managed-by-")
        for name in self.cluster.names(BINDINGS, HOME):  # these have no labels: they become somebody else's
            found = self.cluster.get(BINDINGS, name)
            self.cluster.kubectl("delete", BINDINGS, name)
            kept = {key: found[key] for key in ("apiVersion", "kind", "spec")}
            self.cluster.apply({**kept, "metadata": {"name": name}}, manager="somebody")

    def istiod_is_there(self) -> None:
        """What controllers and istiod would say."""
        generation = self.cluster.get("deployment", "istiod", HOME)["metadata"]["generation"]
        counts = {
            "replicas": 1,
            "readyReplicas": 1,
            "updatedReplicas": 1,
            "availableReplicas": 1,
            "observedGeneration": generation,
        }
        self.cluster.kubectl(
            *("patch", "deployment", "istiod", "-n", HOME, "--subresource=status", "--type=merge"),
            *("-p", f'{{"status": {json.dumps(counts)}}}'),
        )

    def webhooks_have_their_ca(self, kind: str, **more: str) -> None:
        ca = base64.b64encode(Path(self.cluster.ca_file).read_bytes()).decode()
        for name in self.cluster.names(f"{kind}webhookconfigurations", HOME):
            found = self.cluster.get(f"{kind}webhookconfiguration", name)
            hooks = [
                {**hook, "clientConfig": {**hook["clientConfig"], "caBundle": ca}, **more} for hook in found["webhooks"]
            ]
            self.cluster.patch(f"{kind}webhookconfiguration", name, HOME, {"webhooks": hooks})


@pytest.fixture(scope="module")
def mesh(cluster: Cluster, charts: Path) -> Iterator[Mesh]:
    with bound(cluster, "lifecycle") as user:
        yield Mesh(cluster, user, charts)


def endpoints() -> dict[str, Any]:
    """An address of istiod, as if there were a Pod."""
    metadata = {"name": "istiod-tests", "namespace": HOME, "labels": {"kubernetes.io/service-name": "istiod"}}
    ready = [{"addresses": ["192.0.2.1"], "conditions": {"ready": True}}]
    head = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata}
    return {**head, "addressType": "IPv4", "endpoints": ready, "ports": [{"name": "https-webhook", "port": 15017}]}


def injected(*names: str, mode: str = "enabled") -> Options:
    return {"namespaces": [{"name": name, "mode": mode, "create": True} for name in names]}


@pytest.fixture(scope="module")
def lived(mesh: Mesh) -> Mesh:
    """The user has done everything: failed and taken back, installed, failed to heal, healed, climbed the ladder."""
    for module, wanted, path in (
        ("control_plane", mesh.control_plane, LAST),
        ("gateway_deployment", mesh.gateway, "horizontalpodautoscalers"),
    ):
        mesh.fails_at(module, wanted(), path)
        mesh.cluster.kubectl("wait", "--for=delete", f"namespace/{wanted()['namespace']}", "--timeout=60s")
        mesh.unready(module, wanted())
        mesh.drift()
        mesh.fails_at(module, wanted(), path)
        mesh.unready(module, wanted())
    mesh.istiod_is_there()
    mesh.unready("control_plane", mesh.control_plane())
    mesh.cluster.apply(endpoints())
    mesh.unready("control_plane", mesh.control_plane())
    mesh.webhooks_have_their_ca("mutating")
    mesh.unready("control_plane", mesh.control_plane())
    mesh.webhooks_have_their_ca("validating", failurePolicy="Fail")
    with pytest.raises(Failure):
        mesh.user.operations.run("control_plane", mesh.control_plane())
    mesh.user.operations.run("injection", injected(*MANY))
    with Proxy(mesh.cluster) as proxy:
        proxy.play([Rule(FAULTS["truncated"], verb="apply", path="namespaces/many-9", dry_run=False, nth={1})])
        with pytest.raises(Failure):
            mesh.user.through(proxy.kubeconfig).run("injection", injected(*MANY, mode="disabled"))
    return mesh


OPERATIONS = ("install", "uninstall", "leave")


def checked(by: Operations) -> Iterator[str]:
    """What prechecks and the info modules have to say: they see all there is, or tell what they may not."""
    tasks: list[tuple[str, Options]] = [("precheck", {"operation": name, "version": bed.ISTIO}) for name in OPERATIONS]
    tasks += [
        ("mesh_info", {}),
        ("mesh_info", {"gather": ["revisions", "pods", "owners", "drift"]}),
        ("config_info", {}),
        ("injection_info", {"allow_partial": True}),
    ]
    for module, options in tasks:
        try:
            yield from by.run(module, options)["warnings"]
        except Failure as error:
            yield from (str(error), json.dumps(getattr(error, "extra", {})))


def test_reading_has_nothing_that_nothing_needs(lived: Mesh) -> None:
    """Secrets, of which prechecks look at the certificates, are not for everybody who reads."""
    with bound(lived.cluster, "read") as reader:
        told = [*checked(reader.operations)]
        assert reader.used() == reader.granted
        assert [text for text in told if "may not be read" in text and "secrets" not in text] == []
        with pytest.raises(Failure, match='cannot get resource "virtualservices"'):
            reader.operations.run("virtual_service", {"name": "a", "namespace": HOME, "hosts": ["a"]})
        for missing in sorted(reader.granted):
            reader.grant(missing)
            assert any(is_named(text, missing) for text in checked(reader.operations)), missing


def is_named(text: str, missing: Verb) -> bool:
    """By a failed task, or by a precheck or an info module that goes on without it."""
    verb, resource = missing[0], missing[1].partition(".")[0].strip("*")
    return f"'{verb}' on {resource}" in text or f'cannot {verb} resource "{resource}' in text


CONTROL_PLANE = [
    ("get", "serviceaccounts"),
    ("create", f"clusterroles.{RBAC}"),
    ("patch", "deployments.apps"),
    ("list", f"mutatingwebhookconfigurations.{ADMISSION}"),
    ("escalate", f"clusterroles.{RBAC}"),
    ("bind", f"clusterroles.{RBAC}"),
]
GATEWAY = [
    ("get", "horizontalpodautoscalers.autoscaling"),
    ("list", f"rolebindings.{RBAC}"),
    ("create", "services"),
    ("patch", "deployments.apps"),
    ("escalate", f"roles.{RBAC}"),
    ("bind", f"roles.{RBAC}"),
]


@pytest.mark.parametrize("missing", CONTROL_PLANE, ids="-".join)
def test_control_plane(lived: Mesh, missing: Verb) -> None:
    """Asked for as another revision, whose ClusterRoles are not there yet."""
    lived.user.grant(missing)
    wanted = {**lived.control_plane(), "revision": "another"}
    refused(lived.user.operations, "control_plane", wanted, missing)


@pytest.mark.parametrize("missing", GATEWAY, ids="-".join)
def test_gateway_deployment(lived: Mesh, missing: Verb) -> None:
    lived.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "another"}})
    lived.user.grant(missing)
    refused(lived.user.operations, "gateway_deployment", {**lived.gateway(), "namespace": "another"}, missing)


@pytest.mark.parametrize(
    "missing", [("get", "namespaces"), ("patch", "namespaces"), ("create", "namespaces")], ids="-".join
)
def test_injection(lived: Mesh, missing: Verb) -> None:
    lived.user.grant(missing)
    refused(lived.user.operations, "injection", injected("new"), missing)


def test_namespaces_are_listed(lived: Mesh) -> None:
    lived.user.grant(("list", "namespaces"))
    refused(lived.user.operations, "injection", injected(*MANY, mode="disabled"), ("list", "namespaces"))


@pytest.mark.parametrize(("verb", "mode"), [("update", "disabled"), ("delete", "enabled")])
def test_what_cannot_be_taken_back_is_named(lived: Mesh, verb: str, mode: str) -> None:
    name = "many-1" if verb == "update" else "fresh"
    lived.user.grant((verb, "namespaces"))
    told = lived.fails_at("injection", injected(name, mode=mode), f"namespaces/{name}")
    assert names(told, (verb, "namespaces")), told


def test_watching(lived: Mesh) -> None:
    """Only who waits watches."""
    lived.user.grant(("watch", "deployments.apps"))
    with pytest.raises(Failure) as raised:
        lived.user.operations.run("gateway_deployment", lived.gateway())
    assert names(str(raised.value), ("watch", "deployments.apps")), str(raised.value)


# These are no requests, but rights that Kubernetes looks for; and whether a watch is needed is a matter of time.
NO_REQUESTS = {"bind", "escalate"}


def test_it_has_nothing_that_nothing_needs(lived: Mesh) -> None:
    """Prechecks ask for what will be needed, too."""
    user = lived.user
    user.grant()
    list(checked(user.operations))
    user.operations.run("gateway_deployment", {**lived.gateway(), "state": "absent"})
    demanded = {(permission.verb, permission.where) for permission in (*TO_WRITE, *TO_REMOVE)}
    asked = {one for one in user.used() | demanded if one[0] != "watch"}
    granted = {one for one in user.granted if one[0] not in NO_REQUESTS | {"watch"}}
    assert (sorted(granted - asked), sorted(asked - granted)) == ([], [])
    assert {one for one in user.used() if one[0] == "watch"} <= user.granted
