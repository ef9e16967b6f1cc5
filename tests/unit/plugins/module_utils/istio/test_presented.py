"""What Envoy says of its secrets, read."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.certificates import certificates
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.presented import read_dump
from unit.support.certificates import root

END = datetime.now(timezone.utc) + timedelta(days=365)
ROOT = root("mesh root", END)
LEAF = ROOT.issues("leaf", END, ca=False)


def inline(pem: str) -> dict[str, str]:
    return {"inline_bytes": base64.b64encode(pem.encode()).decode()}


def row(name: str, **secret: Any) -> dict[str, Any]:
    return {"name": name, "secret": {"name": name, **secret}}


PRESENTED = row("default", tls_certificate={"certificate_chain": inline(LEAF.pem), "private_key": inline("[redacted]")})
HELD = row("ROOTCA", validation_context={"trusted_ca": inline(ROOT.pem)})
OTHERS = row("kubernetes://shop", tls_certificate={"certificate_chain": inline(ROOT.pem)})


def dump(*rows: dict[str, Any]) -> str:
    return json.dumps({"configs": list(rows)})


def test_the_two_of_the_mesh_are_read() -> None:
    shown = read_dump(dump(OTHERS, PRESENTED, HELD), "Pod web/shop", "1")
    assert shown.trouble == ""
    assert shown.holds == frozenset(certificates(ROOT.pem))
    assert shown.chain == tuple(certificates(LEAF.pem))


@pytest.mark.parametrize(
    ("printed", "parts"),
    [
        (dump(OTHERS, HELD), (True, False)),
        (dump(PRESENTED), (False, True)),
        (dump(row("default", tls_certificate={"certificate_chain": inline("x")}), HELD), (True, False)),
        (json.dumps({}), (False, False)),
    ],
)
def test_what_a_proxy_has_not_got_yet_is_missing(printed: str, parts: tuple[bool, bool]) -> None:
    shown = read_dump(printed, "Pod web/shop", "1")
    assert (bool(shown.holds), bool(shown.chain), shown.trouble) == (*parts, "")


@pytest.mark.parametrize(
    ("printed", "trouble"),
    [
        ("upstream connect error", "it says upstream connect error"),
        ("", "it says nothing"),
        ("[]", "does not tell its certificates"),
    ],
)
def test_what_cannot_be_read_is_told(printed: str, trouble: str) -> None:
    shown = read_dump(printed, "Pod web/shop", "1")
    assert trouble in shown.trouble
