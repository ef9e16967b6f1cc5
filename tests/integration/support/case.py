"""What a row of the kinds under test is, and values that several rows share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kind import Kind, module_options
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.task.arguments import CONNECTION

Options = dict[str, Any]
# The cases stand alone, and others of their kind are in other namespaces.
_ALONE = ["subset_not_defined", "gateway_conflict", "mesh_host_taken"]


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

    def given(self, namespace: str) -> Options:
        """What a task of the module says.

        An option that the connection has too goes under another name (`host` of a DestinationRule).
        """
        names = module_options(self.kind, CONNECTION.options)
        renamed = {names.get(name, name): value for name, value in self.options.items()}
        return {"name": "subject", "namespace": namespace, "ignore_checks": _ALONE, **renamed}

    @property
    def id(self) -> str:
        return f"{self.module}-{self.name}"


def spec(**fields: Any) -> Options:
    return {"spec": fields}


METADATA: Options = {"labels": {"team": "shop"}, "annotations": {"example.com/why": "a test"}}
SELECTOR: Options = {"matchLabels": {"app": "reviews"}}
GATEWAY_REF: Options = {"kind": "Gateway", "group": "gateway.networking.k8s.io", "name": "ingress"}
