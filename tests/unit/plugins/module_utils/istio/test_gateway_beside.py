"""A new workload beside the old one: its name, what waits for what, and what must not be left behind."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.gateway_beside import (
    GONE,
    MOVED,
    GatewayLeftBehind,
    ImmutableSelector,
    old_workloads,
    placed,
    refuse_left_behind,
    selecting,
    stages_of,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.gateway_objects import (
    ForeignGateway,
    There,
    workload_of,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Key
from unit.support.clusters import Made, made
from unit.support.gateways import live, there, workload
from unit.support.meshes import gateway

EDGE = workload(app="edge")
TARGET = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "ingress"}}
SCALER = made("HorizontalPodAutoscaler", "web/ingress", spec=TARGET)
SERVICE = made("Service", "web/ingress", spec={})
ACCOUNT = made("ServiceAccount", "web/ingress")
OLD = live(workload())


def name(objects: list[Made]) -> str:
    return str(workload_of(objects)["metadata"]["name"])


def beside(*objects: Made) -> There:
    return there(*objects, replace="beside")


def test_the_same_labels_are_the_same_workload() -> None:
    assert placed([workload(), SCALER], there(OLD)) == [workload(), SCALER]
    assert name(placed([EDGE], there())) == "ingress"


def test_other_labels_are_refused_with_the_way_that_works() -> None:
    with pytest.raises(ImmutableSelector) as refusal:
        placed([EDGE], there(OLD))
    message = str(refusal.value)
    assert "Deployment web/ingress on east cannot select its Pods by other labels" in message
    assert "it selects app=ingress,istio=ingress, the options ask for app=edge,istio=ingress" in message
    assert "spec.selector: field is immutable" in message
    assert "set 'replace: beside'" in message


def test_beside_it_has_a_name_of_its_own_and_its_autoscaler_follows() -> None:
    objects = placed([EDGE, SCALER, SERVICE], beside(OLD))
    new, scaler, service = objects
    assert new["metadata"]["name"].startswith("ingress-")
    assert scaler["metadata"]["name"] == "ingress"
    assert scaler["spec"]["scaleTargetRef"]["name"] == new["metadata"]["name"]
    assert service is SERVICE
    assert objects == placed([EDGE, SCALER, SERVICE], beside(OLD))


def test_it_is_found_again_and_the_way_back_leads_to_the_first_name() -> None:
    new = live(workload_of(placed([EDGE], beside(OLD))))
    assert name(placed([EDGE], there(OLD, new))) == new["metadata"]["name"]
    assert name(placed([EDGE], there(new))) == new["metadata"]["name"]
    assert name(placed([workload()], beside(new))) == "ingress"


def test_it_begins_with_as_many_replicas_as_there_are() -> None:
    scaled = live(workload(replicas=3))
    new = workload_of(placed([EDGE, SCALER], beside(scaled)))
    assert new["spec"]["replicas"] == 3
    assert "replicas" not in workload_of(placed([EDGE], beside(scaled, live(new))))["spec"]
    assert workload_of(placed([workload(app="edge", replicas=2)], beside(scaled)))["spec"]["replicas"] == 2


def test_the_old_ones_go_last_and_what_leads_to_them_moves_before() -> None:
    objects = placed([EDGE, SCALER, SERVICE, ACCOUNT], beside(OLD))
    old = old_workloads(objects, beside(OLD))
    assert old == [OLD]
    assert stages_of(objects, old, [Key.of(OLD)]) == {Key.of(SERVICE): MOVED, Key.of(SCALER): MOVED, Key.of(OLD): GONE}
    assert stages_of(objects, [], [Key.of(SCALER)]) == {}


@pytest.mark.parametrize(
    ("gateways", "left"),
    [
        ([], False),
        ([gateway("web/shop", "shop.example.com", istio="ingress")], False),
        ([gateway("web/shop", "shop.example.com", app="ingress")], True),
        (
            [
                gateway("web/shop", "shop.example.com", app="ingress"),
                gateway("web/new", "shop.example.com", app="edge"),
            ],
            False,
        ),
        (
            [
                gateway("web/shop", "shop.example.com", app="ingress"),
                gateway("web/new", "shop.example.com", 443, app="edge"),
            ],
            True,
        ),
    ],
)
def test_what_only_the_old_pods_serve_is_not_left_behind(gateways: list[Made], left: bool) -> None:
    found = beside(OLD, *gateways)
    new = workload_of(placed([EDGE], found))
    if not left:
        refuse_left_behind(found, new, [OLD])
        return
    with pytest.raises(GatewayLeftBehind) as refusal:
        refuse_left_behind(found, new, [OLD])
    assert "would not serve shop.example.com on port 80: Gateway web/shop says so only for Pods" in str(refusal.value)


def test_who_loses_its_gateway_is_told() -> None:
    objects = [OLD, gateway("web/shop", "a", istio="ingress"), gateway("web/other", "a", istio="other")]
    (told,) = selecting(there(*objects), [OLD])
    assert told.startswith("Gateway web/shop selects the gateway web/ingress")
    assert list(selecting(there(*objects), [])) == []


def test_ours_is_what_our_manager_applied_under_the_gateways_label() -> None:
    theirs = live(workload("other"), manager="helm")
    older = live(ACCOUNT, label="")  # from before there was a label
    another = live(workload("partners"), label="partners")
    found = there(OLD, theirs, older, another)
    assert {Key.of(each) for each in found.ours} == {Key.of(OLD), Key.of(older)}


def test_what_bears_the_name_and_is_not_ours_is_refused_with_its_owner() -> None:
    theirs = live(workload(), manager="helm", label="")
    release = {"meta.helm.sh/release-name": "ingress", "meta.helm.sh/release-namespace": "web"}
    theirs["metadata"]["annotations"] = release
    found = there(theirs)
    with pytest.raises(ForeignGateway) as refusal:
        found.refuse_foreign(found.namesakes())
    assert "it belongs to Helm release web/ingress" in str(refusal.value)
    other = there(live(SERVICE, manager="service_mesh.istio/config", label=""))
    with pytest.raises(ForeignGateway, match="it is kept by "):
        other.refuse_foreign(other.namesakes())
    there(OLD).refuse_foreign(there(OLD).namesakes())
