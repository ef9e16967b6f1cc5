"""Control planes are removed on a real API server: what goes, in which order, what is in the way, and what stays."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from integration.support.bed import ROOT
from integration.support.planes import Planes
from integration.support.playbook import Runner

VERSIONS = ("1.28.3", "1.29.1", "1.31.0")
KINDS = (
    "serviceaccounts,configmaps,services,deployments,daemonsets,roles,rolebindings,clusterroles,clusterrolebindings,"
    "horizontalpodautoscalers,poddisruptionbudgets,resourcequotas,mutatingwebhookconfigurations,"
    "validatingwebhookconfigurations,validatingadmissionpolicies,validatingadmissionpolicybindings"
)
OURS = "service_mesh.istio/"
ISTIOD = "pilot-discovery"
EVERYTHING: dict[str, Any] = {"components": ["base", "istiod", "cni", "ztunnel"]}


@pytest.fixture
def revision(new_namespace: str) -> str:
    """A name that nothing of another test refers to."""
    return new_namespace.replace("test-", "r")


def ours(planes: Planes) -> dict[str, str]:
    """Objects that we apply, each with the version that moves when anybody writes it."""
    return {
        f"{item['kind']} {item['metadata']['name']}": item["metadata"]["resourceVersion"]
        for item in planes.cluster.objects(KINDS, planes.namespace)
        if any(entry["manager"].startswith(OURS) for entry in item["metadata"].get("managedFields") or [])
    }


def webhooks(planes: Planes) -> dict[str, set[str]]:
    """Which Services webhooks call."""
    kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations"
    return {
        item["metadata"]["name"]: {hook["clientConfig"]["service"]["name"] for hook in item["webhooks"]}
        for item in planes.cluster.objects(kinds)
        if all(hook["clientConfig"]["service"]["namespace"] == planes.namespace for hook in item["webhooks"])
    }


def first(done: list[str], resource: str) -> int:
    return min(number for number, line in enumerate(done) if f" {resource} " in line)


def last(done: list[str], resource: str) -> int:
    return max(number for number, line in enumerate(done) if f" {resource} " in line)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("revised", [True, False], ids=["revision", "default"])
def test_four_ways(version: str, revised: bool, planes: Planes, revision: str) -> None:
    """Everything that we apply goes, and the plan is the run; nobody else's Pods are asked for here."""
    of = {"revision": revision} if revised else {"ignore_checks": ["sidecars_left", "gateways_left", "revision_in_use"]}
    policy = {"base": {"experimental": {"stableValidationPolicy": True}}}
    named = {"revision": revision} if revised else {}
    planes.install(version=version, **EVERYTHING, **named, high_availability=True, values=policy)
    there = set(ours(planes))
    planned = planes.uninstall(check=True, **EVERYTHING, **of)
    assert {f"{row['kind']} {row['name']}" for row in planned["plan"]} == there
    planes.changes()
    done = planes.uninstall(**EVERYTHING, **of)
    written = planes.changes()
    assert done["plan"] == planned["plan"]
    assert len(written) == len(there)
    assert ours(planes) == {}
    for resource in ("mutatingwebhookconfigurations", "validatingwebhookconfigurations"):
        assert last(written, resource) < first(written, "deployments") < first(written, "services")
    for check in (True, False):
        again = planes.uninstall(check=check, **EVERYTHING, **of)
        assert (again["changed"], again["plan"]) == (False, [])
    assert planes.changes() == []
    reasons = {item["kind"]: item["reason"] for item in done["left"]}
    assert "never removed" in reasons["Namespace"]
    assert "remove_crds" in reasons["CustomResourceDefinition"]
    assert planes.cluster.names("namespaces", "") >= {planes.namespace}
    assert "virtualservices.networking.istio.io" in planes.cluster.names("crds", "")


def test_nothing_of_another_revision_is_touched(planes: Planes, revision: str) -> None:
    """What they share stays, and the default validator asks the one that stays, before its Service goes."""
    old, new = f"{revision}a", f"{revision}b"
    planes.install(revision=old)
    planes.install(revision=new)
    assert webhooks(planes)["istiod-default-validator"] == {f"istiod-{old}"}
    before = ours(planes)
    done = planes.uninstall(revision=old)
    written = planes.changes()
    assert [line for line in written if "istiod-default-validator" in line] == written[:1]
    assert done["removed"] == ["istiod"]
    assert {"kind": "component", "namespace": "", "name": "base"}.items() <= done["left"][-1].items()
    gone = {f"{row['kind']} {row['name']}" for row in done["plan"] if row["action"] == "delete"}
    moved = "ValidatingWebhookConfiguration istiod-default-validator"
    after = ours(planes)
    assert set(after) == set(before) - gone
    assert [name for name in after if after[name] != before[name]] == [moved]
    assert {service for services in webhooks(planes).values() for service in services} == {f"istiod-{new}"}
    taken = f"patch serviceaccounts {planes.namespace}/istio-reader-service-account"
    assert planes.install(revision=new) == [taken], "the record of what it keeps from now on"
    planes.uninstall(revision=new)
    assert ours(planes) == {}


def test_what_is_in_the_way_is_named_and_can_be_overridden(planes: Planes, revision: str) -> None:
    planes.install(revision=revision, protected=True)
    planes.cluster.label(planes.namespace, {"istio.io/rev": revision})
    refused = planes.stays(revision=revision)
    blockers = {entry["code"]: entry for entry in refused.extra["precheck"]["blockers"]}
    assert set(blockers) == {"mesh_protected", "revision_in_use"}
    assert blockers["revision_in_use"]["count"] == 1
    assert blockers["revision_in_use"]["objects"][0].startswith(f"Namespace {planes.namespace}: ")
    assert "ignore_checks: [mesh_protected, revision_in_use]" in refused.hint
    assert "service-mesh-istio/protected" in str(refused)
    assert planes.install(revision=revision) == [f"patch configmaps {planes.namespace}/values-{revision}"]
    assert "[mesh_protected]" not in str(planes.stays(revision=revision))
    done = planes.uninstall(revision=revision, ignore_checks=["revision_in_use"])
    assert any("[revision_in_use]" in warning for warning in done["warnings"])
    assert ours(planes) == {}
    assert planes.uninstall(revision=revision)["changed"] is False


def test_of_two_revisions_of_a_remote_cluster_one_stays_whole(planes: Planes, revision: str) -> None:
    """It has no istiod that would show which revisions there are."""
    old, new = f"{revision}a", f"{revision}b"
    served = {"remote": {"primary": "east", "address": "192.0.2.7"}, "cluster_name": "west", "network": "net1"}
    for one in (old, new):
        planes.operations.run("control_plane", planes.options({"mode": "hosted", "revision": one, **served}))
    place = planes.cluster.get("namespace", planes.namespace)["metadata"]
    assert place["labels"]["topology.istio.io/network"] == "net1"
    done = planes.uninstall(mode="hosted", revision=old)
    assert done["removed"] == ["istiod"]
    assert {service for services in webhooks(planes).values() for service in services} == {f"istiod-{new}"}
    after = planes.cluster.get("namespace", planes.namespace)["metadata"]
    assert (after["labels"], after["annotations"]) == (place["labels"], place["annotations"])
    planes.uninstall(mode="hosted", revision=new)
    assert ours(planes) == {}
    assert "topology.istio.io/network" not in planes.cluster.get("namespace", planes.namespace)["metadata"]["labels"]


def test_who_is_served_elsewhere_is_not_forgotten(planes: Planes, revision: str) -> None:
    """By the route through which remote clusters reach it, as the role mesh_clusters writes it."""
    planes.install(revision=revision)
    host = f"istiod-{revision}.{planes.namespace}.svc.cluster.local"
    to = {"destination": {"host": host, "port": {"number": 15012}}}
    route = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "istiod-eastwest", "namespace": planes.namespace},
        "spec": {"hosts": ["*"], "tls": [{"match": [{"port": 15012, "sniHosts": ["*"]}], "route": [to]}]},
    }
    planes.cluster.apply(route)
    refused = planes.stays(revision=revision)
    (blocker,) = refused.extra["precheck"]["blockers"]
    assert (blocker["code"], blocker["count"]) == ("serves_others", 1)
    assert blocker["objects"][0].startswith(f"VirtualService {planes.namespace}/istiod-eastwest: ")
    ignored = planes.uninstall(check=True, revision=revision, ignore_checks=["serves_others"])
    assert any("[serves_others]" in warning for warning in ignored["warnings"])
    planes.cluster.kubectl("delete", "virtualservice", "istiod-eastwest", "-n", planes.namespace)
    assert planes.uninstall(revision=revision)["changed"]


def test_a_tag_goes_along_and_first(planes: Planes, revision: str) -> None:
    planes.install(revision=revision)
    tagged(planes, revision)
    planes.changes()
    planes.uninstall(revision=revision)
    written = planes.changes()
    assert last(written, "mutatingwebhookconfigurations") < first(written, "deployments")
    assert webhooks(planes) == {}
    assert ours(planes) == {}


def test_a_webhook_of_somebody_else_is_not_left_dangling(planes: Planes, revision: str) -> None:
    """No option lets that happen."""
    planes.install(revision=revision)
    service = {"namespace": planes.namespace, "name": f"istiod-{revision}", "path": "/theirs"}
    hook = {
        "name": "theirs.example.com",
        "clientConfig": {"service": service},
        "failurePolicy": "Ignore",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    theirs = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"theirs-{revision}"},
        "webhooks": [hook],
    }
    planes.cluster.apply(theirs)
    refused = planes.stays(revision=revision, ignore_checks=["revision_in_use"])
    assert refused.as_dict()["code"] == "dangling_webhook"
    assert f"theirs-{revision}" in refused.subject
    planes.cluster.kubectl("delete", "validatingwebhookconfiguration", f"theirs-{revision}")
    assert planes.uninstall(revision=revision)["changed"]


def test_the_tag_default_is_moved_by_whoever_decides(planes: Planes, revision: str) -> None:
    old, new = f"{revision}a", f"{revision}b"
    planes.install(revision=old)
    planes.install(revision=new)
    tagged(planes, old, "default")
    refused = planes.stays(revision=old, ignore_checks=["revision_in_use", "sidecars_left", "gateways_left"])
    assert refused.as_dict()["code"] == "dangling_webhook"
    assert "Point the tag 'default' to another revision" in refused.hint


def tagged(planes: Planes, revision: str, tag: str = "prod") -> None:
    """A tag as `revision_tag` makes it, which wants a revision that runs."""
    hook = {
        "name": "rev.namespace.sidecar-injector.istio.io",
        "clientConfig": {"service": {"namespace": planes.namespace, "name": f"istiod-{revision}", "path": "/inject"}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "namespaceSelector": {"matchLabels": {"istio.io/rev": f"{tag}-{revision}"}},
    }
    labels = {"istio.io/rev": revision, "istio.io/tag": tag}
    injector = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {
            "name": f"istio-revision-tag-{tag}-{planes.namespace}",
            "labels": {**labels, "app.kubernetes.io/part-of": "istio"},
        },
        "webhooks": [hook],
    }
    place = {"name": f"istiod-revision-tag-{tag}", "namespace": planes.namespace, "labels": labels}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": place, "spec": {"ports": [{"port": 15012}]}}
    planes.cluster.apply(injector, service, manager=f"{OURS}revision_tag")


def test_what_must_not_go_is_refused(planes: Planes, revision: str) -> None:
    planes.install(revision=revision, mesh_id="shop")
    kept = {"revision": revision, "mesh_id": "shop"}
    for code, told, options in (
        ("kept_elsewhere", "The inventory 'shop' keeps the control plane", {**kept, "mesh_id": "store"}),
        ("elsewhere", f"it is in {planes.namespace}", {**kept, "namespace": "default"}),
        ("still_used", f"the revisions {revision} share", {**kept, "components": ["base"]}),
        ("forbidden_by_mode", "is removed by whoever installed it", {**kept, "mode": "external"}),
        ("unknown_check", "sidecars_left", {**kept, "ignore_checks": ["sidecar_left"]}),
    ):
        refused = planes.stays(**options)
        assert (refused.as_dict()["code"], told in str(refused)) == (code, True), str(refused)
    taken = planes.uninstall(revision=revision, mesh_id="store", take_over_from="shop")
    assert taken["changed"]


def test_what_somebody_else_has_installed_stays(planes: Planes, revision: str) -> None:
    labels = {"app": "istiod", "istio.io/rev": revision}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "discovery", "image": "pilot:1.29.1"}]}}
    metadata = {"name": f"istiod-{revision}", "namespace": planes.namespace, "labels": labels}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": pod}
    planes.cluster.create_namespace(planes.namespace)
    planes.cluster.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
    refused = planes.stays(revision=revision)
    assert refused.as_dict()["code"] == "foreign_istio"
    assert planes.cluster.names("deployments", planes.namespace) == {f"istiod-{revision}"}


def test_crds_go_only_when_that_is_said_twice(planes: Planes, revision: str) -> None:
    planes.install(revision=revision)
    rule = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {"name": "theirs", "namespace": planes.namespace},
        "spec": {"host": "reviews"},
    }
    planes.cluster.apply(rule)
    refused = planes.stays(revision=revision, remove_crds=True)
    assert refused.as_dict()["code"] == "crds_in_use"
    assert f"DestinationRule {planes.namespace}/theirs" in str(refused)
    assert "remove_configuration: true" in refused.hint
    options: dict[str, Any] = {"revision": revision, "remove_crds": True, "remove_configuration": True}
    planned = planes.uninstall(check=True, **options)
    done = planes.uninstall(**options)
    written = planes.changes()
    assert done["plan"] == planned["plan"]
    assert first(written, "destinationrules") == 0
    assert first(written, "customresourcedefinitions") > last(written, "serviceaccounts")
    assert not {name for name in planes.cluster.names("crds", "") if name.endswith(".istio.io")}
    assert planes.uninstall(**options)["changed"] is False


def test_what_istiod_has_written_is_named_and_goes_by_an_option(planes: Planes, revision: str) -> None:
    planes.install(revision=revision)
    place = {"namespace": planes.namespace}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "spec": {"holderIdentity": "istiod"}}
    roots = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"root-cert.pem": "x"}}
    planes.cluster.apply(
        {**lease, "metadata": {**place, "name": "istio-gateway-deployment-default"}},
        {**roots, "metadata": {**place, "name": "istio-ca-root-cert"}},
        {**roots, "metadata": {**place, "name": "istio-leader"}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {**place, "name": "istio-ca-secret"},
            "type": "istio.io/ca-root",
        },
        manager=ISTIOD,
    )
    planes.cluster.apply({**lease, "metadata": {**place, "name": "istio-ip-autoallocate"}}, manager="somebody")
    done = planes.uninstall(revision=revision)
    told = {(item["kind"], item["name"]) for item in done["left"] if item["namespace"] == planes.namespace}
    expected = {
        ("Lease", "istio-gateway-deployment-default"),
        ("ConfigMap", "istio-ca-root-cert"),
        ("ConfigMap", "istio-leader"),
        ("Secret", "istio-ca-secret"),
    }
    assert told == expected
    swept = planes.uninstall(check=True, revision=revision, remove_leftovers=True)
    rows = {(row["kind"], row["name"]) for row in swept["plan"] if row["namespace"] == planes.namespace}
    assert rows == expected
    assert planes.uninstall(revision=revision, remove_leftovers=True)["plan"] == swept["plan"]
    assert planes.cluster.names("leases", planes.namespace) == {"istio-ip-autoallocate"}
    assert planes.uninstall(revision=revision, remove_leftovers=True)["changed"] is False


@pytest.mark.parametrize("removed", [1, 3, 8, 14])
def test_a_removal_that_was_killed_is_finished(removed: int, planes: Planes, revision: str) -> None:
    """After any number of deletions the next run finds the rest, because each object says itself whose it is."""
    planes.install(revision=revision)
    plan = planes.uninstall(check=True, revision=revision)["plan"]
    for row in itertools.islice(plan, removed):
        planes.cluster.kubectl("delete", row["kind"], row["name"], "-n", planes.namespace)
    rest = planes.uninstall(revision=revision)
    assert rest["plan"] == plan[removed:]
    assert ours(planes) == {}


def test_the_playbook_plans_does_and_tells_what_stays(planes: Planes, revision: str, runner: Runner) -> None:
    planes.install(revision=revision, mesh_id="shop", cluster_name="east")
    playbook = str(ROOT / "playbooks" / "uninstall.yml")
    variables = {
        "mesh_kubeconfig": planes.cluster.kubeconfig,
        "mesh_root_namespace": planes.namespace,
        "mesh_name": "shop",
        "mesh_control_plane_revision": revision,
    }
    arguments = (playbook, "-e", json.dumps(variables))
    planes.changes()
    checked = runner.run(arguments=(*arguments, "--check", "--diff"))
    assert checked.rc == 0, checked.output
    assert planes.changes() == []
    played = runner.run(arguments=arguments)
    assert played.rc == 0, played.output
    assert f"Namespace {planes.namespace} stays: a namespace is never removed" in played.output
    assert ours(planes) == {}
    external = runner.run(arguments=(*arguments, "-e", "mesh_mode=external"))
    assert external.rc == 2
    assert "is removed by whoever installed it" in external.output
