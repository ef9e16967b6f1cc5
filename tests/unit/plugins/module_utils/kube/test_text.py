"""Suggestions: the near word is offered, a far one is not."""

from __future__ import annotations

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.text import did_you_mean


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
