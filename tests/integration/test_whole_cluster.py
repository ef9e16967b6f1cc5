"""Control plane and gateway from the real charts on a cluster with a node, and what only a running istiod answers.

The cluster is of a bed of its own, so that it is empty whatever the developer's has, and stays so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import DeniedByWebhook
from integration.support import bed
from integration.support.audit import Audit
from integration.support.bed import ISTIO, ROOT, Cluster
from integration.support.operations import Operations

pytestmark = [pytest.mark.root, pytest.mark.slow]
TESTBED = ROOT / "tests" / "testbed"


@dataclass(frozen=True)
class FourWays:
    """Check, run, check, run; and what each run has persisted."""

    results: tuple[dict[str, Any], ...]
    persisted: tuple[list[str], ...]
    webhooks: tuple[str, ...]


@dataclass(frozen=True)
class Empty:
    """A cluster with nothing on it."""

    cluster: Cluster
    operations: Operations
    audit: Audit
    charts: Path

    def four_ways(self, module: str, **options: Any) -> FourWays:
        source = {"version": ISTIO, "charts": {"directory": str(self.charts)}}
        wanted = {**source, "helm_binary": str(self.cluster.bin / "helm"), "wait_timeout": 100.0, **options}
        results, persisted, webhooks = [], [], []
        for check in (True, False, True, False):
            mark = self.audit.mark()
            results.append(self.operations.run(module, wanted, check=check))
            persisted.append(self.audit.persisted(mark))
            webhooks.append(self.webhooks())
        return FourWays(tuple(results), tuple(persisted), tuple(webhooks))

    def webhooks(self) -> str:
        """resourceVersions: they move when anybody writes, even what was there before."""
        path = "jsonpath={range .items[*]}{.metadata.name}={.metadata.resourceVersion} {end}"
        return self.cluster.kubectl("get", "mutatingwebhookconfiguration,validatingwebhookconfiguration", "-o", path)


@pytest.fixture(scope="module")
def empty(charts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Empty]:
    with bed.own_cluster("cluster", tmp_path_factory.mktemp("whole")) as cluster:
        yield Empty(cluster, Operations({"kubeconfig": cluster.kubeconfig}), Audit(Path(cluster.audit_log)), charts)


def values(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((TESTBED / "values" / f"{name}.yaml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def control_plane(empty: Empty) -> FourWays:
    return empty.four_ways("control_plane", values={"istiod": values("istiod")})


@pytest.fixture(scope="module")
def gateway(empty: Empty, control_plane: FourWays) -> FourWays:
    assert control_plane.results[1]["changed"]
    return empty.four_ways("gateway_deployment", name="ingress", namespace="istio-ingress", values=values("gateway"))


@pytest.mark.parametrize("name", ["control_plane", "gateway"])
def test_four_ways(name: str, request: pytest.FixtureRequest) -> None:
    done: FourWays = request.getfixturevalue(name)
    check, run, check_again, run_again = done.results
    assert [(row["action"], row["kind"], row["name"]) for row in check["plan"]] == [
        (row["action"], row["kind"], row["name"]) for row in run["plan"]
    ]
    assert check["summary"] == run["summary"]
    assert (check["changed"], run["changed"]) == (True, True)
    assert len(done.persisted[1]) == len(run["plan"])
    assert [(result["changed"], result["plan"]) for result in (check_again, run_again)] == [(False, [])] * 2
    assert (done.persisted[0], done.persisted[2], done.persisted[3]) == ([], [], [])
    assert done.webhooks[1] == done.webhooks[2] == done.webhooks[3]


def test_everything_is_ready(empty: Empty, gateway: FourWays) -> None:
    assert gateway.results[1]["changed"]
    mesh = empty.operations.run("mesh_info", {})["mesh"]
    assert (mesh["ready"], mesh["versions"]) == (True, [ISTIO])
    assert {component["owner"] for part in ("control_planes", "gateways", "webhooks") for component in mesh[part]} == {
        "service_mesh.istio"
    }


def test_istiod_refuses_what_the_schema_lets_pass(empty: Empty, control_plane: FourWays) -> None:
    """Our own check would refuse it even earlier, so it is left out: what istiod says has to arrive, too."""
    assert control_plane.results[1]["changed"]
    route = [{"destination": {"host": "reviews"}, "weight": -1}]
    wanted = {"name": "subject", "namespace": "default", "hosts": ["reviews"], "http": [{"route": route}]}
    wanted["ignore_checks"] = ["weights_not_100"]
    mark = empty.audit.mark()
    for check in (True, False):
        with pytest.raises(DeniedByWebhook, match="weight -1 < 0") as refused:
            empty.operations.run("virtual_service", wanted, check=check)
        assert refused.value.as_dict()["code"] == "denied_by_webhook"
        assert "Correct the object as the webhook says" in str(refused.value)
    assert empty.audit.persisted(mark) == []


def test_drifted_control_plane_heals(empty: Empty, control_plane: FourWays) -> None:
    assert control_plane.results[1]["changed"]
    change = {"metadata": {"labels": {"istio": None}}}
    empty.cluster.patch("deployment", "istiod", "istio-system", change)
    options = {"values": {"istiod": values("istiod")}}
    first, healed, *again = empty.four_ways("control_plane", **options).results
    assert [(row["name"], row["fields"]) for row in first["plan"]] == [("istiod", ["metadata.labels.istio"])]
    assert healed["plan"] == first["plan"]
    assert [result["changed"] for result in again] == [False, False]
