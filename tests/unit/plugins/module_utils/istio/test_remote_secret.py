"""What a remote secret says, and what its token says of itself."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.networks import is_loopback
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.reader import Reader
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.registration import (
    Registration,
    RemoteClusterError,
    checked,
    shortened,
)
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.remote_defects import defect_of
from ansible_collections.service_mesh.istio.plugins.module_utils.istio.remote_secret import (
    Address,
    Token,
    access_in,
    clusters_in,
    config_secret,
    remote_secret,
    token_state,
)

BOUND = {"namespace": "istio-system", "secret": {"name": "istio-reader-east-b", "uid": "1"}}
CLAIMS: dict[str, Any] = {"iat": 1000, "exp": 2000, "kubernetes.io": BOUND}


def jwt(claims: dict[str, Any]) -> str:
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{body}.signature"


def test_what_is_written_can_be_read() -> None:
    secret = remote_secret("west", "istio-system", Address("https://192.0.2.1:6443", "CA"), jwt(CLAIMS))
    server, token = access_in(secret, "west")
    assert (server, clusters_in(secret)) == ("https://192.0.2.1:6443", ["west"])
    assert token is not None
    assert token.bound_to("secret") == ("istio-reader-east-b", "1")
    assert Reader("east", "istio-system").slot_of(token) == "b"
    assert token.ends is not None
    assert (token.ends - token.begins).total_seconds() == 1000


def test_an_external_control_plane_reads_its_token_from_a_file() -> None:
    secret = config_secret("west", "istio-system", Address("https://192.0.2.1:6443", "CA"), jwt(CLAIMS))
    server, token = access_in(secret, "west")
    assert (server, clusters_in(secret)) == ("https://192.0.2.1:6443", ["west"])
    assert token == Token.of(jwt(CLAIMS))
    assert (set(secret["data"]), "labels" in secret["metadata"]) == ({"config", "token"}, False)
    reader = Reader("east", "istio-system", given="istiod")
    assert (reader.account, [found["kind"] for found in reader.objects("a")]) == ("istiod", ["Secret"])
    left = reader.keys()
    assert {key.name for key in left} == {"istio-config-east-a", "istio-config-east-b"}


@pytest.mark.parametrize(
    ("second", "state"), [(1000, "valid"), (1660, "valid"), (1680, "due"), (1999, "due"), (2000, "expired")]
)
def test_a_token_is_due_when_a_third_of_its_life_is_left(second: int, state: str) -> None:
    assert token_state(Token.of(jwt(CLAIMS)), datetime.fromtimestamp(second, timezone.utc)) == state


@pytest.mark.parametrize(
    ("lives", "said"),
    [
        (86400, "a token for 24 hours, and 2160 hours were asked for.* at least every 7 hours"),
        (3600, "a token for 60 minutes, .* at least every 19 minutes, or east cannot read west after 1970-01-01 01:16"),
        (7776000 - 1, "a token for 2159 hours"),
    ],
)
def test_a_server_that_gives_tokens_for_less_time_is_told(lives: int, said: str) -> None:
    (told,) = shortened(Registration("west", "east"), Token.of(jwt({**CLAIMS, "exp": 1000 + lives})))
    assert re.search(said, told), told


@pytest.mark.parametrize("text", [jwt({**CLAIMS, "exp": 1000 + 7776000}), jwt({"iat": 1000}), "none"])
def test_a_token_for_the_time_that_was_asked_for_is_not_told(text: str) -> None:
    assert shortened(Registration("west", "east"), Token.of(text)) == []


def test_a_token_without_an_end_or_a_meaning_is_said() -> None:
    now = datetime.now(timezone.utc)
    assert token_state(Token.of(jwt({"iat": 1000})), now) == "endless"
    assert token_state(None, now) == "unreadable"


def test_a_token_of_an_old_tool_never_ends() -> None:
    token = Token.of(jwt({"iss": "kubernetes/serviceaccount"}))
    assert token is not None
    assert token.ends is None
    assert Reader("east", "istio-system").slot_of(token) == ""


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.eA.c", "a.MQ.c"])
def test_what_is_no_token(text: str) -> None:
    assert Token.of(text) is None


@pytest.mark.parametrize("content", ["", "x", "[]", "clusters: []", "clusters: [{}]", "a: ["])
def test_what_is_no_kubeconfig(content: str) -> None:
    data = {"west": base64.b64encode(content.encode()).decode()}
    assert access_in({"metadata": {"name": "x"}, "data": data}, "west") == ("", None)


def test_a_token_does_not_show_itself() -> None:
    assert "head" not in repr(Token.of(jwt(CLAIMS)))


@pytest.mark.parametrize("host", ["127.0.0.1:6443", "127.9.9.9", "localhost", "[::1]:6443", "0.0.0.0:1"])
def test_this_machine(host: str) -> None:
    assert is_loopback(f"https://{host}")


@pytest.mark.parametrize("host", ["192.0.2.1:6443", "api.example.com", "localhost.example.com"])
def test_another_machine(host: str) -> None:
    assert not is_loopback(f"https://{host}")


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ("1.26.9", ""),
        ("1.28.3", "istiod 1.28.3 does not take up a change in place: its secret controller may deadlock"),
        ("1.29.6", "istiod 1.29.6 does not take up a change in place: it forgets the cluster before it reads it anew"),
        ("1.29.1", "istiod 1.29.1 does not take up a change in place: its secret controller deadlocks"),
        ("1.30.3", "istiod 1.30.3 does not take up a change in place: it loses the cluster's endpoints"),
        ("1.31.1", ""),
        ("ours", "istiod ours does not take up a change in place: nobody knows whether its version does"),
    ],
)
def test_versions_that_take_up_no_change(tag: str, said: str) -> None:
    defect = defect_of(tag)
    assert (defect.told(tag) if defect else "") == said


@pytest.mark.parametrize("name", ["West", "we.st", "-west", "", "w" * 64])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(RemoteClusterError):
        checked(Registration(name, "east"))
