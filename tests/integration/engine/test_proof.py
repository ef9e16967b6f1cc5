"""What the engine proves by itself, a real API server confirms: applying a proved object persists nothing."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.facts import KEYED_LISTS
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import ApiError
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.proof import is_unchanged
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from integration.engine.driver import MANAGER, Engine, Object
from integration.engine.mutations import mutated
from integration.support.bed import Cluster
from integration.support.case import Case
from integration.support.cases import CASES

SOMEBODY = "somebody"
# Of the kinds that the bed's Istio serves.
SERVED = [case for case in CASES if case.kind.name != "traffic_extension"]
EXAMPLES = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass
class Proofs:
    """Objects of every kind on a real server, and how many of our proofs it has confirmed."""

    client: Client
    namespace: str
    numbers: Iterator[int] = field(default_factory=itertools.count)
    confirmed: int = 0
    doubted: int = 0

    def manifest(self, case: Case) -> Object:
        options = case.kind.options
        spec = {options[name].field: value for name, value in case.options.items() if name in options}
        metadata = {"name": f"proof-{next(self.numbers)}", "namespace": self.namespace, "labels": {"team": "shop"}}
        return {**head(case), "metadata": metadata, "spec": spec}

    def live(self, case: Case, applied: Object, drift: Object) -> Object:
        """The object as we have applied it and somebody else has changed it, if the server let them."""
        resource = case.kind.resource
        self.client.apply(resource, applied, MANAGER, dry_run=False)
        patch = {"spec": drift["spec"], "metadata": {"labels": drift["metadata"]["labels"]}}
        name = applied["metadata"]["name"]
        if drift != applied:
            with contextlib.suppress(ApiError):
                self.client.merge(resource, name, self.namespace, patch, SOMEBODY, dry_run=False)
        found = self.client.get(resource, name, self.namespace)
        assert found
        return found

    def judge(self, case: Case, content: Object, live: Object) -> bool:
        desired = Desired(content)
        if not is_unchanged(desired, live, MANAGER, KEYED_LISTS[desired.key.group_kind]):
            self.doubted += 1
            return False
        self.client.apply(case.kind.resource, desired.content, MANAGER, dry_run=False)
        after = self.client.get(case.kind.resource, desired.key.name, self.namespace)
        assert after == live, "proved to be unchanged, and applying it has changed something"
        self.confirmed += 1
        return True


def head(case: Case) -> dict[str, Any]:
    resource = case.kind.resource
    return {"apiVersion": resource.api_version, "kind": resource.kind}


@pytest.fixture(scope="module")
def proofs(cluster: Cluster, crds: Path, namespaces: list[str]) -> Proofs:
    assert crds
    namespaces.append(f"test-proofs-{uuid.uuid4().hex[:8]}")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespaces[-1]}})
    return Proofs(Engine(cluster.kubeconfig).client(), namespaces[-1])


@pytest.mark.parametrize("case", SERVED, ids=lambda case: case.id)
def test_what_we_have_applied_is_proved(proofs: Proofs, case: Case) -> None:
    """Comparing is reflexive: no second run of an Istio object needs a dry run."""
    manifest = proofs.manifest(case)
    assert proofs.judge(case, manifest, proofs.live(case, manifest, manifest))


@EXAMPLES
@given(data=st.data(), case=st.sampled_from(SERVED))
def test_proofs_hold(proofs: Proofs, data: st.DataObject, case: Case) -> None:
    """Random objects of every kind, random drifts by somebody else, random wishes."""
    applied = proofs.manifest(case)
    live = proofs.live(case, applied, data.draw(mutated(applied), label="drift"))
    for _ in range(8):
        proofs.judge(case, data.draw(mutated(applied), label="wish"), live)


def test_proofs_were_put_to_the_test(proofs: Proofs) -> None:
    """Neither everything was proved nor nothing."""
    assert proofs.confirmed > len(SERVED)
    assert proofs.doubted > len(SERVED)
