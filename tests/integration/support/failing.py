"""Tasks that must fail: what they are made of, and what a person must be told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from .bed import ISTIO, Cluster
from .playbook import Result

Options = Mapping[str, Any]


@dataclass(frozen=True)
class World:
    """What the rows are made of."""

    cluster: Cluster
    charts: Path
    namespace: str
    folder: Path
    expired: int
    repository: str

    @property
    def kubeconfig(self) -> Options:
        return {"kubeconfig": self.cluster.kubeconfig}

    @property
    def ending(self) -> str:
        """A namespace that is being deleted and does not get away."""
        return f"{self.namespace}-ending"

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

    @property
    def peer(self) -> Options:
        return {"name": "subject", "namespace": self.namespace, "mtls": {"mode": "STRICT"}}

    def virtual_service(self, **more: Any) -> Options:
        return {"name": "subject", "namespace": self.namespace, "hosts": ["reviews"], **more}

    def manifest(self, name: str = "subject", **spec: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": self.namespace}
        head = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": metadata}
        return {**head, "spec": {"hosts": ["reviews"], **spec}}

    def control_plane(self, **more: Any) -> Options:
        defaults = {"version": ISTIO, "namespace": self.namespace, "helm_binary": str(self.cluster.bin / "helm")}
        return {**self.kubeconfig, **defaults, "charts": {"directory": str(self.charts)}, **more}

    def old_helm(self) -> str:
        """A program that says of itself what helm 3.7.2 says."""
        program = self.folder / "helm-3.7.2"
        program.write_text("#!/bin/sh\necho v3.7.2+g663a896\n", encoding="utf-8")
        program.chmod(0o755)
        return str(program)

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

    def untold(self, result: Result) -> str:
        """What the result of the task lacks, or nothing."""
        message, failure = result.data["msg"], result.data.get("failure") or {}
        missing = [piece for piece in self.told if piece not in message]
        if result.status == "ignored" and failure.get("code") == self.code and not missing:
            return ""
        return f"{self.id}: {failure.get('code')}: {message} (lacks {missing})"
