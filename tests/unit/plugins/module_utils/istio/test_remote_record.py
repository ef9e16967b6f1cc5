"""Injectors without an istiod: whose control plane it is, and what is recorded of the charts that lead there."""

from __future__ import annotations

import json
from dataclasses import replace

from ansible_collections.service_mesh.istio.plugins.module_utils.istio.remote_record import (
    Remote,
    recorded_globals,
    remote_asks,
    remotes_of,
    trust_domain_in,
    values_asks,
)
from unit.support.clusters import Made, injector, istiod, made, snapshot


def root(**annotations: str) -> Made:
    return made("Namespace", "istio-system", metadata={"annotations": annotations})


def values(revision: str = "", version: str = "1.29.1") -> Made:
    record = {"service-mesh-istio/version": version} if version else {}
    merged = json.dumps({"global": {"meshID": "shop", "multiCluster": {"clusterName": "west"}}})
    name = f"istio-system/values-{revision}" if revision else "istio-system/values"
    return made("ConfigMap", name, metadata={"annotations": record}, data={"merged-values": merged})


SERVED = root(**{"topology.istio.io/controlPlaneClusters": "east"})


def test_a_revision_that_injects_from_elsewhere() -> None:
    there = snapshot(SERVED, injector(), injector("canary"), values(), values("canary", ""))
    assert [replace(one, way="") for one in remotes_of(there)] == [
        Remote("istio-system", "default", "east", "1.29.1"),
        Remote("istio-system", "canary", "east", ""),
    ]
    assert [ask.name for ask in remote_asks(there)] == ["", "values", "values-canary"]


def test_another_way_is_told_apart_from_the_one_that_was_seen() -> None:
    """By whatever the charts were told, whose they are, and whose control plane it is; not by who looked."""

    def way(*objects: Made) -> tuple[str, str]:
        (one,) = remotes_of(snapshot(injector(), *objects))
        return one.way, one.seen

    first, seen = way(SERVED, values())
    assert (len(first), seen) == (16, "")
    noted = values()
    noted["metadata"]["annotations"]["service-mesh-istio/served"] = first
    assert way(SERVED, noted) == (first, first)
    west = root(**{"topology.istio.io/controlPlaneClusters": "west"})
    elsewhere = {**values(), "data": {"merged-values": json.dumps({"global": {"remotePilotAddress": "192.0.2.7"}})}}
    others = [
        way(*objects)[0] for objects in ((west, values()), (SERVED, values(version="1.30.0")), (SERVED, elsewhere))
    ]
    assert len({first, *others}) == 4


def test_an_injector_with_its_istiod_is_no_question() -> None:
    there = snapshot(istiod("1.29.1"), istiod("1.30.0", "canary"), injector(), injector("canary"), injector(tag="prod"))
    assert (remote_asks(there), remotes_of(there)) == ([], [])
    other = snapshot(SERVED, istiod("1.29.1", place="istio-of-others"), injector(), values())
    assert [one.version for one in remotes_of(other)] == ["1.29.1"], "the istiod of another mesh does not serve it"


def test_a_cluster_whose_istiod_is_gone_is_served_by_nobody() -> None:
    (one,) = remotes_of(snapshot(root(), injector(), values()))
    assert one.primary == ""


def test_a_trust_domain_is_that_of_the_charts_values() -> None:
    told = {"meshConfig": {"trustDomain": "old.example"}}
    assert trust_domain_in({**values(), "data": {"merged-values": json.dumps(told)}}) == "old.example"
    assert trust_domain_in(values()) == "cluster.local", "which is what an istiod takes that is told none"
    assert trust_domain_in(made("ConfigMap", "istio-system/istio-sidecar-injector", data={"values": "{}"})) == ""
    asks = [(ask.namespace, ask.name) for ask in values_asks([istiod("1.29.1"), istiod("1.30.0", "canary")])]
    assert asks == [("istio-system", "values"), ("istio-system", "values-canary")]


def test_names_are_those_of_our_record_alone() -> None:
    assert recorded_globals(values())["meshID"] == "shop"
    assert recorded_globals(values(version="")) == {}
    assert recorded_globals({**values(), "data": {"merged-values": "{"}}) == {}
