"""Gateways on a real API server: planned, written, found unchanged, changed, replaced and removed.

There are no nodes, so a Deployment is available only when a test says so in the name of its controller.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from integration.conftest import charts_of
from integration.support.bed import ISTIO, Cluster
from integration.support.mesh import Mesh, mesh
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("crds")
MODULE = "gateway_deployment"
VERSIONS = ("1.28.3", "1.29.1", "1.31.0")
EVERYTHING: Mapping[str, Any] = {
    "autoscaling": {"min": 2, "max": 4, "cpu": 70},
    "pod_disruption_budget": {"min_available": "50%"},
    "resources": {"requests": {"cpu": "200m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
    "affinity": {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 1,
                    "podAffinityTerm": {
                        "topologyKey": "kubernetes.io/hostname",
                        "labelSelector": {"matchLabels": {"istio": "ingress"}},
                    },
                }
            ]
        }
    },
    "node_selector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "edge", "operator": "Exists"}],
    "topology_spread_constraints": [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"istio": "ingress"}},
        }
    ],
    "service": {
        "type": "LoadBalancer",
        "annotations": {"example.com/kind": "internal"},
        "external_ips": ["192.0.2.7"],
        "external_traffic_policy": "Local",
        "ip_families": ["IPv4"],
        "ip_family_policy": "SingleStack",
        "load_balancer_ip": "192.0.2.9",
        "load_balancer_source_ranges": ["198.51.100.0/24"],
        "ports": [
            {"name": "status-port", "port": 15021},
            {"name": "https", "port": 443, "target_port": 8443},
            {"name": "udp-quic", "port": 443, "target_port": 8443, "protocol": "UDP"},
        ],
    },
    "labels": {"tier": "edge"},
    "annotations": {"example.com/owner": "team-a"},
    "env": {"TERMINATION_DRAIN_DURATION_SECONDS": 10},
    "pull_secrets": ["mirror"],
    "values": {"terminationGracePeriodSeconds": 60, "global": {"networkPolicy": {"enabled": True}}},
}
SHAPES: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "replicas": {"replicas": 2},
    "egress": {"type": "egress"},
    "eastwest": {"type": "eastwest", "network": "net1"},
    "everything": EVERYTHING,
}


@dataclass(frozen=True)
class Gateways:
    """Gateways in a namespace of a test's own, which a revision of its own injects."""

    mesh: Mesh
    operations: Operations
    changes: Callable[[], list[str]]

    @property
    def namespace(self) -> str:
        return self.mesh.namespace

    @property
    def cluster(self) -> Cluster:
        return self.mesh.cluster

    def options(self, more: Mapping[str, Any]) -> dict[str, Any]:
        version = more.get("version", ISTIO)
        source = {"charts": {"directory": str(charts_of(version))}, "helm_binary": str(self.cluster.bin / "helm")}
        place = {"name": "ingress", "namespace": self.namespace, "version": version}
        return {**place, **source, "wait_timeout": 0.0, **more}

    def plan(self, **more: Any) -> dict[str, Any]:
        """What check mode says; it has written nothing."""
        self.changes()
        result = self.operations.run(MODULE, self.options(more), check=True)
        assert self.changes() == []
        return result

    def run(self, **more: Any) -> list[str]:
        """A run of a gateway that is available. What was persisted."""
        self.changes()
        self.operations.run(MODULE, self.options(more))
        return self.changes()

    def ends(self, why: str, **more: Any) -> list[str]:
        """A run that waits in vain. What was persisted."""
        self.changes()
        with pytest.raises(Failure, match=why) as ended:
            self.operations.run(MODULE, self.options(more))
        assert ended.value.as_dict()["code"] == "not_ready"
        return self.changes()

    def refused(self, **more: Any) -> Failure:
        """The failure, the same in check mode and in a run, before which nothing is written."""
        self.changes()
        failures = []
        for check in (True, False):
            with pytest.raises(Failure) as refused:
                self.operations.run(MODULE, self.options(more), check=check)
            failures.append(refused.value)
        assert str(failures[0]) == str(failures[1])
        assert self.changes() == []
        return failures[0]

    def deploy(self, **more: Any) -> None:
        """A gateway that is there, and available."""
        self.ends("ingress", **more)
        self.available("ingress")

    def available(self, name: str) -> None:
        """What the Deployment's controller would say, for as many replicas as anybody asks for."""
        replicas = ("replicas", "readyReplicas", "updatedReplicas", "availableReplicas")
        self.mesh.status("deployment", name, {"observedGeneration": 1000, **dict.fromkeys(replicas, 10)})

    def get(self, resource: str, name: str = "ingress") -> dict[str, Any]:
        return self.cluster.get(resource, name, self.namespace)

    def names(self, resource: str) -> set[str]:
        return self.cluster.names(resource, self.namespace)


@pytest.fixture
def gateways(
    cluster: Cluster, namespace: str, operations: Operations, changes: Callable[[], list[str]]
) -> Iterator[Gateways]:
    with mesh(cluster, namespace) as own:
        own.istiod(ISTIO)
        own.injector()
        own.label(revision=own.revision)
        yield Gateways(own, operations, changes)


def rows(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [(row["action"], row["kind"], row["name"]) for row in result["plan"]]


CASES = [(shape, ISTIO) for shape in SHAPES] + [("everything", version) for version in VERSIONS if version != ISTIO]


@pytest.mark.parametrize(("shape", "version"), CASES)
def test_a_second_run_persists_nothing(shape: str, version: str, gateways: Gateways) -> None:
    options = {"version": version, **SHAPES[shape]}
    planned = gateways.plan(**options)
    assert len(gateways.ends("ingress", **options)) == len(planned["plan"])
    gateways.available("ingress")
    again = gateways.plan(**options)
    assert (again["changed"], again["plan"], again["restarts"]) == (False, [], [])
    assert gateways.run(**options) == []
    assert gateways.plan(**options, state="absent")["summary"]["delete"] == planned["summary"]["create"]


def test_options_reach_their_objects(gateways: Gateways) -> None:
    gateways.deploy(**EVERYTHING)
    pod = gateways.get("deployment")["spec"]["template"]
    assert (pod["spec"]["nodeSelector"], pod["spec"]["imagePullSecrets"]) == (
        {"kubernetes.io/os": "linux"},
        [{"name": "mirror"}],
    )
    assert pod["metadata"]["annotations"]["service-mesh-istio/proxy"] == f"{gateways.mesh.revision}/{ISTIO}"
    service = gateways.get("service")["spec"]
    assert [(port["name"], port["targetPort"]) for port in service["ports"]] == [
        ("status-port", 15021),
        ("https", 8443),
        ("udp-quic", 8443),
    ]
    assert gateways.get("hpa")["spec"]["minReplicas"] == 2
    assert gateways.get("pdb")["spec"]["minAvailable"] == "50%"
    assert gateways.plan(**EVERYTHING)["addresses"] == ["192.0.2.7"]


def test_a_drifted_field_is_shown_alone_and_heals(gateways: Gateways) -> None:
    gateways.deploy()
    gateways.cluster.patch("service", "ingress", gateways.namespace, {"metadata": {"labels": {"istio": None}}})
    planned = gateways.plan()
    assert [(row["kind"], row["fields"]) for row in planned["plan"]] == [("Service", ["metadata.labels.istio"])]
    assert gateways.run() == [f"patch services {gateways.namespace}/ingress"]
    assert gateways.plan()["plan"] == []


def test_what_is_not_asked_for_any_more_goes(gateways: Gateways) -> None:
    gateways.deploy(autoscaling={"min": 2})
    planned = gateways.plan(replicas=3, service={"type": "None"})
    assert rows(planned) == [
        ("update", "Deployment", "ingress"),
        ("delete", "HorizontalPodAutoscaler", "ingress"),
        ("delete", "Service", "ingress"),
    ]
    gateways.run(replicas=3, service={"type": "None"})
    assert gateways.names("services") == set()


def test_the_number_of_replicas_is_the_autoscalers_until_it_is_taken_back(gateways: Gateways) -> None:
    gateways.deploy(replicas=3)
    gateways.run(autoscaling={"min": 1})
    assert gateways.get("deployment")["spec"]["replicas"] == 3, "nobody loses Pods because an autoscaler comes"
    scaled = ("--subresource=scale", "--field-manager=kube-controller-manager", "--type=merge")
    change = json.dumps({"spec": {"replicas": 4}})
    gateways.cluster.kubectl("patch", "deployment", "ingress", "-n", gateways.namespace, *scaled, "-p", change)
    assert gateways.plan(autoscaling={"min": 1})["plan"] == []
    gateways.run(replicas=2)
    assert gateways.get("deployment")["spec"]["replicas"] == 2
    assert gateways.plan(replicas=2)["plan"] == []


def test_absent_takes_what_was_made_and_nothing_else(gateways: Gateways) -> None:
    gateways.deploy(**EVERYTHING)
    gateways.mesh.apply("v1", "Service", "copied", labels={"service-mesh-istio/gateway": "ingress"}, spec=PORTS)
    selecting = {"selector": {"istio": "ingress"}, "servers": []}
    gateways.mesh.apply("networking.istio.io/v1", "Gateway", "shop", spec=selecting)
    planned = gateways.plan(state="absent")
    assert {row["action"] for row in planned["plan"]} == {"delete"}
    assert any("Gateway" in warning and "selects the gateway" in warning for warning in planned["warnings"])
    assert len(gateways.run(state="absent")) == len(planned["plan"]) == 8
    assert gateways.names("services") == {"copied"}
    assert gateways.names("deployments") == {f"istiod-{gateways.mesh.revision}"}
    assert gateways.get("namespace", gateways.namespace)["metadata"].get("deletionTimestamp") is None
    assert (gateways.plan(state="absent")["plan"], gateways.run(state="absent")) == ([], [])


PORTS = {"ports": [{"name": "http", "port": 80}]}


@pytest.mark.parametrize("state", ["present", "absent"])
def test_somebody_elses_objects_are_refused_with_their_owner(gateways: Gateways, state: str) -> None:
    release = {"meta.helm.sh/release-name": "edge", "meta.helm.sh/release-namespace": gateways.namespace}
    gateways.mesh.apply("v1", "Service", "ingress", annotations=release, spec=PORTS)
    failure = gateways.refused(state=state)
    assert failure.as_dict()["code"] == "foreign_gateway"
    assert f"Service {gateways.namespace}/ingress on" in str(failure)
    assert f"it belongs to Helm release {gateways.namespace}/edge" in str(failure)
    assert "'adopt: [helm]'" in failure.hint
    assert gateways.plan(state=state, take_ownership_from=["tests"])


EDGE: Mapping[str, Any] = {"labels": {"app": "edge"}}


def test_an_immutable_selector_is_refused(gateways: Gateways) -> None:
    gateways.deploy()
    failure = gateways.refused(**EDGE)
    assert failure.as_dict()["code"] == "immutable_selector"
    assert "field is immutable" in str(failure)
    assert "replace: beside" in failure.hint


def test_a_new_workload_takes_over_step_by_step(gateways: Gateways) -> None:
    """Each run goes as far as it can: nothing moves before the new Pods are ready."""
    gateways.deploy(autoscaling={"min": 2})
    wanted = {**EDGE, "autoscaling": {"min": 2}, "replace": "beside"}
    planned = gateways.plan(**wanted)
    new = planned["workload"]
    assert ("create", "Deployment", new) in rows(planned)
    assert rows(planned)[-1] == ("delete", "Deployment", "ingress")
    gateways.ends(new, **wanted)
    assert gateways.get("service")["spec"]["selector"]["app"] == "ingress"
    assert gateways.get("hpa")["spec"]["scaleTargetRef"]["name"] == "ingress"
    gateways.available(new)
    gateways.ends("no endpoint is ready yet", **wanted)
    assert gateways.get("service")["spec"]["selector"]["app"] == "edge"
    assert gateways.get("hpa")["spec"]["scaleTargetRef"]["name"] == new
    assert gateways.names("deployments") >= {"ingress", new}
    endpoint(gateways, new)
    assert gateways.run(**wanted) == [f"delete deployments {gateways.namespace}/ingress"]
    assert gateways.plan(**wanted)["plan"] == []
    assert gateways.run(**EDGE, autoscaling={"min": 2}) == []


def endpoint(gateways: Gateways, name: str) -> None:
    """A Pod of a Deployment, and the Service leads to it."""
    pod = f"{name}-1"
    gateways.mesh.apply("v1", "ServiceAccount", "default")
    labels = gateways.get("deployment", name)["spec"]["selector"]["matchLabels"]
    image = f"docker.io/istio/proxyv2:{ISTIO}"
    notes = {"istio.io/rev": gateways.mesh.revision, "sidecar.istio.io/status": "{}"}
    spec = {"containers": [{"name": "istio-proxy", "image": image}]}
    gateways.mesh.apply("v1", "Pod", pod, labels=labels, annotations=notes, spec=spec)
    target = {"kind": "Pod", "name": pod, "namespace": gateways.namespace}
    entry = {"addresses": ["192.0.2.1"], "conditions": {"ready": True}, "targetRef": target}
    served = {"kubernetes.io/service-name": "ingress"}
    more: dict[str, Any] = {"addressType": "IPv4", "endpoints": [entry], "ports": []}
    gateways.mesh.apply("discovery.k8s.io/v1", "EndpointSlice", "ingress-1", labels=served, **more)


def test_hosts_that_nobody_would_serve_are_not_left_behind(gateways: Gateways) -> None:
    gateways.deploy()
    server = {
        "port": {"number": 80, "name": "http", "protocol": "HTTP"},
        "hosts": [f"{gateways.namespace}.example.com"],
    }
    gateways.mesh.apply(
        "networking.istio.io/v1", "Gateway", "shop", spec={"selector": {"app": "ingress"}, "servers": [server]}
    )
    failure = gateways.refused(**EDGE, replace="beside")
    assert failure.as_dict()["code"] == "gateway_left_behind"
    gateways.mesh.apply(
        "networking.istio.io/v1", "Gateway", "shop-edge", spec={"selector": {"app": "edge"}, "servers": [server]}
    )
    assert gateways.plan(**EDGE, replace="beside")["changed"]


def test_a_proxy_of_another_version_is_renewed_by_the_plan(gateways: Gateways) -> None:
    gateways.deploy()
    endpoint(gateways, "ingress")
    assert gateways.plan()["plan"] == []
    gateways.mesh.istiod("1.31.0")
    planned = gateways.plan()
    field = "spec.template.metadata.annotations.[service-mesh-istio/proxy]"
    assert [(row["kind"], row["fields"]) for row in planned["plan"]] == [("Deployment", [field])]
    assert [(row["name"], row["reason"]) for row in planned["restarts"]] == [
        ("ingress", f"its proxy is {ISTIO}, and would be 1.31.0")
    ]
    assert any("which is 1.31.0" in warning for warning in planned["warnings"])
    assert gateways.run() == [f"patch deployments {gateways.namespace}/ingress"]
    assert gateways.run() == []


def test_a_revision_that_would_not_inject_is_refused(gateways: Gateways) -> None:
    failure = gateways.refused(revision="canary")
    assert failure.as_dict()["code"] == "not_injected"
    assert f"the label istio.io/rev={gateways.mesh.revision} of its namespace wins" in str(failure)


def test_a_port_that_istio_cannot_read_is_warned_of(gateways: Gateways) -> None:
    (warning,) = gateways.plan(service={"ports": [{"name": "shop", "port": 8080}]})["warnings"]
    assert "what the port 'shop' (8080)" in warning


def examples() -> list[dict[str, Any]]:
    module = importlib.import_module(f"ansible_collections.service_mesh.istio.plugins.modules.{MODULE}")
    return [task[f"service_mesh.istio.{MODULE}"] for task in yaml.safe_load(module.EXAMPLES)]


@pytest.mark.parametrize("number", range(len(examples())))
def test_an_example_of_the_documentation_is_taken(
    number: int, operations: Operations, cluster: Cluster, namespace: str, charts: Path
) -> None:
    """On the test's own cluster and in its own namespace; the rest is the example's."""
    own = {**examples()[number], "namespace": namespace}
    del own["context"]
    source = {"charts": {"directory": str(charts)}, "helm_binary": str(cluster.bin / "helm")}
    result = operations.run(MODULE, {**own, **source}, check=True)
    assert bool(result["summary"]["create"]) == (own.get("state") != "absent")
