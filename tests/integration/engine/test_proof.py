"""What the engine proves by itself, a real API server confirms: applying a proved object persists nothing."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.facts import KEYED_LISTS
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.client import Client
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import ApiError
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.resources import Resource
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.objects import Desired
from ansible_collections.service_mesh.istio.plugins.module_utils.reconcile.proof import is_unchanged
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from integration.engine.driver import MANAGER, Engine, Object
from integration.engine.mutations import body, mutated
from integration.engine.samples import SAMPLES, Sample
from integration.support.bed import Cluster

SOMEBODY = "somebody"
# The bed's Istio does not serve the one; CRDs are proved with every control plane.
NOT_TRIED = {"TrafficExtension.extensions.istio.io", "CustomResourceDefinition.apiextensions.k8s.io"}
EXAMPLES = settings(
    max_examples=150,
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
    made: list[tuple[Resource, str]] = field(default_factory=list)
    confirmed: int = 0
    doubted: int = 0

    def manifest(self, sample: Sample) -> Object:
        self.made.append((sample.resource, f"{self.namespace}-{next(self.numbers)}"))
        return sample.named(self.made[-1][1], self.namespace)

    def place(self, resource: Resource) -> str | None:
        return self.namespace if resource.namespaced else None

    def live(self, sample: Sample, applied: Object, drift: Object) -> Object:
        """The object as we have applied it and somebody else has changed it, if the server let them."""
        resource = sample.resource
        self.client.apply(resource, applied, MANAGER, dry_run=False)
        patch = {**{part: drift[part] for part in body(drift)}, "metadata": {"labels": drift["metadata"]["labels"]}}
        name = applied["metadata"]["name"]
        if drift != applied:
            with contextlib.suppress(ApiError):
                self.client.merge(resource, name, self.place(resource), patch, SOMEBODY, dry_run=False)
        found = self.client.get(resource, name, self.place(resource))
        assert found
        return found

    def judge(self, sample: Sample, content: Object, live: Object) -> bool:
        desired = Desired(content)
        if not is_unchanged(desired, live, MANAGER, KEYED_LISTS[desired.key.group_kind]):
            self.doubted += 1
            return False
        self.client.apply(sample.resource, desired.content, MANAGER, dry_run=False)
        after = self.client.get(sample.resource, desired.key.name, self.place(sample.resource))
        assert after == live, "proved to be unchanged, and applying it has changed something"
        self.confirmed += 1
        return True

    def remove(self) -> None:
        """What is in no namespace; the rest goes away with its own."""
        for resource, name in self.made:
            if not resource.namespaced and (found := self.client.get(resource, name)):
                self.client.delete(resource, name, None, uid=found["metadata"]["uid"], dry_run=False)


@pytest.fixture(scope="module")
def proofs(cluster: Cluster, crds: Path, namespaces: list[str]) -> Iterator[Proofs]:
    assert crds
    namespaces.append(f"test-proofs-{uuid.uuid4().hex[:8]}")
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespaces[-1]}})
    made = Proofs(Engine(cluster.kubeconfig).client(), namespaces[-1])
    yield made
    made.remove()


def test_every_kind_has_a_sample() -> None:
    known = {Desired(sample.named("one", "default")).key.group_kind for sample in SAMPLES}
    assert set(KEYED_LISTS) - known == NOT_TRIED


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.id)
def test_what_we_have_applied_is_proved(proofs: Proofs, sample: Sample) -> None:
    """Comparing is reflexive: no second run of such an object needs a dry run."""
    manifest = proofs.manifest(sample)
    assert proofs.judge(sample, manifest, proofs.live(sample, manifest, manifest))


@EXAMPLES
@given(data=st.data(), sample=st.sampled_from(SAMPLES))
def test_proofs_hold(proofs: Proofs, data: st.DataObject, sample: Sample) -> None:
    """Random objects of every kind, random drifts by somebody else, random wishes."""
    applied = proofs.manifest(sample)
    live = proofs.live(sample, applied, data.draw(mutated(applied), label="drift"))
    for _ in range(8):
        proofs.judge(sample, data.draw(mutated(applied), label="wish"), live)


def test_proofs_were_put_to_the_test(proofs: Proofs) -> None:
    """Neither everything was proved nor nothing."""
    assert proofs.confirmed > len(SAMPLES)
    assert proofs.doubted > len(SAMPLES)
