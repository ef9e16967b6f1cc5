"""Injection webhooks that would meet on one Pod."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.collisions import collisions
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injector import NEVER, selectors
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.webhooks import SUFFIX, hooks_of


def configuration(name: str, of: str, *, auto: bool = False, active: bool = True) -> dict[str, Any]:
    hooks = [
        {
            "name": f"{case}{SUFFIX}",
            "namespaceSelector": namespaces if active else NEVER,
            "objectSelector": pods if active else NEVER,
        }
        for case, (namespaces, pods) in selectors(of, auto).items()
    ]
    return {"metadata": {"name": name, "labels": {"istio.io/rev": of}}, "webhooks": hooks}


@pytest.mark.parametrize(
    ("namespace", "pod", "expected"),
    [
        ({"istio-injection": "enabled"}, {}, ["plain/namespace."]),
        ({"istio-injection": "enabled", "istio.io/rev": "r1"}, {"istio.io/rev": "r1"}, ["plain/namespace."]),
        ({"istio-injection": "disabled"}, {"sidecar.istio.io/inject": "true"}, []),
        ({"istio.io/rev": "r1"}, {"istio.io/rev": "default"}, ["r1/rev.namespace."]),
        ({}, {"istio.io/rev": "r1"}, ["r1/rev.object."]),
        ({}, {"sidecar.istio.io/inject": "true"}, ["plain/object."]),
        ({}, {"sidecar.istio.io/inject": "false", "istio.io/rev": "r1"}, []),
        ({}, {}, ["plain/auto."]),
        ({"kubernetes.io/metadata.name": "kube-system"}, {}, []),
    ],
)
def test_who_injects(namespace: dict[str, str], pod: dict[str, str], expected: list[str]) -> None:
    hooks = hooks_of([configuration("plain", "default", auto=True), configuration("r1", "r1")])
    assert [str(hook) for hook in hooks if hook.selects(namespace, pod)] == [f"{name}{SUFFIX}" for name in expected]


@pytest.mark.parametrize("auto", [True, False])
def test_revisions_and_tags_beside_each_other_never_collide(auto: bool) -> None:
    others = [configuration(name, name, auto=auto) for name in ("r1", "r2", "prod")]
    assert list(collisions([configuration("plain", "default", auto=auto), *others])) == []
    deactivated = configuration("plain", "default", auto=auto, active=False)
    assert list(collisions([deactivated, configuration("tag", "default", auto=auto), *others])) == []


def test_two_default_injectors_collide_and_it_is_said_where() -> None:
    found = list(collisions([configuration("plain", "default"), configuration("tag", "default")]))
    assert found
    assert any(dict(each.namespace) == {"istio-injection": "enabled"} and not each.pod for each in found)
    assert {tuple(name.partition("/")[0] for name in each.webhooks) for each in found} == {("plain", "tag")}
