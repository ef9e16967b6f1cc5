"""How fields that others hold are told: of one object, and of many at once."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import Conflict
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.conflicts import (
    OwnedByOthers,
    explained,
    together,
)

FAMILY = "service_mesh.istio/config"
HELM = ('conflict with "helm" using networking.istio.io/v1', ".spec.hosts")
EDIT = ('conflict with "kubectl-edit"', ".spec.http")
LABEL = ".metadata.labels.app.kubernetes.io/name"
PORTS: list[Any] = [{"name": "http", "number": 1}, {"name": "a]", "port": 81, "number": 2}]


def conflict(*causes: tuple[str, str]) -> Conflict:
    details = {"causes": [{"message": message, "field": field} for message, field in causes]}
    return Conflict("Could not apply", reason="Apply failed", status=409, details=details)


def content(kind: str = "Namespace", label: str = "a", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"labels": {"app.kubernetes.io/name": label, "app": "x"}}, **more}


def told(subject: str, manager: str, family: str = "") -> OwnedByOthers:
    error = explained(conflict((f'conflict with "{manager}"', ".spec.http")), subject, content(), None, family)
    assert isinstance(error, OwnedByOthers)
    return error


def test_a_conflict_names_managers_fields_values_and_the_option() -> None:
    wanted = content("VirtualService", spec={"http": []})
    error = explained(conflict(EDIT, HELM), "VirtualService web/shop on east", wanted, None)
    assert str(error) == (
        "VirtualService web/shop on east has fields that somebody else manages: "
        ".spec.http is owned by 'kubectl-edit' (live nothing, desired []); .spec.hosts is owned by 'helm'. "
        "Leave these fields out, or take them over with 'take_ownership_from: [helm, kubectl-edit]'."
    )
    assert (error.status, error.code, error.subject) == (409, "conflict", "VirtualService web/shop on east")


@pytest.mark.parametrize(
    ("manager", "way"),
    [
        (f"{FAMILY}/other", "Leave what is in another set out, or say 'adopt: true' to move it into this one."),
        (
            "kubectl",
            "Leave what is in another set out, or have it taken out of that set first, by the tool that keeps it.",
        ),
    ],
)
def test_of_another_set_nobody_is_told_to_take_its_label(manager: str, way: str) -> None:
    label = (f'conflict with "{manager}"', ".metadata.labels.applyset.kubernetes.io/part-of")
    error = explained(conflict(label), "ConfigMap shop/s0 on east", content(), None, FAMILY)
    assert isinstance(error, OwnedByOthers)
    assert str(error) == (
        "ConfigMap shop/s0 on east has fields that somebody else manages: "
        f"it is in another set, which '{manager}' keeps. {way}"
    )
    assert together([error, told("x", "helm")]).hint.startswith("Leave what is in another set out")


def test_a_conflict_of_another_kind_stays_as_it_is() -> None:
    """The object was changed in between: no cause, nothing to take over."""
    error = conflict()
    assert explained(error, "x", {}, None) is error


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (LABEL, " (live 'b', desired 'a')"),
        ('.spec.ports[name="http"].number', " (live 10, desired 1)"),
        ('.spec.ports[name="a]",port=81].number', " (live 20, desired 2)"),
        ('.spec.ports[name="tls"].number', ""),
        (
            '.spec.ports[name="http"]',
            ' (live {"name": "http", "number": 10}, desired {"name": "http", "number": 1})',
        ),
        (".spec.hosts", ' (live ["b"], desired ["a", "c"])'),
        ('.spec.hosts[="b"]', ""),
        (".spec.on", " (live True, desired nothing)"),
    ],
)
def test_both_values_are_told_whatever_their_shape(field: str, said: str) -> None:
    ports = [{**port, "number": port["number"] * 10} for port in PORTS]
    live = content(label="b", spec={"ports": ports, "hosts": ["b"], "on": True})
    wanted = content(spec={"ports": PORTS, "hosts": ["a", "c"]})
    assert explained(conflict(('conflict with "ann"', field)), "x", wanted, live).reason == (
        f"{field} is owned by 'ann'{said}"
    )


def test_long_values_are_cut_around_their_first_difference() -> None:
    same = [f"host-{number}" for number in range(50)]
    live, wanted = ([*same, one, *same] for one in ("old", "new"))
    error = explained(
        conflict(('conflict with "ann"', ".spec.hosts")),
        "x",
        content(spec={"hosts": wanted}),
        content(spec={"hosts": live}),
    )
    assert '(live ...st-48", "host-49", "old", "host-0"' in error.reason
    assert ', desired ...st-48", "host-49", "new", "host-0"' in error.reason
    assert error.reason.endswith("...)")
    assert len(error.reason) < 300


@pytest.mark.parametrize("field", [".data.token", ".data", ".metadata.annotations.last"])
def test_values_of_secrets_are_hashes(field: str) -> None:
    live, wanted = ({**content("Secret"), "data": {"token": word}} for word in ("b2xk", "bmV3"))
    for found in (live, wanted):
        found["metadata"] = {"annotations": {"last": found["data"]["token"]}}
    reason = explained(conflict(('conflict with "ann"', field)), "x", wanted, live).reason
    assert reason.count("sha256:") == 2
    assert "b2xk" not in reason
    assert "bmV3" not in reason


def test_all_objects_are_told_at_once_with_all_managers() -> None:
    one, other = told("VirtualService web/a", "helm"), told("VirtualService web/b", "ann")
    one.stands_in("objects[0]")
    assert str(together([one, other])) == (
        "2 objects have fields that somebody else manages: "
        "VirtualService web/a (objects[0]): .spec.http is owned by 'helm'; "
        "VirtualService web/b: .spec.http is owned by 'ann'. "
        "Leave these fields out, or take them over with 'take_ownership_from: [ann, helm]'."
    )
    assert together([one]) is one


def test_what_only_tasks_of_ours_hold_can_be_moved() -> None:
    ours = [told(f"VirtualService web/{name}", f"{FAMILY}/{name}", FAMILY) for name in "ab"]
    assert "adopt: true" in together(ours).hint
    assert "take_ownership_from: [helm, " in together([*ours, told("x", "helm", FAMILY)]).hint


def test_a_long_list_is_cut() -> None:
    many = together([told(f"VirtualService web/{number}", "helm") for number in range(25)])
    assert many.what.startswith("25 objects")
    assert many.reason.endswith("; and 5 more")
    assert many.subject.endswith(", and 5 more")


def test_a_key_with_a_default_need_not_be_asked_for() -> None:
    field = '.spec.ports[port=80,protocol="TCP"].targetPort'
    live = content("Service", spec={"ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}]})
    wanted = content("Service", spec={"ports": [{"port": 80, "targetPort": 9090}]})
    error = explained(conflict(('conflict with "helm"', field)), "Service web/shop", wanted, live)
    assert "(live 8080, desired 9090)" in error.reason


def test_a_key_that_is_no_json_leads_nowhere() -> None:
    field = r'.spec.ports[name="\x07"].port'
    error = explained(conflict(('conflict with "helm"', field)), "Service web/shop", content("Service"), None)
    assert f"{field} is owned by 'helm'" in error.reason
