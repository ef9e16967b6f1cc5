"""What is told of sidecars: states with numbers, what is told apart, sentences, and labels as they might be."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injection_info import (
    InvalidSubject,
    View,
    injection_query,
    texts_of,
    told_changes,
    told_of,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.what_if import (
    Change,
    InvalidChange,
    UnknownWorkload,
    change,
    changed,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.workload_kinds import KUBERNETES_KINDS
from unit.support.clusters import Made, injector, istiod, made, namespace, of_revision, pod, snapshot, workload

PLANES = [istiod("1.29.1"), istiod("1.31.0", "canary"), injector(), injector("canary"), injector("canary", "prod")]
ENABLED = namespace("web", istio_injection="enabled")


def of(name: str, number: int, injected_by: str = "default", version: str = "1.29.1", **status: Any) -> Made:
    """A Pod of a Deployment."""
    found = pod(f"web/{name}-77-{number}", injected_by, version)
    owner = {"kind": "ReplicaSet", "name": f"{name}-77", "controller": True}
    found["metadata"] |= {"ownerReferences": [owner], "labels": {"pod-template-hash": "77"}}
    found["status"] |= status
    return found


def view(*objects: Made) -> View:
    return View.of(snapshot(*PLANES, *objects), KUBERNETES_KINDS, ["web"])


def told(*objects: Made) -> dict[str, Any]:
    return told_of(view(*objects))


DEPLOYMENT = workload("Deployment", "web/a")
STARTING = {"name": "istio-proxy", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}}


@pytest.mark.parametrize(
    ("space", "pods", "state", "numbers"),
    [
        (ENABLED, [of("a", 1), of("a", 2)], "injected", (2, 2, 0, 0)),
        (ENABLED, [], "injected", (0, 0, 0, 0)),
        (namespace("web"), [], "not_injected", (0, 0, 0, 0)),
        (namespace("web"), [of("a", 1, "")], "not_injected", (1, 0, 0, 0)),
        (ENABLED, [of("a", 1), of("a", 2, "")], "pending_restart", (2, 1, 1, 0)),
        (ENABLED, [of("a", 1, version="1.28.3")], "pending_restart", (1, 1, 1, 0)),
        (namespace("web"), [of("a", 1)], "pending_restart", (1, 1, 1, 0)),
        (ENABLED, [of("a", 1, initContainerStatuses=[STARTING])], "failed", (1, 1, 0, 1)),
    ],
)
def test_states_with_numbers(space: Made, pods: list[Made], state: str, numbers: tuple[int, ...]) -> None:
    found = told(space, DEPLOYMENT, *pods)
    (one,) = found["workloads"]
    assert (one["state"], tuple(one["pods"].values())) == (state, numbers)
    assert found["summary"][state] == 1
    assert found["namespaces"][0]["workloads"]["total"] == 1


def test_effective_is_what_pods_really_have() -> None:
    old = of("a", 2, version="1.28.3")
    old["spec"]["containers"] += old["spec"].pop("initContainers")
    old["spec"]["containers"][-1]["resources"] = {"limits": {"cpu": "1"}}
    (one,) = told(ENABLED, DEPLOYMENT, of("a", 1), old)["workloads"]
    assert one["effective"] == [
        {
            "version": "1.29.1",
            "revision": "default",
            "native": True,
            "image": "docker.io/istio/proxyv2:1.29.1",
            "resources": {},
            "pods": 1,
        },
        {
            "version": "1.28.3",
            "revision": "default",
            "native": False,
            "image": "docker.io/istio/proxyv2:1.28.3",
            "resources": {"limits": {"cpu": "1"}},
            "pods": 1,
        },
    ]
    assert one["reasons"] == ["its proxy is 1.28.3, and would be 1.29.1"]


def test_pods_that_cannot_be_made() -> None:
    refused = {**DEPLOYMENT, "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "no"}]}}
    (one,) = told(ENABLED, refused)["workloads"]
    assert (one["state"], one["reasons"]) == ("failed", ["no Pod can be made: no"])


def test_what_is_told_apart() -> None:
    leaving = of("a", 1, "")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    once = pod("web/once-1")
    once["metadata"]["ownerReferences"] = [{"kind": "Job", "name": "once"}]
    custom = pod("web/custom-1")
    custom["metadata"]["ownerReferences"] = [{"kind": "Fleet", "name": "custom"}]
    evicted = of("a", 2)
    evicted["status"]["phase"] = "Failed"
    found = told(ENABLED, DEPLOYMENT, leaving, once, custom, evicted, pod("web/bare"))
    assert [one["pods"]["total"] for one in found["workloads"]] == [0]
    assert [(one["why_apart"], one["kind"], one["name"], one["state"]) for one in found["apart"]] == [
        ("completed", "Deployment", "a", "injected"),
        ("unknown_kind", "Fleet", "custom", "pending_restart"),
        ("job", "Job", "once", "pending_restart"),
        ("bare", "Pod", "bare", "pending_restart"),
    ]


def test_the_template_decides_and_not_the_pod() -> None:
    asked = workload("Deployment", "web/a", revision="canary")
    (one,) = told(namespace("web"), asked, of("a", 1))["workloads"]
    assert (one["desired"]["revision"], one["desired"]["version"]) == ("canary", "1.31.0")
    assert one["reasons"] == ["its proxy is of revision default, and would be of canary"]


def text(subject: str, *objects: Made) -> str:
    return texts_of(view(*objects), [subject])[subject]


def test_a_workload_is_explained() -> None:
    cluster = [of_revision("web", "prod"), DEPLOYMENT, of("a", 1), of("a", 2, "canary", "1.31.0")]
    assert text("web/a", *cluster) == (
        "Deployment web/a: 2 of 2 Pods have a sidecar: 1 with a native sidecar 1.29.1 of revision default and "
        "1 with a native sidecar 1.31.0 of revision canary. A new one would get a sidecar 1.31.0 of revision canary, "
        "because the namespace has the label istio.io/rev=prod, a tag of the revision canary; the webhook is "
        "istio-revision-tag-prod/rev.namespace.sidecar-injector.istio.io. But the ConfigMap "
        "istio-system/istio-sidecar-injector-canary could not be read, so Istio's defaults are taken for granted. "
        "1 Pod waits for a restart: its proxy is of revision default, and would be of canary."
    )


@pytest.mark.parametrize(
    ("subject", "begins"),
    [
        ("web", "Namespace web: a Pod without labels of its own would get a sidecar of revision default, because the "),
        ("web/Deployment/a", "Deployment web/a: 1 of 1 Pods have a sidecar"),
        ("web/a-77-1", "Pod web/a-77-1 of Deployment a: it has a native sidecar 1.29.1 of revision default. A new one"),
        ("web/bare", "Pod web/bare: it has no sidecar. A new one would get a sidecar 1.29.1 of revision default"),
    ],
)
def test_anything_is_explained(subject: str, begins: str) -> None:
    assert text(subject, ENABLED, DEPLOYMENT, of("a", 1), pod("web/bare")).startswith(begins)


def test_what_is_not_there_cannot_be_explained() -> None:
    with pytest.raises(UnknownWorkload, match=r"'abc' in the namespace web \(did you mean 'abd'\?\)"):
        text("web/abc", ENABLED, workload("Deployment", "web/abd"))


def query(**more: Any) -> Any:
    return injection_query(
        {"namespaces": [], "allow_partial": False, "explain": [], "what_if": [], "workload_kinds": [], **more}
    )


@pytest.mark.parametrize("subject", ["", "web/", "/a", "web/Deployment/a/b"])
def test_what_names_nothing_is_refused(subject: str) -> None:
    with pytest.raises(InvalidSubject):
        query(explain=[subject])


@pytest.mark.parametrize(
    ("given", "places"),
    [
        ({}, ()),
        ({"explain": ["web/a", "db"]}, ("web", "db")),
        ({"namespaces": ["shop"], "explain": ["web/a"]}, ("shop", "web")),
        ({"what_if": [{"namespace": "web", "labels": {"a": "b"}}]}, ("web",)),
    ],
)
def test_which_namespaces_are_read(given: dict[str, Any], places: tuple[str, ...]) -> None:
    assert query(**given).places == places


def changes(*changes: Change, cluster: tuple[Made, ...]) -> list[tuple[str, str, bool]]:
    now = view(*cluster)
    then = View.of(changed(now.snapshot, changes, KUBERNETES_KINDS), KUBERNETES_KINDS, ["web"])
    return [(one["kind"], one["name"], one["restart"]) for one in told_changes(now, then)]


def test_labels_as_they_might_be() -> None:
    cluster = (ENABLED, DEPLOYMENT, of("a", 1), workload("Deployment", "web/out", inject="false"))
    same = Change("web", labels={"istio.io/rev": "canary"})
    assert changes(same, cluster=cluster) == []
    moved = Change("web", labels={"istio.io/rev": "canary", "istio-injection": None})
    assert changes(moved, cluster=cluster) == [("Namespace", "web", False), ("Deployment", "a", True)]
    out = Change("web", "a", labels={"sidecar.istio.io/inject": "false"})
    assert changes(out, cluster=cluster) == [("Deployment", "a", True)]
    annotated = Change("web", "Deployment/a", annotations={"sidecar.istio.io/inject": "false"})
    assert changes(annotated, cluster=cluster) == [("Deployment", "a", True)]


def test_changes_that_cannot_be_meant() -> None:
    with pytest.raises(InvalidChange, match="changes nothing"):
        change({"namespace": "web"})
    with pytest.raises(InvalidChange, match="annotations of a namespace decide nothing"):
        change({"namespace": "web", "annotations": {"a": "b"}})
    with pytest.raises(UnknownWorkload):
        changes(Change("web", "b", labels={"a": "b"}), cluster=(ENABLED, DEPLOYMENT))


def test_a_limit_range_is_looked_at() -> None:
    values = '{"global": {"proxy": {"resources": {"requests": {"cpu": "100m"}}}}}'
    told_istiod = made(
        "ConfigMap", "istio-system/istio-sidecar-injector", data={"config": "policy: enabled", "values": values}
    )
    limits = made("LimitRange", "web/all", spec={"limits": [{"type": "Container", "default": {"cpu": "1"}}]})
    running = of("a", 1)
    running["spec"]["initContainers"][0]["resources"] = {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}}
    assert told(ENABLED, DEPLOYMENT, told_istiod, limits, running)["workloads"][0]["state"] == "injected"
    assert told(ENABLED, DEPLOYMENT, told_istiod, running)["workloads"][0]["reasons"] == [
        "its proxy has the cpu limit 1, and would have none"
    ]
