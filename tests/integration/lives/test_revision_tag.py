"""Revision tags: as Istio makes them, never two injectors for one Pod, and everything put back exactly."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.tags import (
    ForeignTag,
    InjectedTwice,
    TagError,
    TagInUse,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.webhooks import hooks_of
from integration.support import bed
from integration.support.bed import Cluster
from integration.support.crds import VERSIONS
from integration.support.operations import Operations
from integration.support.revisions import Revisions

Changes = Callable[[], list[str]]
VALIDATOR = "istiod-default-validator"
# What names an installer or a version; a tag of ours belongs to neither.
_OF_AN_INSTALLER = ("release", "helm.sh/", "app.kubernetes.io/", "operator.istio.io/", "install.operator.istio.io/")


@pytest.fixture
def set_tag(operations: Operations, namespace: str) -> Callable[..., dict[str, Any]]:
    def run(tag: str, revision: str | None, *, check: bool = False, **options: Any) -> dict[str, Any]:
        wanted = {"revision": revision} if revision else {"state": "absent"}
        return operations.run("revision_tag", {"tag": tag, "namespace": namespace, **wanted, **options}, check=check)

    return run


SetTag = Callable[..., dict[str, Any]]


def webhook(cluster: Cluster, name: str) -> dict[str, Any]:
    return cluster.get("mutatingwebhookconfiguration", name)


def essence(found: dict[str, Any]) -> dict[str, Any]:
    """An object with who manages its fields, without what every write changes."""
    metadata = {
        key: value for key, value in found["metadata"].items() if key not in ("resourceVersion", "generation", "uid")
    }
    metadata["managedFields"] = sorted(
        ({**entry, "time": ""} for entry in metadata["managedFields"]), key=lambda entry: str(entry["manager"])
    )
    return {**found, "metadata": metadata}


def four_ways(set_tag: SetTag, changes: Changes, tag: str, revision: str | None) -> list[dict[str, Any]]:
    changes()
    check = set_tag(tag, revision, check=True)
    assert (check["changed"], changes()) == (True, [])
    done = set_tag(tag, revision)
    assert (done["plan"], done["diff"]) == (check["plan"], check["diff"])
    assert changes() != []
    assert [set_tag(tag, revision, check=check)["changed"] for check in (True, False)] == [False, False]
    assert changes() == []
    plan: list[dict[str, Any]] = done["plan"]
    return plan


def test_a_tag_is_made_moved_healed_and_removed(
    revisions: Revisions, set_tag: SetTag, changes: Changes, cluster: Cluster, namespace: str
) -> None:
    revisions.install("r1")
    revisions.install("r2")
    name = f"istio-revision-tag-prod-{namespace}"
    assert [row["action"] for row in four_ways(set_tag, changes, "prod", "r1")] == ["create", "create"]
    assert {row["kind"]: row["fields"] for row in four_ways(set_tag, changes, "prod", "r2")} == {
        "Service": ["metadata.labels.[istio.io/rev]", "spec.selector.[istio.io/rev]"],
        "MutatingWebhookConfiguration": [
            "metadata.labels.[istio.io/rev]",
            "webhooks[0].clientConfig.service.name",
            "webhooks[1].clientConfig.service.name",
        ],
    }
    hooks = webhook(cluster, name)["webhooks"]
    assert {hook["clientConfig"]["service"]["name"] for hook in hooks} == {"istiod-r2"}
    cluster.patch("service", "istiod-revision-tag-prod", namespace, {"spec": {"selector": {"istio.io/rev": "r1"}}})
    healed = set_tag("prod", "r2", take_ownership_from=["kubectl-patch"])
    assert [row["fields"] for row in healed["plan"]] == [["spec.selector.[istio.io/rev]"]]
    assert [row["action"] for row in four_ways(set_tag, changes, "prod", None)] == ["delete", "delete"]


@pytest.mark.parametrize("tag", ["prod", "default"])
@pytest.mark.parametrize(("auto", "version"), [(True, bed.ISTIO), *((False, version) for version in VERSIONS)])
def test_a_tag_is_what_the_chart_makes(
    revisions: Revisions, set_tag: SetTag, tag: str, auto: bool, version: str
) -> None:
    part = f"charts-{version}"
    revisions = replace(revisions, charts=bed.parts(part)[part], version=version)
    values: dict[str, Any] = {"sidecarInjectorWebhook": {"enableNamespacesByDefault": auto}}
    revisions.install("r1", **values)
    set_tag(tag, "r1")
    rendered = revisions.rendered("istiod", revision="r1", revisionTags=[tag], **values)
    assert _made(revisions, tag) == _comparable(found for found in rendered if _is_of_tag(found, tag))


@pytest.mark.parametrize("tag", ["prod", "default"])
def test_a_tag_is_what_istioctl_makes(revisions: Revisions, set_tag: SetTag, tag: str, cluster: Cluster) -> None:
    revisions.install("r1")
    set_tag(tag, "r1")
    argv = ["tag", "generate", tag, "--revision", "r1", "--istioNamespace", revisions.namespace, "--overwrite"]
    program = bed.parts(f"istio-{bed.ISTIO}")[f"istio-{bed.ISTIO}"] / "bin" / "istioctl"
    printed = subprocess.run(
        [program, "--kubeconfig", cluster.kubeconfig, *argv], capture_output=True, text=True, check=True
    ).stdout
    generated = [found for found in yaml.safe_load_all(printed) if found]
    assert _made(revisions, tag) == _comparable(found for found in generated if _is_of_tag(found, tag))
    if tag == "default":
        ours = cluster.get("validatingwebhookconfiguration", VALIDATOR)
        theirs = next(found for found in generated if found["metadata"]["name"] == VALIDATOR)
        assert _validator(ours) == _validator(theirs)


def _validator(found: dict[str, Any]) -> Any:
    (hook,) = found["webhooks"]
    rules = [{key: value for key, value in rule.items() if key != "scope"} for rule in hook["rules"]]
    client = {key: value for key, value in hook["clientConfig"]["service"].items() if key != "port"}
    return hook["name"], client, rules, hook["failurePolicy"], hook["objectSelector"], _labels(found)


def _is_of_tag(found: dict[str, Any], tag: str) -> bool:
    labels = found["metadata"].get("labels") or {}
    return labels.get("istio.io/tag") == tag and found["kind"] != "ValidatingWebhookConfiguration"


def _labels(found: dict[str, Any]) -> dict[str, str]:
    labels: dict[str, str] = found["metadata"]["labels"]
    return {key: value for key, value in labels.items() if not key.startswith(_OF_AN_INSTALLER)}


def _made(revisions: Revisions, tag: str) -> Any:
    name = f"istiod-revision-tag-{tag}"
    service = revisions.cluster.get("service", name, revisions.namespace)
    return _comparable([webhook(revisions.cluster, f"istio-revision-tag-{tag}-{revisions.namespace}"), service])


def _comparable(objects: Any) -> Any:
    """Of a Service and of webhooks what Istio decides; defaults of the API server, CA and installer's labels apart."""
    return {found["kind"]: (found["metadata"]["name"], _labels(found), *_said(found)) for found in objects}


def _said(found: dict[str, Any]) -> list[Any]:
    if found["kind"] == "Service":
        ports = {
            (port["name"], port["port"], port.get("targetPort") or port["port"]) for port in found["spec"]["ports"]
        }
        return [found["spec"]["selector"], ports]
    fields = ("name", "sideEffects", "failurePolicy", "reinvocationPolicy", "admissionReviewVersions")
    return [
        (
            [hook[field] for field in fields],
            hook["clientConfig"]["service"],
            [{key: value for key, value in rule.items() if key != "scope"} for rule in hook["rules"]],
            [_requirements(hook[part]) for part in ("namespaceSelector", "objectSelector")],
        )
        for hook in found["webhooks"]
    ]


def _requirements(selector: dict[str, Any]) -> list[Any]:
    return [(each["key"], each["operator"], set(each.get("values") or ())) for each in selector["matchExpressions"]]


def _combinations() -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """All 144: labels of a namespace, labels of a Pod."""
    revision = ("", "default", "r1", "prod")
    for injection, of_namespace, inject, of_pod in itertools.product(
        ("", "enabled", "disabled"), revision, ("", "true", "false"), revision
    ):
        namespace = {"istio-injection": injection, "istio.io/rev": of_namespace}
        pod = {"sidecar.istio.io/inject": inject, "istio.io/rev": of_pod}
        yield ({key: value for key, value in labels.items() if value} for labels in (namespace, pod))  # type: ignore[misc]


@pytest.mark.parametrize("auto", [True, False])
def test_no_labels_are_injected_twice(revisions: Revisions, set_tag: SetTag, auto: bool, cluster: Cluster) -> None:
    values: dict[str, Any] = {"sidecarInjectorWebhook": {"enableNamespacesByDefault": auto}}
    revisions.install(**values)
    revisions.install("r1", **values)
    set_tag("prod", "r1")
    before = _matches(revisions)
    set_tag("default", "r1")
    after = _matches(revisions)
    assert len(before) == 144
    assert {len(found) for found in (*before, *after)} == {0, 1}
    # The same Pods are injected, by the tag instead of the control plane without a revision.
    assert [len(found) for found in before] == [len(found) for found in after]
    name = f"istio-sidecar-injector-{revisions.namespace}"
    assert not any(found[0].startswith(f"{name}/") for found in after if found)
    assert {hook["name"] for hook in webhook(cluster, name)["webhooks"]} >= {"namespace.sidecar-injector.istio.io"}


def _matches(revisions: Revisions) -> list[list[str]]:
    hooks = hooks_of(revisions.injectors())
    return [[str(hook) for hook in hooks if hook.selects(namespace, pod)] for namespace, pod in _combinations()]


def test_the_default_tag_and_back(
    revisions: Revisions, set_tag: SetTag, changes: Changes, cluster: Cluster, namespace: str
) -> None:
    revisions.install()
    revisions.install("r1")
    revisions.install_validator()
    injector, tag = f"istio-sidecar-injector-{namespace}", f"istio-revision-tag-default-{namespace}"
    kinds = [("mutatingwebhookconfiguration", injector), ("validatingwebhookconfiguration", VALIDATOR)]
    before = [essence(cluster.get(kind, name)) for kind, name in kinds]
    four_ways(set_tag, changes, "default", "r1")
    validator = cluster.get("validatingwebhookconfiguration", VALIDATOR)
    assert validator["webhooks"][0]["clientConfig"]["service"]["name"] == "istiod-r1"
    assert validator["metadata"]["labels"]["istio.io/rev"] == "r1"
    cluster.label(namespace, {"istio-injection": "enabled"})  # whoever uses it is taken over
    four_ways(set_tag, changes, "default", None)
    assert [essence(cluster.get(kind, name)) for kind, name in kinds] == before
    assert tag not in cluster.names("mutatingwebhookconfiguration", "default")
    cluster.label(namespace, {"istio-injection": None})


def test_a_killed_run_is_finished_by_the_next(
    revisions: Revisions, set_tag: SetTag, cluster: Cluster, namespace: str
) -> None:
    """Killed between any two writes, on the way there and back."""
    revisions.install()
    revisions.install("r1")
    revisions.install_validator()
    injector, tag = f"istio-sidecar-injector-{namespace}", f"istio-revision-tag-default-{namespace}"
    kinds = [("mutatingwebhookconfiguration", injector), ("validatingwebhookconfiguration", VALIDATOR)]
    before = [essence(cluster.get(kind, name)) for kind, name in kinds]
    set_tag("default", "r1")
    cluster.kubectl("delete", "mutatingwebhookconfiguration", tag)
    cluster.kubectl("delete", "service", "istiod-revision-tag-default", "-n", namespace)
    revisions.install_validator()  # it is the last to change on the way there, and the first on the way back
    left = [essence(cluster.get(kind, name)) for kind, name in kinds]
    assert left[0] != before[0]
    set_tag("default", "r1")
    set_tag("default", None)
    assert [essence(cluster.get(kind, name)) for kind, name in kinds] == before
    set_tag("default", "r1")
    cluster.kubectl("delete", "mutatingwebhookconfiguration", tag)
    cluster.kubectl("delete", "service", "istiod-revision-tag-default", "-n", namespace)
    revisions.install_validator()
    set_tag("default", None)
    assert [essence(cluster.get(kind, name)) for kind, name in kinds] == before
    assert set_tag("default", None)["changed"] is False


def test_never_two_injectors_on_the_way(
    revisions: Revisions, set_tag: SetTag, changes: Changes, namespace: str
) -> None:
    revisions.install()
    revisions.install("r1")
    injector = f"patch mutatingwebhookconfigurations istio-sidecar-injector-{namespace}"
    tag = f"mutatingwebhookconfigurations istio-revision-tag-default-{namespace}"
    changes()
    set_tag("default", "r1")
    there = changes()
    assert there.index(injector) < there.index(f"patch {tag}")
    set_tag("default", None)
    back = changes()
    assert back.index(f"delete {tag}") < back.index(injector)


def test_a_validator_that_no_chart_has_made_comes_and_goes_with_the_tag(
    revisions: Revisions, set_tag: SetTag, cluster: Cluster, changes: Changes
) -> None:
    revisions.install("r1")
    four_ways(set_tag, changes, "default", "r1")
    assert VALIDATOR in cluster.names("validatingwebhookconfiguration", "default")
    four_ways(set_tag, changes, "default", None)
    assert VALIDATOR not in cluster.names("validatingwebhookconfiguration", "default")


@pytest.mark.usefixtures("nothing_persisted")
def test_what_is_refused_before_anything_is_written(revisions: Revisions, set_tag: SetTag) -> None:
    revisions.install("r1-29")
    revisions.install("r2", ready=False)
    with pytest.raises(TagError, match=r"no revision 'r1-28' in .* \(did you mean 'r1-29'\?\)"):
        set_tag("prod", "r1-28")
    with pytest.raises(TagError, match=r"'r2' on .* is not ready.*its controller has not seen the change yet"):
        set_tag("prod", "r2")
    with pytest.raises(TagError, match=r"'r2' is a revision on .*, so it cannot be a tag"):
        set_tag("r2", "r1-29")
    with pytest.raises(TagError, match="'Prod' cannot be the name of a tag"):
        set_tag("Prod", "r1-29")


def test_a_tag_of_helm_is_refused_until_it_is_taken_over(
    revisions: Revisions, set_tag: SetTag, cluster: Cluster, namespace: str
) -> None:
    revisions.install("r1")
    annotations = {"meta.helm.sh/release-name": "istiod-r1", "meta.helm.sh/release-namespace": namespace}
    rendered = revisions.rendered("istiod", revision="r1", revisionTags=["prod"])
    for found in (found for found in rendered if _is_of_tag(found, "prod")):
        cluster.apply({**found, "metadata": {**found["metadata"], "annotations": annotations}}, manager="helm")
    for revision in ("r1", None):
        with pytest.raises(ForeignTag, match=f"belongs to Helm release {namespace}/istiod-r1"):
            set_tag("prod", revision)
    assert set_tag("prod", "r1", take_ownership_from=["helm"])["changed"] is True
    assert set_tag("prod", "r1")["changed"] is False


def test_a_default_injector_of_somebody_else_is_refused(revisions: Revisions, set_tag: SetTag) -> None:
    revisions.install(manager="helm")
    revisions.install("r1")
    with pytest.raises(ForeignTag, match=r"istio-sidecar-injector-.* belongs to somebody else"):
        set_tag("default", "r1")


def test_another_injector_for_the_same_pods_is_refused(
    revisions: Revisions, set_tag: SetTag, cluster: Cluster, namespace: str
) -> None:
    revisions.install("r1")
    (_own, theirs) = (revisions.rendered("istiod", revision=name) for name in ("r1", "prod"))
    injector = next(found for found in theirs if found["kind"] == "MutatingWebhookConfiguration")
    injector["metadata"]["labels"]["istio.io/rev"] = "elsewhere"
    cluster.apply(injector)
    with pytest.raises(InjectedTwice, match=f"istio-sidecar-injector-prod-{namespace}"):
        set_tag("prod", "r1")


def test_a_tag_in_use_stays_unless_forced(
    revisions: Revisions, set_tag: SetTag, cluster: Cluster, namespace: str, namespaces: list[str]
) -> None:
    revisions.install("r1")
    set_tag("prod", "r1")
    user = f"{namespace}-user"
    namespaces.append(user)
    cluster.create_namespace(user)
    cluster.label(user, {"istio.io/rev": "prod"})
    with pytest.raises(TagInUse, match=f"Namespace {user} would get no sidecar any more"):
        set_tag("prod", None, check=True)
    forced = set_tag("prod", None, force=True)
    assert [warning for warning in forced["warnings"] if user in warning]
    cluster.label(user, {"istio.io/rev": None})


def test_a_pod_uses_the_tag_that_it_names(
    revisions: Revisions, set_tag: SetTag, cluster: Cluster, namespace: str
) -> None:
    revisions.install("r1")
    spec = {"containers": [{"name": "app", "image": "app:1"}]}
    pod = {"metadata": {"name": "asks", "namespace": namespace, "labels": {"istio.io/rev": "prod"}}, "spec": spec}
    cluster.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Pod", **pod}))
    set_tag("prod", "r1")
    with pytest.raises(TagInUse, match=f"Pod {namespace}/asks"):
        set_tag("prod", None)


def test_the_control_plane_leaves_its_injector_out_of_action(
    revisions: Revisions, set_tag: SetTag, operations: Operations, charts: Path, namespace: str
) -> None:
    """Until the tag is gone: its task and the tag's want the same."""
    revisions.install()
    revisions.install("r1")
    options = {
        "version": bed.ISTIO,
        "namespace": namespace,
        "charts": {"directory": str(charts)},
        "helm_binary": revisions.helm,
        "components": ["istiod"],
    }

    def planned() -> set[str]:
        return {row["name"] for row in operations.run("control_plane", options, check=True)["plan"]}

    injector = f"istio-sidecar-injector-{namespace}"
    assert injector not in planned()
    set_tag("default", "r1")
    assert injector not in planned()
    set_tag("default", None)
    assert injector not in planned()
