"""Many objects in one task: four ways, in an order in which no route names what is not there, from all inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from integration.support.audit import Audit
from integration.support.bed import Cluster
from integration.support.operations import Operations

pytestmark = pytest.mark.usefixtures("crds")
Changes = Callable[[], list[str]]
SAME = ("changed", "plan", "summary", "diff")


def wanted(namespace: str) -> dict[str, Any]:
    """Manifests of kinds of Kubernetes and Istio, a List, and lists of options; the worst order for applying."""
    place = {"namespace": namespace}
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", **place},
        "data": {"a": "1"},
    }
    telemetry = {
        "apiVersion": "telemetry.istio.io/v1",
        "kind": "Telemetry",
        "metadata": {"name": "default", **place},
        "spec": {"accessLogging": [{"providers": [{"name": "envoy"}]}]},
    }
    route = {"destination": {"host": "reviews", "subset": "v1"}}
    return {
        "objects": [telemetry, {"apiVersion": "v1", "kind": "List", "items": [config_map]}],
        "peer_authentications": [{"name": "default", **place, "mtls": {"mode": "STRICT"}}],
        "virtual_services": [{"name": "reviews", **place, "hosts": ["reviews"], "http": [{"route": [route]}]}],
        "destination_rules": [{"name": "reviews", **place, "host": "reviews", "subsets": [{"name": "v1"}]}],
        "service_entries": [{"name": "api", **place, "hosts": ["api.example.com"]}],
    }


def test_life(namespace: str, operations: Operations, changes: Changes) -> None:
    everything = wanted(namespace)
    _four_ways(operations, everything, changes, ["ConfigMap", "Telemetry", "ServiceEntry", "DestinationRule"], "create")
    _four_ways(
        operations, {**everything, "state": "absent"}, changes, ["PeerAuthentication", "VirtualService"], "delete"
    )


@pytest.mark.parametrize(
    ("before", "after", "order"),
    [
        (["v1", "v2"], ["v2"], ["virtualservices", "destinationrules"]),
        (["v1"], ["v1", "v2"], ["destinationrules", "virtualservices"]),
    ],
    ids=["leaves", "comes"],
)
def test_a_subset_is_there_as_long_as_a_route_leads_to_it(
    namespace: str, operations: Operations, changes: Changes, before: list[str], after: list[str], order: list[str]
) -> None:
    def options(subsets: list[str], to: str) -> dict[str, Any]:
        one = {"name": "reviews", "namespace": namespace}
        route = {"destination": {"host": "reviews", "subset": to}}
        return {
            "virtual_services": [{**one, "hosts": ["reviews"], "http": [{"route": [route]}]}],
            "destination_rules": [{**one, "host": "reviews", "subsets": [{"name": name} for name in subsets]}],
        }

    operations.run("config", options(before, "v1"))
    changes()
    check = operations.run("config", options(after, "v2"), check=True)
    done = operations.run("config", options(after, "v2"))
    assert [line.split()[1] for line in changes()] == order
    assert [f"{row['kind']}s".lower() for row in check["plan"]] == order
    assert done["plan"] == check["plan"]


def _four_ways(
    operations: Operations, options: dict[str, Any], changes: Changes, first: list[str], action: str
) -> None:
    check = operations.run("config", options, check=True)
    assert ({row["action"] for row in check["plan"]}, changes()) == ({action}, [])
    assert [row["kind"] for row in check["plan"]][: len(first)] == first
    done = operations.run("config", options)
    assert [done[key] for key in SAME] == [check[key] for key in SAME]
    assert len(changes()) == len(check["plan"]) == 6
    again = [operations.run("config", options, check=True), operations.run("config", options)]
    assert [(result["changed"], result["summary"]["unchanged"]) for result in again] == [(False, 6)] * 2
    assert changes() == []


def test_only_what_drifted_is_written(
    namespace: str, operations: Operations, cluster: Cluster, changes: Changes
) -> None:
    everything = wanted(namespace)
    operations.run("config", everything)
    cluster.patch("destinationrule", "reviews", namespace, {"spec": {"subsets": None}})
    changes()
    check = operations.run("config", everything, check=True)
    assert [(row["name"], row["fields"]) for row in check["plan"]] == [("reviews", ["spec.subsets"])]
    assert operations.run("config", everything)["plan"] == check["plan"]
    assert changes() == [f"patch destinationrules {namespace}/reviews"]


def test_one_entry_may_be_absent(namespace: str, operations: Operations, cluster: Cluster) -> None:
    everything = wanted(namespace)
    operations.run("config", everything)
    everything["service_entries"][0]["state"] = "absent"
    result = operations.run("config", everything)
    assert [(row["action"], row["kind"]) for row in result["plan"]] == [("delete", "ServiceEntry")]
    assert cluster.names("serviceentry", namespace) == set()
    assert cluster.names("virtualservice", namespace) == {"reviews"}


def test_result_counts_what_was_asked(namespace: str, operations: Operations, audit: Audit) -> None:
    """`requests` is the truth: as many as the server has seen."""
    mark = audit.mark()
    result = operations.run("config", wanted(namespace))
    assert sum(result["requests"].values()) == len(list(audit.requests(mark)))
    assert result["requests"]["apply"] == 6


def test_first_run_of_a_set_says_that_it_prunes_nothing(namespace: str, operations: Operations) -> None:
    """In check mode as in a run; afterwards there is nothing to say."""
    options = {**wanted(namespace), "set": "shop", "set_namespace": namespace, "prune": True}
    told = [operations.run("config", options, check=check)["warnings"] for check in (True, False, False)]
    expected = "so no object was ours and none is pruned"
    assert [expected in " ".join(warnings) for warnings in told] == [True, True, False]
