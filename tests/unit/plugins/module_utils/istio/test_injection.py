"""Injection requests: one label each, what contradicts it goes, what cannot be right is refused."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.facts import SYSTEM_NAMESPACES
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.injection import (
    NAMESPACE_MODES,
    InjectionError,
    NamespaceInjection,
    desired_namespace,
    namespace_injection,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import label_paths


@pytest.mark.parametrize("name", sorted(SYSTEM_NAMESPACES))
@pytest.mark.parametrize("mode", NAMESPACE_MODES)
def test_kubernetes_own_namespaces_are_never_injected(name: str, mode: str) -> None:
    with pytest.raises(InjectionError, match=f"The namespace '{name}' is never injected: istiod ignores"):
        namespace_injection(name, mode, None, create=False)


@pytest.mark.parametrize("mode", NAMESPACE_MODES)
def test_a_revision_injects_so_no_other_mode_goes_with_it(mode: str) -> None:
    with pytest.raises(InjectionError, match=f"has mode '{mode}' and revision 'canary'.* Keep one of them"):
        namespace_injection("web", mode, "canary", create=False)


@pytest.mark.parametrize(
    ("mode", "revision", "labels", "dropped"),
    [
        (None, None, {"istio-injection": "enabled"}, ("istio.io/rev",)),
        ("enabled", None, {"istio-injection": "enabled"}, ("istio.io/rev",)),
        ("disabled", None, {"istio-injection": "disabled"}, ("istio.io/rev",)),
        ("enabled", "default", {"istio.io/rev": "default"}, ("istio-injection",)),
        (None, "canary", {"istio.io/rev": "canary"}, ("istio-injection",)),
        ("clear", None, None, ("istio-injection", "istio.io/rev")),
    ],
)
def test_a_namespace_gets_one_label_and_loses_what_contradicts_it(
    mode: str | None, revision: str | None, labels: dict[str, str] | None, dropped: tuple[str, ...]
) -> None:
    desired = desired_namespace(namespace_injection("web", mode, revision, create=False))
    assert desired.content["metadata"] == {"name": "web", **({"labels": labels} if labels else {})}
    assert desired.drops == label_paths(*dropped)


def test_a_request_keeps_whether_the_namespace_may_be_created() -> None:
    assert namespace_injection("web", None, None, create=True) == NamespaceInjection("web", create=True)
