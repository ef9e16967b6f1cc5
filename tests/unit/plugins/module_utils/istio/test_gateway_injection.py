"""Which control plane gives a gateway its proxy, and when its Pods are renewed for another one."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.gateway_injection import (
    MADE_FOR,
    Injector,
    NotInjected,
    injector_of,
    made_for,
    restart_of,
)
from unit.support.clusters import Made, injector, istiod, made, namespace, of_revision
from unit.support.gateways import there, workload

NEW = Injector("default", "1.29.1")
PLAIN = [istiod("1.29.1"), injector(), namespace("web")]


def pod(version: str = "1.29.1", revision: str = "default") -> Made:
    containers = [{"name": "istio-proxy", "image": f"docker.io/istio/proxyv2:{version}"}]
    metadata = {"annotations": {"istio.io/rev": revision, "sidecar.istio.io/status": "{}"}}
    return made("Pod", "web/ingress-1", metadata=metadata, spec={"containers": containers})


def name_of(content: Made) -> str:
    return str(content["spec"]["template"]["metadata"]["annotations"].get(MADE_FOR, ""))


def given(name: str) -> Made:
    return workload(annotations={MADE_FOR: name})


def test_the_labels_decide_who_injects() -> None:
    assert injector_of(there(*PLAIN), workload(), check_mode=False) == NEW
    two = [*PLAIN, istiod("1.31.0", "r2"), injector("r2")]
    asked = workload(labels={"istio.io/rev": "r2"})
    assert injector_of(there(*two, revision="r2"), asked, check_mode=False).proxy == "r2/1.31.0"


def test_a_tag_stands_for_its_revision() -> None:
    found = [istiod("1.29.1", "r1"), injector("r1"), injector("r1", tag="prod"), namespace("web")]
    asked = workload(labels={"istio.io/rev": "prod"})
    assert injector_of(there(*found, revision="prod"), asked, check_mode=False).proxy == "r1/1.29.1"


def test_another_version_than_asked_is_told() -> None:
    found = injector_of(there(istiod("1.28.3"), injector(), namespace("web")), workload(), check_mode=False)
    (warning,) = found.warnings
    assert "gets its proxy from the control plane 'default', which is 1.28.3" in warning


def test_a_control_plane_elsewhere_is_of_the_version_that_is_recorded() -> None:
    record = {"annotations": {"service-mesh-istio/version": "1.29.1"}}
    remote = [injector(), namespace("web"), made("ConfigMap", "istio-system/values", metadata=record)]
    assert injector_of(there(*remote), workload(), check_mode=False) == NEW
    (warning,) = injector_of(there(*remote[:2]), workload(), check_mode=False).warnings
    assert warning.startswith("Proxies of the revision 'default' are not compared by version")


def refused(*objects: Made, check_mode: bool = False, asked: str | None = None) -> str:
    labels = {"istio.io/rev": asked} if asked else {}
    with pytest.raises(NotInjected) as refusal:
        injector_of(there(*objects, revision=asked), workload(labels=labels), check_mode)
    return str(refusal.value)


def test_a_revision_that_is_not_there_is_refused() -> None:
    message = refused(*PLAIN, injector("canary"), asked="canray", check_mode=True)
    assert "No control plane would inject the gateway web/ingress on east" in message
    assert "there is no revision or tag 'canray' (did you mean 'canary'?): there are canary, default" in message


def test_a_namespace_that_wants_no_injection_is_refused() -> None:
    message = refused(istiod("1.29.1"), injector(), namespace("web", istio_injection="disabled"))
    assert "the namespace has the label istio-injection=disabled" in message


def test_a_namespace_of_another_revision_is_refused() -> None:
    found = [injector("r1"), injector("r2"), of_revision("web", "r1")]
    assert "the label istio.io/rev=r1 of its namespace wins, and gives it a proxy of 'r1'" in refused(
        *found, asked="r2"
    )


def test_only_a_plan_may_be_without_a_control_plane() -> None:
    assert "no control plane has an injection webhook in this cluster" in refused()
    found = injector_of(there(), workload(), check_mode=True)
    assert found.proxy == ""
    assert "No control plane is there yet" in found.warnings[0]


@pytest.mark.parametrize(
    ("before", "pods", "after"),
    [
        (None, [], "default/1.29.1"),
        ("default/1.29.1", [pod()], "default/1.29.1"),
        ("default/1.28.3", [pod("1.28.3")], "default/1.29.1"),
        ("r1/1.29.1", [pod(revision="r1")], "default/1.29.1"),
        ("default/1.28.3", [pod()], "default/1.28.3"),  # somebody has restarted them already
        ("", [pod()], ""),  # made before there was this annotation
        ("", [pod("1.28.3")], "default/1.29.1"),
        ("default/1.28.3", [], "default/1.28.3"),  # nothing runs: nothing has to be renewed
        ("default/1.29.1", [pod("1.28.3")], "default/1.29.1"),  # an image that a restart does not change
    ],
)
def test_pods_with_another_proxy_are_renewed_once(before: str | None, pods: list[Made], after: str) -> None:
    found = None if before is None else given(before) if before else workload()
    assert name_of(made_for(workload(), found, pods, NEW)) == after


def test_what_is_unknown_renews_nothing() -> None:
    assert name_of(made_for(workload(), given("r1/1.28.3"), [pod("1.28.3")], Injector())) == "r1/1.28.3"


def restarted(before: str, *pods: Made) -> list[dict[str, Any]]:
    found = given(before)
    return restart_of(found, made_for(workload(), found, pods, NEW), pods, NEW)


def test_a_restart_is_told_with_its_reason() -> None:
    (row,) = restarted(
        "default/1.28.3", pod("1.28.3"), pod("1.28.3") | {"metadata": {**pod()["metadata"], "name": "b"}}
    )
    assert (row["kind"], row["namespace"], row["name"], row["pods"]) == ("Deployment", "web", "ingress", 2)
    assert row["reason"] == "its proxy is 1.28.3, and would be 1.29.1"
    assert restarted("default/1.29.1", pod("1.28.3")) == []
    assert restarted("default/1.28.3", pod()) == []
    assert restart_of(None, workload(), [], NEW) == []
