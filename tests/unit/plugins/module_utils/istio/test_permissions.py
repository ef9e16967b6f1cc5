"""Permissions: which rules grant what, and that the examples' roles grant what the operations need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.permissions import (
    TO_REMOVE,
    TO_WRITE,
    Permission,
    granted,
)

EXAMPLES = Path(__file__).resolve().parents[5] / "examples" / "rbac"
PATCH = Permission("patch", "apps", "deployments")
RULE: dict[str, Any] = {"verbs": ["patch"], "apiGroups": ["apps"], "resources": ["deployments"]}


@pytest.mark.parametrize(
    ("rule", "allowed"),
    [
        (RULE, True),
        ({**RULE, "verbs": ["*"]}, True),
        ({**RULE, "apiGroups": ["*"], "resources": ["*"]}, True),
        ({**RULE, "verbs": ["get"]}, False),
        ({**RULE, "apiGroups": [""]}, False),
        ({**RULE, "resources": ["deployments/scale"]}, False),
        ({**RULE, "resourceNames": ["istiod"]}, False),
        ({"verbs": ["patch"], "nonResourceURLs": ["*"]}, False),
    ],
)
def test_a_rule(rule: dict[str, Any], allowed: bool) -> None:
    assert granted(PATCH, [rule]) is allowed


def test_the_example_for_installing_grants_all_of_it() -> None:
    rules = yaml.safe_load((EXAMPLES / "lifecycle.yaml").read_text(encoding="utf-8"))["rules"]
    assert [one for one in (*TO_WRITE, *TO_REMOVE) if not granted(one, rules)] == []


def test_a_resource_in_words() -> None:
    assert PATCH.where == "deployments.apps"
    assert Permission("get", "", "services").where == "services"
