"""Suggestions: the near word is offered, a far one is not."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.text import did_you_mean, slip_of


@pytest.mark.parametrize(
    ("word", "known", "said"),
    [
        ("hostz", ["hosts", "http"], " (did you mean 'hosts'?)"),
        ("exportTo", ["export_to"], " (did you mean 'export_to'?)"),
        ("zzz", ["hosts"], ""),
        ("hosts", [], ""),
    ],
)
def test_the_near_word_is_offered(word: str, known: list[str], said: str) -> None:
    assert did_you_mean(word, known) == said


@pytest.mark.parametrize(
    ("word", "other", "is_one"),
    [
        ("VirtualServce", "VirtualService", True),
        ("VirtualServcie", "VirtualService", True),
        ("virtualservice", "VirtualService", True),
        ("Gatway", "Gateway", True),
        ("networking.isto.io/v1", "networking.istio.io/v1", True),
        ("UDPRoute", "TCPRoute", False),
        ("ApplicationSet", "Application", False),
        ("PipelineRun", "Pipeline", False),
        ("IngressRouteTCP", "IngressRoute", False),
        ("InferenceModel", "InferencePool", False),
        ("networking.gke.io/v1", "networking.istio.io/v1", False),
        ("networking.cilium.io/v1", "networking.istio.io/v1", False),
        ("networking.nsx.io/v1", "networking.k8s.io/v1", False),
    ],
)
def test_a_slip_of_the_hand_is_no_name_of_its_own(word: str, other: str, is_one: bool) -> None:
    assert slip_of(word, ["Widget", other]) == (f" (did you mean '{other}'?)" if is_one else "")
