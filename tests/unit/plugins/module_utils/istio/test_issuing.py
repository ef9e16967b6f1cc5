"""Keys and certificates as people hand them over."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.issuing import key_block, made_root, private_pem

ROOT = made_root("shop", 3650, datetime(2026, 11, 28, 8, 0, tzinfo=timezone.utc))
KEY = private_pem(ROOT.key) if ROOT.key else ""
PARAMETERS = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"


@pytest.mark.parametrize(
    "text", [KEY, KEY.strip(), f"{PARAMETERS}{KEY}", f"{ROOT.pem}{KEY}{ROOT.pem}", f"a note\n{KEY}"]
)
def test_istiod_gets_the_key_alone(text: str) -> None:
    assert key_block(text) == KEY
