"""The tables of what must fail: each row a task, the code of its failure, and pieces of its message."""

from __future__ import annotations

from functools import partial
from typing import Any

from .failing import Options, Row, World

_NOBODY = "https://127.0.0.1:9"


def _connecting(world: World, id: str, options: Options, code: str, *told: str, **environment: str) -> Row:
    """A task that names its cluster itself."""
    return Row(id, "peer_authentication", {**world.peer, **options}, code, told, environment)


def _on_cluster(world: World, id: str, module: str, options: Options, code: str, *told: str) -> Row:
    """A task on the test's cluster."""
    return Row(id, module, {**world.kubeconfig, **options}, code, told)


def _objects(*items: Any) -> Options:
    return {"objects": list(items)}


def naming_rows(world: World) -> list[Row]:
    """Clusters that are not named, or not clearly."""
    contexts = world.contexts()

    row = partial(_connecting, world)
    return [
        row("no_cluster", {}, "connection_options", "No cluster is named", "use_current_context: true"),
        row(
            "several_contexts",
            {},
            "connection_options",
            "does not name one cluster",
            "it has the contexts east, west",
            "Set 'context'",
            KUBECONFIG=contexts,
        ),
        row(
            "no_such_context",
            {"kubeconfig": contexts, "context": "north"},
            "connection_options",
            "has no context 'north'",
            "it has the contexts east, west",
        ),
        row("no_kubeconfig", {"kubeconfig": "/no/such/file"}, "connection_options", "/no/such/file does not exist"),
    ]


def trust_rows(world: World) -> list[Row]:
    """Clusters that are not there, or not to be trusted, or do not trust us."""
    expired = f"https://localhost:{world.expired}"
    row = partial(_connecting, world)
    return [
        row(
            "unreachable",
            {**world.by_token, "host": _NOBODY},
            "unreachable",
            f"Could not reach {_NOBODY}",
            "refused",
            "Check the address",
        ),
        row("wrong_token", {**world.by_token, "api_key": "wrong-token"}, "unauthorized", "renew the credentials"),
        row(
            "expired",
            {**world.by_token, "host": expired},
            "certificate",
            "certificate has expired",
            "has to be renewed on the server",
        ),
        row(
            "unverifiable",
            {key: value for key, value in world.by_token.items() if key != "ca_cert"},
            "certificate",
            "its certificate is not accepted",
            "Give the cluster's CA by 'ca_cert'",
        ),
        row(
            "credentials_of_another_cluster",
            {"host": world.cluster.server, "ca_cert": world.cluster.ca_file},
            "forbidden",
            'User "system:anonymous" cannot',
            K8S_AUTH_API_KEY=world.cluster.token,
        ),
        row(
            "unverified",
            {**world.by_token, "validate_certs": False, "require_tls_verify": True},
            "connection_options",
            "would not be verified",
            "'require_tls_verify' is on",
        ),
    ]


def object_rows(world: World) -> list[Row]:
    """Objects that the server would never take."""
    misspelt = world.virtual_service(http=[{"rout": []}])
    unknown = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": world.manifest()["metadata"]}
    row = partial(_on_cluster, world)
    return [
        row(
            "misspelt_option",
            "virtual_service",
            {**world.virtual_service(), "hots": ["a"]},
            "invalid_arguments",
            "unknown option 'hots' (did you mean 'hosts'?)",
            "ansible-doc service_mesh.istio.virtual_service",
        ),
        row("misspelt_deep", "virtual_service", misspelt, "invalid", ".spec.http[0].rout", "not declared in schema"),
        row(
            "good_then_bad",
            "config",
            _objects(world.manifest("good", hosts=["good"]), world.manifest(htp=[])),
            "invalid",
            ".spec.htp",
        ),
        row(
            "no_namespace",
            "virtual_service",
            {**world.virtual_service(), "namespace": "nowhere"},
            "not_found",
            "The namespace of VirtualService nowhere/subject does not exist",
            "Create the namespace first",
        ),
        row("unknown_kind", "config", _objects(unknown), "unknown_kind", "the kind Widget of example.com/v1"),
    ]


def input_rows(world: World) -> list[Row]:
    """What the server would take, and what is wrong all the same."""
    row = partial(_on_cluster, world)
    return [
        row("no_object", "config", _objects({"kind": "Gateway"}), "invalid_manifest", "objects[0]", "metadata.name"),
        row(
            "twice",
            "config",
            {**_objects(world.manifest()), "virtual_services": [world.virtual_service()]},
            "duplicate",
            f"VirtualService {world.namespace}/subject stands twice",
            "objects[0] and virtual_services[0]",
        ),
        row(
            "twice_in_two_versions",
            "config",
            _objects(world.manifest(), {**world.manifest(), "apiVersion": "networking.istio.io/v1beta1"}),
            "duplicate",
            "objects[0] and objects[1]",
        ),
        row(
            "conflict",
            "virtual_service",
            {**world.virtual_service(), "name": "theirs"},
            "conflict",
            ".spec.hosts is owned by 'somebody'",
            "'take_ownership_from: [somebody]'",
        ),
    ]


def injection_rows(world: World) -> list[Row]:
    """Who cannot get a sidecar, and sidecars that cannot be so."""
    row, shop = partial(_on_cluster, world), {"namespace": world.namespace, "name": "shop"}
    amounts = {"cpu_request": "100m", "cpu_limit": "1", "memory_request": "500", "memory_limit": "0"}
    both = {"name": "a", "mode": "enabled", "revision": "canary"}

    def named(**entry: Any) -> Options:
        return {"namespaces": [entry]}

    return [
        row("injection_nowhere", "injection", named(name="nowhere"), "injection", "create: true"),
        row("injection_system", "injection", named(name="kube-system"), "injection", "never injected"),
        row("injection_ending", "injection", named(name=world.ending), "injection", "is being deleted"),
        row("injection_both", "injection", named(**both), "injection", "Keep one of them", "contradict each other"),
        row("injection_share", "injection", {"selections": [{"percentage": -5}]}, "injection", "-5 is no percentage"),
        row("injection_workload", "injection", {"workloads": [shop]}, "injection", "There is no Deployment", "/shop"),
        row(
            "injection_memory",
            "injection",
            {"workloads": [{**shop, "resources": amounts}]},
            "invalid_setting",
            "'500' has no unit: to Kubernetes it is 500 bytes",
            "Did you mean 500Mi?",
        ),
        row(
            "log_level",
            "proxy_log_level",
            {"namespace": world.namespace, "pods": ["a"], "level": "debug"},
            "log_level",
            f"The Pod '{world.namespace}/a'",
            "does not exist",
        ),
    ]


def chart_rows(world: World) -> list[Row]:
    """Control planes that cannot be installed as asked."""
    archive = next(world.charts.rglob("base-*.tgz"))
    given = {"chart": "base", "path": str(archive), "sha256": "0" * 64}

    def row(id: str, code: str, *told: str, **more: Any) -> Row:
        return Row(id, "control_plane", world.control_plane(**more), code, told)

    return [
        row("external", "forbidden_by_mode", "mode 'external' does not allow to install", mode="external"),
        row(
            "no_such_version",
            "chart",
            f"The chart 'base' 1.29.99 cannot be had from {world.repository}",
            "Check that this version exists",
            version="1.29.99",
            charts={"repository": world.repository, "use_cache": False},
        ),
        row("no_revision", "invalid_revision", "'1.29.1' cannot be the name", "like 1-29-1", revision="1.29.1"),
        row("old_helm", "helm", "is too old or is not helm", "v3.7.2", helm_binary=world.old_helm()),
        row("latest", "unknown_version", "'latest' is not a version of Istio", "like 1.29.1", version="latest"),
        row("no_helm", "helm", "The program '/no/helm' is not found", "helm_binary", helm_binary="/no/helm"),
        row("no_chart", "chart", "has no chart 'base'", charts={"directory": world.folder_of("other")}),
        row("not_a_chart", "chart", "is not a Helm chart", "Chart.yaml", charts={"directory": world.folder_of("base")}),
        row("wrong_archive", "chart", "not the one that was meant", "0" * 64, charts={"archives": [given]}),
        row(
            "no_repository",
            "chart",
            "cannot be had from http://127.0.0.1:9/charts",
            "work offline",
            charts={"repository": "http://127.0.0.1:9/charts"},
        ),
    ]


def gateway_rows(world: World) -> list[Row]:
    """Gateways that cannot be what is asked for."""
    gateway = {**world.control_plane(), "name": "ingress"}
    return [
        Row(
            "external_gateway",
            "gateway_deployment",
            {**gateway, "mode": "external"},
            "forbidden_by_mode",
            ("mode 'external' does not allow to deploy a gateway",),
        ),
        Row(
            "name_of_a_gateway",
            "gateway_deployment",
            {**gateway, "name": "Ingress"},
            "invalid_name",
            ("'Ingress' cannot be the name of a gateway", "Write it like ingress"),
        ),
        Row(
            "network_of_a_gateway",
            "gateway_deployment",
            {**gateway, "type": "eastwest"},
            "conflicting_options",
            ("is of type 'eastwest' and names no network", "Set 'network' (mesh_network)"),
        ),
        Row(
            "ports_of_a_gateway",
            "gateway_deployment",
            {**gateway, "service": {"ports": [{"name": "http", "port": 80}, {"name": "tls", "port": 80}]}},
            "invalid_ports",
            ("the port 80 stands there 2 times",),
        ),
    ]


def value_rows(world: World) -> list[Row]:
    """Values that the charts would pass over in silence, or stumble over."""

    def row(id: str, code: str, *told: str, **more: Any) -> Row:
        return Row(id, "control_plane", world.control_plane(**more), code, told)

    return [
        row(
            "misspelt_value",
            "unknown_value",
            "knows no value 'meshConfg' (did you mean 'meshConfig'?)",
            values={"istiod": {"meshConfg": {}}},
        ),
        row(
            "misspelt_deep_value",
            "unknown_value",
            "'global.proxy.privilegd' (did you mean 'privileged'?)",
            values={"istiod": {"global": {"proxy": {"privilegd": True}}}},
        ),
        row(
            "value_of_another_chart",
            "unknown_value",
            "The chart 'istiod' knows no value 'cniBinDir'",
            "It is a value of the chart 'cni': move it there",
            values={"istiod": {"cniBinDir": "/opt/cni/bin"}},
        ),
        row(
            "value_of_the_wrong_type",
            "wrong_value",
            "The value 'autoscaleMin' of the chart 'istiod' has the wrong type",
            "it is a text, and a number belongs here",
            values={"istiod": {"autoscaleMin": "two"}},
        ),
        row(
            "the_charts_own_values",
            "wrong_value",
            "'_internal_defaults_do_not_set' of the chart 'cni' may not be set",
            "one level higher",
            components=["base", "istiod", "cni"],
            values={"cni": {"_internal_defaults_do_not_set": {}}},
        ),
        row("no_profile", "wrong_value", "has no profile 'ambiant' (did you mean 'ambient'?)", profile="ambiant"),
        row(
            "no_component",
            "conflicting_options",
            "values for the component 'ztunnel', which is not to be installed",
            values={"ztunnel": {}},
        ),
    ]


TABLES = (naming_rows, trust_rows, object_rows, input_rows, injection_rows, chart_rows, gateway_rows, value_rows)
