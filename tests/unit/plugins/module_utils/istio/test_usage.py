"""Who uses a revision: every way to refer to one is found, and all that the Sail operator finds is found here too."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injector import NEVER
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.snapshot import Snapshot
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.usage import (
    counted,
    revisions,
    told,
    uses,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.support.clusters import (
    Made,
    api_gateway,
    injector,
    istiod,
    made,
    namespace,
    of_revision,
    pod,
    snapshot,
    validator,
    workload,
)

DONE = {"conditions": [{"type": "Complete", "status": "True"}]}
PLANES = (istiod("1.29.1"), istiod("1.31.0", "canary"), injector(), injector("canary"))
PLAIN = namespace("web")


def used(revision: str, *objects: Made) -> list[tuple[str, str]]:
    found = uses(snapshot(*PLANES, *objects)).get(revision, [])
    return [(use.kind, use.object) for use in found]


@pytest.mark.parametrize(
    ("objects", "revision", "user"),
    [
        ([namespace("web", istio_injection="enabled")], "default", ("Namespace", "web")),
        ([of_revision("web", "canary")], "canary", ("Namespace", "web")),
        ([of_revision("web", "prod"), injector("canary", "prod")], "canary", ("Namespace", "web")),
        ([PLAIN, pod("web/a", "canary")], "canary", ("Pod", "a")),
        ([PLAIN, pod("web/a", "canary", phase="Failed")], "canary", ("Pod", "a")),
        ([PLAIN, pod("web/a", revision="canary")], "canary", ("Pod", "a")),
        ([PLAIN, pod("web/a", inject="true")], "default", ("Pod", "a")),
        ([of_revision("web", "canary"), workload("Deployment", "web/idle")], "canary", ("Deployment", "idle")),
        ([PLAIN, workload("StatefulSet", "web/idle", revision="canary")], "canary", ("StatefulSet", "idle")),
        ([PLAIN, workload("DaemonSet", "web/idle", inject="true")], "default", ("DaemonSet", "idle")),
        ([PLAIN, workload("CronJob", "web/nightly", revision="canary")], "canary", ("CronJob", "nightly")),
        ([PLAIN, workload("Job", "web/once", revision="canary")], "canary", ("Job", "once")),
        ([PLAIN, api_gateway("web/g", revision="canary")], "canary", ("Gateway", "g")),
        ([of_revision("web", "canary"), api_gateway("web/w", "istio-waypoint")], "canary", ("Gateway", "w")),
        ([PLAIN, api_gateway("web/g")], "default", ("Gateway", "g")),
        ([injector("canary", "prod")], "canary", ("MutatingWebhookConfiguration", "istio-revision-tag-prod")),
        ([validator("canary")], "canary", ("ValidatingWebhookConfiguration", "istiod-default-validator")),
        (
            [made("Sidecar", "web/one", metadata={"labels": {"istio.io/rev": "canary"}})],
            "canary",
            ("Sidecar", "one"),
        ),
        (
            [made("IstioRevisionTag", "prod", status={"istioRevision": "canary"})],
            "canary",
            ("IstioRevisionTag", "prod"),
        ),
        (
            [
                made(
                    "DaemonSet",
                    "istio-system/ztunnel",
                    metadata={"labels": {"istio.io/rev": "canary"}},
                    spec={"template": {}},
                )
            ],
            "canary",
            ("DaemonSet", "ztunnel"),
        ),
    ],
)
def test_everything_that_refers_to_a_revision_uses_it(
    objects: list[Made], revision: str, user: tuple[str, str]
) -> None:
    assert user in used(revision, *objects)


@pytest.mark.parametrize(
    "objects",
    [
        [],
        [PLAIN, pod("web/a")],
        [namespace("web", istio_injection="disabled"), pod("web/a", inject="false", revision="canary")],
        [of_revision("web", "canary-2")],
        [PLAIN, workload("Job", "web/once", status=DONE, revision="canary")],
        [PLAIN, workload("Deployment", "web/idle", inject="false", revision="canary")],
        [PLAIN, api_gateway("web/g", "nginx", "canary")],
        [validator()],
    ],
)
def test_nothing_else_does(objects: list[Made]) -> None:
    assert used("canary", *objects) == []


def test_a_name_that_is_no_revision_is_told() -> None:
    """A label that names nothing is a namespace without injection, which nobody notices."""
    assert used("gone", of_revision("web", "gone")) == [("Namespace", "web")]


def test_gateways_that_name_nobody_belong_to_the_default_validator_where_there_is_no_default() -> None:
    found = uses(snapshot(istiod("1.31.0", "canary"), validator("canary"), PLAIN, api_gateway("web/g")))
    assert [use.kind for use in found["canary"]] == ["Gateway", "ValidatingWebhookConfiguration"]


def test_the_default_tag_is_meant_by_the_injection_label() -> None:
    found = uses(
        snapshot(istiod("1.31.0", "canary"), injector("canary", "default"), namespace("web", istio_injection="enabled"))
    )
    assert counted(found["canary"]) == {"MutatingWebhookConfiguration": 1, "Namespace": 1}
    assert told(found["canary"])[0] == {
        "kind": "Namespace",
        "namespace": "",
        "name": "web",
        "how": "label istio-injection",
    }


NAMES = st.sampled_from(["default", "canary", "prod", "other"])
LABELS = st.fixed_dictionaries(
    {}, optional={"istio.io/rev": NAMES, "istio-injection": st.sampled_from(["enabled", "disabled"])}
)
POD_LABELS = st.fixed_dictionaries(
    {}, optional={"istio.io/rev": NAMES, "sidecar.istio.io/inject": st.sampled_from(["true", "false"])}
)
ANNOTATIONS = st.fixed_dictionaries({}, optional={"istio.io/rev": NAMES})
PHASES = st.sampled_from(["Running", "Pending", "Failed", "Succeeded"])


@st.composite
def clusters(draw: st.DrawFn) -> Snapshot:
    """Namespaces with any labels, Pods with any labels and injectors, tags of both kinds."""
    spaces = [
        made("Namespace", f"n{i}", metadata={"labels": labels})
        for i, labels in enumerate(draw(st.lists(LABELS, min_size=1, max_size=3)))
    ]
    rows = draw(st.lists(st.tuples(POD_LABELS, ANNOTATIONS, PHASES, st.integers(0, len(spaces) - 1)), max_size=4))
    pods = [
        made(
            "Pod",
            f"n{at}/p{i}",
            metadata={"labels": labels, "annotations": notes},
            spec={"containers": []},
            status={"phase": phase},
        )
        for i, (labels, notes, phase, at) in enumerate(rows)
    ]
    sail = [
        made("IstioRevisionTag", f"t{i}", status={"istioRevision": name})
        for i, name in enumerate(draw(st.lists(NAMES, max_size=2)))
    ]
    tags = [injector("canary", "prod")] if draw(st.booleans()) else []
    planes = [
        istiod("1.29.1"),
        istiod("1.31.0", "canary"),
        istiod("1.30.7", "other"),
        injector(by_default=draw(st.booleans())),
    ]
    return snapshot(*spaces, *pods, *sail, *tags, *planes)


def named_by(labels: dict[str, str]) -> str:
    return "default" if labels.get("istio-injection") == "enabled" else labels.get("istio.io/rev", "")


def sail_says_in_use(found: Snapshot, revision: str) -> bool:
    """The rule of the Sail operator, written down from its documentation and in no other way connected with ours."""
    objects: dict[str, Any] = {kind.split(".")[0]: items for kind, items in found.objects.items()}
    spaces = {item["metadata"]["name"]: named_by(item["metadata"]["labels"]) for item in objects["Namespace"]}
    by_tag = any(tag["status"]["istioRevision"] == revision for tag in objects.get("IstioRevisionTag", []))
    by_default = any(
        hook["name"].startswith("auto.")
        for item in objects["MutatingWebhookConfiguration"]
        for hook in item["webhooks"]
    )
    return (
        by_tag
        or revision in spaces.values()
        or any(sail_pod(item, spaces[item["metadata"]["namespace"]], revision) for item in objects.get("Pod", []))
        or (revision == "default" and by_default)
    )


def sail_pod(item: Made, of_namespace: str, revision: str) -> bool:
    labels, notes = item["metadata"]["labels"], item["metadata"]["annotations"]
    if item["status"]["phase"] != "Succeeded" and notes.get("istio.io/rev") == revision:
        return True
    if of_namespace or labels.get("sidecar.istio.io/inject") == "false":
        return False
    asked = labels.get("istio.io/rev") or ("default" if labels.get("sidecar.istio.io/inject") == "true" else "")
    return bool(asked == revision)


@settings(max_examples=300)
@given(clusters())
def test_all_that_the_sail_operator_finds_is_found(found: Snapshot) -> None:
    used_here = uses(found)
    for revision in revisions(found):
        if sail_says_in_use(found, revision):
            assert used_here.get(revision), revision


def test_with_the_tag_default_who_asks_for_the_default_one_uses_the_tags_revision() -> None:
    """Once the injector without a revision matches nothing; what runs its proxy uses it all the same."""
    off = injector()
    for hook in off["webhooks"]:
        hook["namespaceSelector"] = hook["objectSelector"] = dict(NEVER)
    there = [istiod("1.29.1"), istiod("1.31.0", "canary"), off, injector("canary"), injector("canary", "default")]
    enabled = [namespace("web", istio_injection="enabled"), workload("Deployment", "web/idle")]
    found = uses(snapshot(*there, *enabled, pod("web/old", "default"), validator("default")))
    assert {use.kind for use in found["default"]} == {"Pod", "ValidatingWebhookConfiguration"}
    assert {("Namespace", "web"), ("Deployment", "idle")} <= {(use.kind, use.object) for use in found["canary"]}
