"""What the input means by itself: every early check finds its case and keeps quiet about what is right."""

from __future__ import annotations

import re

import pytest
from ansible_collections.service_mesh.istio.plugins.doc_fragments.checks import ModuleDocFragment
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.analyzers import ANALYZERS
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.checks import (
    CheckFailed,
    UnknownCheck,
    check_input,
    known_codes,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired
from unit.support.meshes import Made, gateway, made, routes, service


def refused(*contents: Made) -> list[str]:
    """Codes for which the input is refused."""
    try:
        check_input([Desired(content, f"objects[{number}]") for number, content in enumerate(contents)])
    except CheckFailed as error:
        return list(dict.fromkeys(re.findall(r"\[([a-z]+_\w+)[],]", error.reason)))
    return []


ONE = service("web/a", "a", **routes(None))
SHOP = {"gateways": ["web/ingress"], **routes(None)}
CONDITION = {"http": [{"match": [{"uri": {"prefix": "/a"}}], "route": [{"destination": {"host": "a"}}]}]}
SNI = {"match": [{"sniHosts": ["x.com"]}], "route": [{"destination": {"host": "a"}}]}
PORT = {"match": [{"port": 3306}], "route": [{"destination": {"host": "a"}}]}
OTHER_PORT = {**PORT, "match": [{"port": 5432}]}
INGRESS = {"gateways": ["web/ingress"]}
SELECTED = {"selector": {"matchLabels": {"app": "a"}}}
BAD: list[tuple[str, list[Made]]] = [
    ("reserved_name", [gateway("web/mesh", "*")]),
    ("reserved_namespace", [made("Sidecar", "kube-system/a")]),
    ("weights_zero", [service("web/a", "a", **routes(0, 0))]),
    ("weights_zero", [service("web/a", "a", **routes(None, None))]),
    ("same_workloads", [made("Sidecar", "web/a"), made("Sidecar", "web/b")]),
    ("same_workloads", [made("Telemetry", "web/a"), made("Telemetry", "web/b", selector={})]),
    (
        "same_workloads",
        [made("PeerAuthentication", "web/a", **SELECTED), made("PeerAuthentication", "web/b", **SELECTED)],
    ),
    ("mesh_host_taken", [ONE, service("web/b", "a.web.svc.cluster.local", **routes(100))]),
    (
        "mesh_host_taken",
        [service("web/a", "x.com"), service("shop/b", "x.com", gateways=["g", "mesh"], exportTo=["."])],
    ),
    ("gateway_host_taken", [service("web/a", "x.com", **SHOP), service("shop/b", "x.com", **SHOP)]),
    (
        "gateway_host_taken",
        [service("web/a", "x.com", tls=[SNI], **INGRESS), service("shop/b", "*.com", tls=[SNI], **INGRESS)],
    ),
    (
        "gateway_host_taken",
        [service("web/a", "*", tcp=[PORT], **INGRESS), service("shop/b", "*", tcp=[OTHER_PORT, PORT], **INGRESS)],
    ),
    (
        "gateway_host_taken",
        [
            service("web/a", "*", tcp=[{"route": []}], **INGRESS),
            service("web/b", "*", tcp=[{"match": [{"gateways": ["ingress"]}]}], gateways=["mesh", "ingress"]),
        ],
    ),
    ("gateway_conflict", [gateway("web/a", "x.com", app="gw"), gateway("shop/b", "x.com", app="gw")]),
]
GOOD: list[list[Made]] = [
    [gateway("web/ingress", "*")],
    [made("ServiceEntry", "kube-system/a", hosts=["x.com"])],
    [
        service("web/a", "a", **routes(90, 10)),
        service("web/b", "b", **routes(None)),
        service("web/c", "c", **routes(1)),
        service("web/d", "d", **routes("50", "50")),
        service("web/e", "e", **routes(0, "100")),
        service("web/f", "f", **routes(True, 0)),
        service("web/d", "d", **routes(0)),
        service("web/e", "e", **routes(3, 1)),
    ],
    [
        made("Sidecar", "web/a"),
        made("Sidecar", "shop/a"),
        made("Sidecar", "web/b", workloadSelector={"labels": {"a": "b"}}),
    ],
    [made("Telemetry", "web/a"), made("Telemetry", "web/b", targetRefs=[{"kind": "Gateway", "name": "g"}])],
    [ONE, service("shop/a", "a", **routes(None))],
    [service("web/a", "x.com", exportTo=["."]), service("shop/b", "x.com", exportTo=["."])],
    [service("web/a", "x.com", **SHOP), service("shop/b", "x.com", gateways=["web/ingress"], **CONDITION)],
    [service("web/a", "x.com", **SHOP), service("shop/b", "x.com", gateways=["shop/ingress"], **routes(None))],
    [
        service("web/a", "x.com", tls=[SNI], **INGRESS),
        service("web/b", "x.com", tls=[{**SNI, "match": [{"sniHosts": ["x.com"], "port": 8443}]}], **INGRESS),
        service("web/c", "y.com", tls=[{**SNI, "match": [{"sniHosts": ["y.com"]}]}], **INGRESS),
        service("web/d", "x.com", tls=[{**SNI, "match": [{"sniHosts": ["x.com"], "gateways": ["other"]}]}], **INGRESS),
    ],
    [service("web/a", "*", tcp=[PORT], **INGRESS), service("web/b", "*", tcp=[OTHER_PORT], **INGRESS)],
    [service("web/a", "*", tcp=[PORT], gateways=["mesh"]), service("shop/b", "b", tcp=[PORT], **INGRESS)],
    [
        gateway("web/a", "x.com", app="gw"),
        gateway("shop/b", "x.com", app="other"),
        gateway("shop/c", "x.com", 443, app="gw"),
    ],
]


@pytest.mark.parametrize(("code", "contents"), BAD)
def test_input_is_refused_whatever_its_order(code: str, contents: list[Made]) -> None:
    assert refused(*contents) == refused(*reversed(contents)) == [code]


@pytest.mark.parametrize("contents", GOOD)
def test_right_input_passes(contents: list[Made]) -> None:
    assert refused(*contents) == []


@pytest.mark.parametrize("contents", [pair for code, pair in BAD if len(pair) == 2])
def test_objects_of_two_revisions_do_not_collide(contents: list[Made]) -> None:
    """Each istiod reads its own, and those that are for none."""
    one, other = contents
    assert refused(of_revision(one, "stable"), of_revision(other, "canary")) == []
    assert refused(of_revision(one, "stable"), of_revision(other, "stable")) != []
    assert refused(of_revision(one, "stable"), other) != []


def of_revision(content: Made, revision: str) -> Made:
    return {**content, "metadata": {**content["metadata"], "labels": {"istio.io/rev": revision}}}


def test_every_early_check_has_its_case() -> None:
    assert {code for code, _contents in BAD} == {found.code for found in ANALYZERS.values() if found.early}
    assert {found.level for found in ANALYZERS.values() if found.early} == {"error"}


def test_a_refusal_names_object_place_field_and_code() -> None:
    with pytest.raises(CheckFailed) as refusal:
        check_input([Desired(made("Sidecar", f"web/{name}"), f"shop.yaml, document {name}") for name in "12"])
    assert str(refusal.value) == (
        "The objects cannot be right together: Sidecar web/2 (shop.yaml, document 2): spec: Sidecar web/1 is for the "
        "same workloads of the namespace (all without one of their own): only the older one counts "
        "[same_workloads, istioctl: IST0110, IST0111, IST0159, IST0160]. "
        "Correct them, or if it is meant so: 'ignore_checks: [same_workloads]'. Nothing has been written."
    )


@pytest.mark.parametrize("code", sorted({code for code, _contents in BAD}))
def test_a_code_switches_its_check_off(code: str) -> None:
    for _code, contents in (case for case in BAD if case[0] == code):
        check_input([Desired(content) for content in contents], known_codes([code]))


def test_an_unknown_code_is_answered_with_the_right_one() -> None:
    with pytest.raises(UnknownCheck, match=r"'weight_not_100' \(did you mean 'weights_not_100'\?\)"):
        known_codes(["strict_outside_mesh", "weight_not_100"])


def test_every_code_is_documented() -> None:
    assert [code for code in ANALYZERS if f"V({code}), " not in " ".join(ModuleDocFragment.DOCUMENTATION.split())] == []


def test_ten_thousand_objects_are_compared_in_a_moment() -> None:
    """Each with each would be fifty million comparisons."""
    contents = [
        Desired(service(f"web/s{n}", f"h{n}.com", gateways=["in", "mesh"], **routes(90, 10))) for n in range(10_000)
    ]
    check_input(contents)
