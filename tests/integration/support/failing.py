"""Tasks that must fail, as a table: what is asked, and what a person must be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .bed import ISTIO, Cluster

Options = Mapping[str, Any]
_NOBODY = "https://127.0.0.1:9"


@dataclass(frozen=True)
class World:
    """What the rows are made of."""

    cluster: Cluster
    charts: Path
    namespace: str
    folder: Path
    expired: int

    @property
    def kubeconfig(self) -> Options:
        return {"kubeconfig": self.cluster.kubeconfig}

    @property
    def by_token(self) -> Options:
        return {"host": self.cluster.server, "api_key": self.cluster.token, "ca_cert": self.cluster.ca_file}

    def contexts(self) -> str:
        """A kubeconfig that could mean two clusters."""
        content = yaml.safe_load(Path(self.cluster.kubeconfig).read_text(encoding="utf-8"))
        only = content["contexts"][0]
        content["contexts"] = [{**only, "name": "east"}, {**only, "name": "west"}]
        content["current-context"] = "east"
        file = self.folder / "contexts"
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return str(file)

    def virtual_service(self, **more: Any) -> Options:
        return {"name": "subject", "namespace": self.namespace, "hosts": ["reviews"], **more}

    def manifest(self, name: str = "subject", **spec: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace}
        head = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata}
        return {**head, "spec": {"hosts": ["reviews"], **spec}}

    def control_plane(self, **more: Any) -> Options:
        defaults = {"version": ISTIO, "namespace": self.namespace, "helm_binary": str(self.cluster.bin / "helm")}
        return {**self.kubeconfig, **defaults, "charts": {"directory": str(self.charts)}, **more}

    def folder_of(self, *names: str) -> str:
        """A folder with empty folders in it."""
        root = self.folder / "-".join(("charts", *names))
        for name in names:
            (root / name).mkdir(parents=True, exist_ok=True)
        root.mkdir(exist_ok=True)
        return str(root)


@dataclass(frozen=True)
class Row:
    """A task, the code of its failure, and pieces of the message."""

    id: str
    module: str
    options: Options
    code: str
    told: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def task(self) -> dict[str, Any]:
        name = f"service_mesh.istio.{self.module}"
        return {"name": self.id, name: dict(self.options), "environment": dict(self.environment), "ignore_errors": True}


def connection_rows(world: World) -> list[Row]:
    """Clusters that are not named, not there, or not to be trusted."""
    contexts = world.contexts()
    expired = f"https://localhost:{world.expired}"

    def row(id: str, options: Options, code: str, *told: str, **environment: str) -> Row:
        return Row(id, "peer_authentication", {**_peer(world), **options}, code, told, environment)

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


def _peer(world: World) -> Options:
    return {"name": "subject", "namespace": world.namespace, "mtls": {"mode": "STRICT"}}


def input_rows(world: World) -> list[Row]:
    """Objects that cannot be right."""
    misspelt = world.virtual_service(http=[{"rout": []}])
    unknown = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": world.manifest()["metadata"]}

    def row(id: str, module: str, options: Options, code: str, *told: str) -> Row:
        return Row(id, module, {**world.kubeconfig, **options}, code, told)

    def objects(*items: Any) -> Options:
        return {"objects": list(items)}

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
        row("good_then_bad", "config", objects(world.manifest("good"), world.manifest(htp=[])), "invalid", ".spec.htp"),
        row(
            "no_namespace",
            "virtual_service",
            {**world.virtual_service(), "namespace": "nowhere"},
            "not_found",
            "The namespace of VirtualService nowhere/subject does not exist",
            "Create the namespace first",
        ),
        row("unknown_kind", "config", objects(unknown), "unknown_kind", "the kind Widget of example.com/v1"),
        row("no_object", "config", objects({"kind": "Gateway"}), "invalid_manifest", "objects[0]", "metadata.name"),
        row(
            "twice",
            "config",
            {**objects(world.manifest()), "virtual_services": [world.virtual_service()]},
            "duplicate",
            f"VirtualService {world.namespace}/subject stands twice",
            "objects[0] and virtual_services[0]",
        ),
        row(
            "twice_in_two_versions",
            "config",
            objects(world.manifest(), {**world.manifest(), "apiVersion": "networking.istio.io/v1beta1"}),
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
        row("injection_nowhere", "injection", {"namespaces": [{"name": "nowhere"}]}, "injection", "create: true"),
        row("injection_system", "injection", {"namespaces": [{"name": "kube-system"}]}, "injection", "never injected"),
    ]


def chart_rows(world: World) -> list[Row]:
    """Control planes and gateways that cannot be installed as asked."""
    archive = next(world.charts.rglob("base-*.tgz"))
    given = {"chart": "base", "path": str(archive), "sha256": "0" * 64}
    gateway = {**world.control_plane(), "name": "ingress"}

    def row(id: str, code: str, *told: str, **more: Any) -> Row:
        return Row(id, "control_plane", world.control_plane(**more), code, told)

    return [
        row("external", "forbidden_by_mode", "mode 'external' does not allow to install", mode="external"),
        Row(
            "external_gateway",
            "gateway_deployment",
            {**gateway, "mode": "external"},
            "forbidden_by_mode",
            ("mode 'external' does not allow to deploy a gateway",),
        ),
        row("latest", "unknown_version", "'latest' is not a version of Istio", "like 1.29.1", version="latest"),
        row("no_helm", "helm", "The program '/no/helm' is not found", "helm_binary", helm_binary="/no/helm"),
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
