"""What a row of the kinds under test is, and values that several rows share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kind import Kind
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS

Options = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """Options of one kind's module, a drift of one of its fields as a merge patch, and that field's path."""

    module: str
    name: str
    options: Options
    drift: Options = field(default_factory=lambda: {"metadata": {"labels": {"team": "drifted"}}})
    path: str = "metadata.labels.team"

    @property
    def kind(self) -> Kind:
        return next(kind for kind in KINDS if kind.name == self.module)

    @property
    def resource(self) -> str:
        """As kubectl takes it, in full; Gateway is a name that others use as well."""
        group, _, version = self.kind.resource.api_version.partition("/")
        return f"{self.kind.resource.plural}.{version}.{group}"

    @property
    def id(self) -> str:
        return f"{self.module}-{self.name}"


def spec(**fields: Any) -> Options:
    return {"spec": fields}


METADATA: Options = {"labels": {"team": "shop"}, "annotations": {"example.com/why": "a test"}}
SELECTOR: Options = {"matchLabels": {"app": "reviews"}}
GATEWAY_REF: Options = {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "ingress"}
