"""What changes mean in a cluster: subsets and gateways that are missing, and whom a stricter policy cuts off."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.analyzers import ANALYZERS
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.checks import CheckFailed, check_cluster
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.kinds import KINDS
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.routing_checks import canonical
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.world import Change
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Forbidden
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import Resource
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired, Key
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.plan import Action
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.support.meshes import Cluster, Made, found, gateway, made, pod, routes, rule, service, to_subset


@pytest.mark.parametrize(
    ("host", "rules"),
    [
        ("a", [rule("web/r", "a", "v1")]),
        ("a", [rule("other/r", "a.web.svc.cluster.local", "v1")]),
        ("a.web.svc.cluster.local", [rule("web/r", "a", "v1")]),
        ("a", [rule("other/r", "*.web.svc.cluster.local", "v1")]),
        ("a", [rule("other/r", "*.local", "v1")]),
        ("a.web.svc.corp.local", [rule("web/r", "a", "v1")]),
        ("a", [rule("other/r", "a.web.svc.corp.local", "v1")]),
        ("a", [rule("other/r", "*.web.svc.corp.local", "v1")]),
        ("a", [rule("other/r", "*.svc.corp.local", "v1")]),
        ("x.example.com", [rule("web/r", "*.example.com", "v2"), rule("web/s", "x.example.com", "v1")]),
    ],
)
def test_a_subset_is_found_by_every_name_of_its_host(host: str, rules: list[Made]) -> None:
    using = service("web/a", host, **to_subset(host, "v1"))
    assert found("subset_not_defined", using, *rules) == []
    assert found("subset_not_defined", using)


def test_an_undefined_subset_is_told_with_those_that_exist() -> None:
    using = service("web/a", "a", http=[{"mirrors": [{"destination": {"host": "a", "subset": "v3"}}]}])
    assert found("subset_not_defined", using, rule("web/r", "a", "blue", "v33")) == [
        "spec.http[0].mirrors[0].destination.subset: no DestinationRule defines the subset 'v3' of a.web "
        "(did you mean 'v33'?); there are blue, v33"
    ]


def test_a_subset_does_not_go_while_it_is_used() -> None:
    using, before = service("web/a", "a", **to_subset("a", "v1")), rule("web/r", "a", "v1", "v2")
    told = ["spec.subsets: VirtualService web/a still routes to its subset 'v1'"]
    assert found("subset_in_use", None, using, before=before) == told
    assert found("subset_in_use", rule("web/r", "a", "v2"), using, before=before) == told
    assert found("subset_in_use", rule("web/r", "a", "v1"), using, before=before) == []
    assert found("subset_in_use", None, using, rule("web/other", "a", "v1"), before=before) == []


def test_what_is_deleted_in_the_same_plan_collides_with_nothing() -> None:
    old, new = made("Sidecar", "web/old"), made("Sidecar", "web/new")
    gone, comes = Change(Key.of(old), old, None), Change(Key.of(new), None, new)
    assert list(ANALYZERS["same_workloads"].find(comes, Cluster([old], [gone, comes]))) == []
    assert list(ANALYZERS["same_workloads"].find(comes, Cluster([old], [comes]))) != []


def test_warnings_about_routes() -> None:
    relative = found("weights_not_100", service("web/a", "a", **routes(90, 20)))
    assert relative == [
        "spec.http[0].route: the weights sum to 110, not to 100: each destination gets its share of 110"
    ]
    for right in (routes(90, 10), routes(1), routes(0, 0)):
        assert found("weights_not_100", service("web/a", "a", **right)) == []
    missing = found(
        "gateway_not_defined", service("web/a", "x.com", gateways=["mesh", "in", "shop/in"]), gateway("web/in", "*")
    )
    assert missing == ["spec.gateways[2]: there is no Gateway shop/in"]
    policy = {"trafficPolicy": {"tls": {"mode": "DISABLE"}}}
    shadowed = found("rule_shadowed", rule("web/b", "a", "v1", **policy), rule("web/a", "a", "v1", **policy))
    assert [text.partition(":")[0] for text in shadowed] == ["spec.subsets", "spec.trafficPolicy"]
    assert found("rule_shadowed", rule("web/b", "a", "v1"), rule("web/a", "a", "v2", **policy)) == []
    entry = made("ServiceEntry", "web/a", hosts=["x.com"])
    assert len(found("service_host_taken", entry, made("ServiceEntry", "shop/a", hosts=["x.com"]))) == 1
    assert found("service_host_taken", entry, made("ServiceEntry", "web/b", hosts=["x.com"])) == []


class Client:
    """Answers a LIST of what is there; of the whole cluster only for who may read it."""

    def __init__(self, *there: Made, everywhere: bool = True) -> None:
        self.there, self.everywhere = there, everywhere

    def list_objects(self, resource: Resource, namespace: str | None) -> list[Made]:
        if not namespace and not self.everywhere:
            raise Forbidden("Could not list", status=403)
        of_kind = [item for item in self.there if Key.of(item).group_kind == resource.group_kind]
        return [item for item in of_kind if namespace in (None, item["metadata"]["namespace"])]


def warned(client: Any, after: Made, before: Made | None = None, *, check_mode: bool = False) -> list[str]:
    """What all checks tell of one write."""
    desired = Desired(after)
    resource = next(kind.resource for kind in KINDS if kind.resource.kind == after["kind"])
    action = Action("update" if before else "create", desired.key, resource, (), "", desired, before, after)
    return check_cluster(client, [action], check_mode=check_mode)


def test_a_missing_gateway_is_told_with_doubt_where_it_may_be_out_of_sight() -> None:
    routed = service("web/a", "x.com", gateways=["shop/in"])
    fact = "VirtualService web/a: spec.gateways[0]: there is no Gateway shop/in"
    code = " [gateway_not_defined, istioctl: IST0101]"
    assert warned(Client(), routed) == [fact + code]
    for doubted in (warned(Client(), routed, check_mode=True), warned(Client(everywhere=False), routed)):
        assert doubted == [f"{fact}, as far as this task can see{code}"]


def labelled(content: Made, labels: dict[str, str]) -> Made:
    return {**content, "metadata": {**content["metadata"], "labels": labels}}


def test_who_leaves_a_revision_is_compared_with_all_that_its_istiod_reads() -> None:
    ours, theirs = made("Sidecar", "web/a"), labelled(made("Sidecar", "web/b"), {"istio.io/rev": "blue"})
    before = labelled(ours, {"istio.io/rev": "green"})
    with pytest.raises(CheckFailed, match="Sidecar web/b is for the same workloads"):
        warned(Client(before, theirs), ours, before)
    assert warned(Client(before, theirs), labelled(ours, {"istio.io/rev": "red"}), before) == []


def test_what_is_wrong_already_is_no_reason_against_another_label() -> None:
    before, theirs = made("Sidecar", "web/a"), made("Sidecar", "web/b")
    assert warned(Client(before, theirs), labelled(before, {"team": "a"}), before) == []


OWNED = {"ownerReferences": [{"controller": True, "kind": "ReplicaSet", "name": "cart-77"}]}
PODS = [
    pod("web/cart-77-x", "cart", True, **OWNED),
    pod("web/cart-77-y", "cart", True, **OWNED),
    pod("web/pay", "pay", True),
    pod("web/old", "old", False),
    pod("shop/far", "far", False),
    pod("kube-system/dns", "dns", False),
]
CART = {"selector": {"matchLabels": {"app": "cart"}}}


def test_first_allow_names_what_it_cuts_off() -> None:
    everyone = made("AuthorizationPolicy", "web/new", rules=[{}])
    (told,) = found("first_allow", everyone, *PODS)
    assert told.endswith("for Deployment web/cart, Pod web/pay")
    (told,) = found("first_allow", everyone, *PODS, made("AuthorizationPolicy", "web/there", **CART))
    assert told.endswith("for Pod web/pay")
    for there in (made("AuthorizationPolicy", "web/there"), made("AuthorizationPolicy", "istio-system/there")):
        assert found("first_allow", everyone, *PODS, there) == []


@pytest.mark.parametrize(
    "policy",
    [
        {"action": "DENY"},
        {"action": "AUDIT"},
        {"targetRefs": [{"kind": "Service", "name": "a"}]},
        {"selector": {"matchLabels": {"app": "nobody"}}},
    ],
)
def test_what_refuses_nothing_new_is_no_first_allow(policy: Made) -> None:
    assert found("first_allow", made("AuthorizationPolicy", "web/new", **policy), *PODS) == []


def test_an_allow_policy_that_is_there_already_is_not_the_first() -> None:
    before = made("AuthorizationPolicy", "web/new", **CART)
    assert found("first_allow", {**before, "spec": {**CART, "rules": [{}]}}, *PODS, before=before) == []
    (told,) = found("first_allow", {**before, "spec": {}}, *PODS, before=before)
    assert "web/pay" in told


def test_strict_names_who_sends_plaintext() -> None:
    strict = {"mtls": {"mode": "STRICT"}}
    (told,) = found("strict_outside_mesh", made("PeerAuthentication", "web/a", **strict), *PODS)
    assert told == (
        "spec.mtls.mode: STRICT refuses plaintext, all that these can send in the namespace web: Pod web/old"
    )
    (told,) = found("strict_outside_mesh", made("PeerAuthentication", "istio-system/a", **strict), *PODS)
    assert told.endswith("in the mesh: Pod shop/far, Pod web/old")
    before = made("PeerAuthentication", "web/a", **strict)
    assert found("strict_outside_mesh", before, *PODS, before=before) == []
    assert found("strict_outside_mesh", made("PeerAuthentication", "web/a"), *PODS) == []


ON_A_PORT = {"portLevelMtls": {"8080": {"mode": "STRICT"}, "9090": {"mode": "PERMISSIVE"}}}
EVERYWHERE = {"mtls": {"mode": "STRICT"}}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, ON_A_PORT, "spec.portLevelMtls: STRICT refuses plaintext on port 8080, all that"),
        ({}, ON_A_PORT, "spec.portLevelMtls: STRICT refuses plaintext on port 8080, all that"),
        (ON_A_PORT, ON_A_PORT, ""),
        (ON_A_PORT, EVERYWHERE, "spec.mtls.mode: STRICT refuses plaintext, all that"),
        (EVERYWHERE, ON_A_PORT, ""),
        (
            {**EVERYWHERE, **ON_A_PORT},
            EVERYWHERE,
            "spec.portLevelMtls: STRICT refuses plaintext on port 9090, all that",
        ),
        (EVERYWHERE, {**EVERYWHERE, **ON_A_PORT}, ""),
        (EVERYWHERE, {**EVERYWHERE, "portLevelMtls": {"8080": {"mode": "UNSET"}}}, ""),
        (
            None,
            {"portLevelMtls": {"1": {"mode": "STRICT"}, "2": {"mode": "STRICT"}}},
            "spec.portLevelMtls: STRICT refuses plaintext on port 1 and on port 2, all that",
        ),
    ],
)
def test_strict_on_single_ports_is_told_where_it_is_new(before: Made | None, after: Made, told: str) -> None:
    there = None if before is None else made("PeerAuthentication", "web/a", **before)
    warnings = found("strict_outside_mesh", made("PeerAuthentication", "web/a", **after), *PODS, before=there)
    assert [warning.partition(" these")[0] for warning in warnings] == ([told] if told else [])


def test_native_sidecars_ambient_and_ended_pods_are_not_outside() -> None:
    native = made("Pod", "web/native", containers=[], initContainers=[{"name": "istio-proxy"}])
    ambient = pod("web/ambient", "a", False, annotations={"ambient.istio.io/redirection": "enabled"})
    ended = {**pod("web/job", "job", False), "status": {"phase": "Succeeded"}}
    strict = made("PeerAuthentication", "web/a", mtls={"mode": "STRICT"})
    assert found("strict_outside_mesh", strict, native, ambient, ended) == []


PLAIN = (
    st.none() | st.booleans() | st.integers() | st.sampled_from(["a", "*", "mesh", "x.com", "v1", "STRICT", "ALLOW"])
)
_WORDS = """hosts http route weight destination host subset gateways servers port number selector matchLabels
match exportTo mtls mode action trafficPolicy subsets name targetRef portLevelMtls"""
KEYS = st.sampled_from(_WORDS.split())
SPECS = st.dictionaries(
    KEYS, st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner), max_leaves=8)
)
OBJECTS = st.builds(
    lambda kind, place, spec: {**made(kind, place), "spec": spec},
    st.sampled_from([kind.resource.kind for kind in KINDS]),
    st.sampled_from(["web/a", "web/b", "shop/a", "istio-system/a"]),
    SPECS,
)


@settings(max_examples=60)
@given(st.lists(OBJECTS, max_size=4), OBJECTS, OBJECTS | st.none())
def test_no_check_stumbles_over_wrong_shapes(there: list[Made], after: Made, before: Made | None) -> None:
    """What is no valid spec is the server's to refuse; a check must not fall over it."""
    before = {**after, "spec": before["spec"]} if before else None
    change = Change(Key.of(after), before, after)
    for analyzer in ANALYZERS.values():
        for field, text in analyzer.find(change, Cluster([*there, *PODS], [change])):
            assert field
            assert text


@given(st.sampled_from(["a", "reviews"]), st.sampled_from(["web", "shop"]))
def test_all_names_of_a_service_are_one(name: str, namespace: str) -> None:
    spellings = [name, *(f"{name}.{namespace}{suffix}" for suffix in ("", ".svc", ".svc.cluster.local", ".svc.corp"))]
    assert {canonical(spelling, namespace) for spelling in spellings} == {f"{name}.{namespace}"}
    assert canonical(f"*.{namespace}.svc.corp.local", namespace) == f"*.{namespace}"


@pytest.mark.parametrize(
    "host", ["*", "x.example.com", "x.svc.example.com", "*.svc.cluster.local", "a.web.svc.clusterset.local", "a.svc"]
)
def test_what_is_not_the_name_of_one_service_keeps_its_spelling(host: str) -> None:
    assert canonical(host, "web") == host


def test_a_pod_of_a_headless_service_has_its_host() -> None:
    assert canonical("db-0.db.web.svc.cluster.local", "web") == "db-0.db.web"
