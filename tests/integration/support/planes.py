"""Control planes that are installed on a server without nodes: all is written, and the wait ends without istiod."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Failure
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.wait import NotReady
from integration.conftest import charts_of

from .bed import ISTIO, Cluster
from .operations import Operations

_CLUSTER_WIDE = "clusterroles,clusterrolebindings,mutatingwebhookconfigurations,validatingwebhookconfigurations"
_PART_OF_ISTIO = "app.kubernetes.io/part-of=istio"


@dataclass(frozen=True)
class Planes:
    """Control planes in a root namespace of the test's own."""

    cluster: Cluster
    operations: Operations
    namespace: str
    changes: Callable[[], list[str]]

    def options(self, more: Mapping[str, Any]) -> dict[str, Any]:
        version = more.get("version", ISTIO)
        charts = {} if "charts" in more else {"charts": {"directory": str(charts_of(version))}}
        source = {"helm_binary": str(self.cluster.bin / "helm"), **charts}
        return {"version": version, "namespace": self.namespace, **source, "wait_timeout": 0.0, **more}

    def plan(self, **more: Any) -> dict[str, Any]:
        """What check mode says."""
        return self.operations.run("control_plane", self.options(more), check=True)

    def install(self, **more: Any) -> list[str]:
        """Write it, as far as that goes without nodes. What was persisted."""
        self.changes()
        with pytest.raises(NotReady, match="istiod"):
            self.operations.run("control_plane", self.options(more))
        return self.changes()

    def refused(self, **more: Any) -> Failure:
        """The failure, the same in check mode and in a run, before which nothing is written."""
        self.changes()
        failures = []
        for check in (True, False):
            with pytest.raises(Failure) as refused:
                self.operations.run("control_plane", self.options(more), check=check)
            failures.append(refused.value)
        assert str(failures[0]) == str(failures[1])
        assert self.changes() == []
        return failures[0]

    def uninstall(self, check: bool = False, **more: Any) -> dict[str, Any]:
        """The result of a removal."""
        wanted = {"namespace": self.namespace, "state": "absent", **more}
        return self.operations.run("control_plane", wanted, check=check)

    def stays(self, **more: Any) -> Failure:
        """The failure of a removal, the same in check mode and in a run, before which nothing is written."""
        return self.refused(**{"state": "absent", **more})

    def remove(self) -> None:
        """All of it, whoever has made it."""
        self.cluster.clear(_CLUSTER_WIDE, labels=_PART_OF_ISTIO)
        self.cluster.rest.send("DELETE", f"/api/v1/namespaces/{self.namespace}", quietly=True)
        self.cluster.clear("deployments", self.namespace, "app=istiod")
