"""Which cluster is meant: named by the options or refused, never whatever happens to be current."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.service_mesh.istio.plugins.module_utils.kube import kubeconfig as kubeconfigs
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.access import Pem
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.connection import Connection, connect
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.errors import ConnectionOptionsError
from ansible_collections.service_mesh.istio.plugins.module_utils.kube.kubeconfig import ConnectionOptions
from unit.support.certificates import certificate

SERVER = "https://127.0.0.1:{}"


def kubeconfig(*contexts: str, current: str = "") -> dict[str, Any]:
    """Each context has a server (the port is its place) and a token that tells them apart."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}} for name in contexts],
        "clusters": [
            {"name": name, "cluster": {"server": SERVER.format(port)}} for port, name in enumerate(contexts, 1)
        ],
        "users": [{"name": name, "user": {"token": f"token-of-{name}"}} for name in contexts],
        **({"current-context": current} if current else {}),
    }


def written(path: Path, content: Mapping[str, Any]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(dict(content)))
    return str(path)


def token(connection: Connection) -> str:
    return connection.headers()["Authorization"]


def test_no_cluster_named_is_refused_even_if_one_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / ".kube" / "config", kubeconfig("east", current="east"))
    with pytest.raises(ConnectionOptionsError, match="No cluster is named: none of 'host', 'kubeconfig' and 'co"):
        connect(ConnectionOptions())


def test_the_current_context_is_taken_on_purpose_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / ".kube" / "config", kubeconfig("east", "west", current="west"))
    assert connect(ConnectionOptions(use_current_context=True)).name == "west"
    assert connect(ConnectionOptions(context="east")).name == "east"


def test_a_kubeconfig_with_one_context_names_a_cluster(tmp_path: Path) -> None:
    path = written(tmp_path / "config", kubeconfig("east"))
    connection = connect(ConnectionOptions(kubeconfig=path))
    assert (connection.name, connection.url, token(connection)) == ("east", SERVER.format(1), "Bearer token-of-east")


def test_of_several_contexts_one_has_to_be_named(tmp_path: Path) -> None:
    path = written(tmp_path / "config", kubeconfig("west", "east", current="west"))
    with pytest.raises(ConnectionOptionsError) as refusal:
        connect(ConnectionOptions(kubeconfig=path))
    assert str(refusal.value) == (
        f"The kubeconfig {path} does not name one cluster: it has the contexts east, west. "
        "Set 'context', or say 'use_current_context: true'."
    )
    assert connect(ConnectionOptions(kubeconfig=path, context="east")).url == SERVER.format(2)
    assert connect(ConnectionOptions(kubeconfig=path, use_current_context=True)).name == "west"


def test_an_unknown_context_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    path = written(tmp_path / "config", kubeconfig("west", "east"))
    with pytest.raises(ConnectionOptionsError, match=r"has no context 'north': it has the contexts east, west\."):
        connect(ConnectionOptions(kubeconfig=path, context="north"))


def test_a_kubeconfig_may_be_given_as_a_dictionary() -> None:
    content = kubeconfig("east", "west")
    assert token(connect(ConnectionOptions(kubeconfig=content, context="west"))) == "Bearer token-of-west"
    with pytest.raises(ConnectionOptionsError, match="The kubeconfig given as a dictionary has no context 'north'"):
        connect(ConnectionOptions(kubeconfig=content, context="north"))


def test_several_files_are_one_kubeconfig(tmp_path: Path) -> None:
    paths = [written(tmp_path / name, kubeconfig(name, current=name)) for name in ("east", "west")]
    both = ":".join([*paths, str(tmp_path / "missing")])
    assert token(connect(ConnectionOptions(kubeconfig=both, context="west"))) == "Bearer token-of-west"
    assert connect(ConnectionOptions(kubeconfig=both, use_current_context=True)).name == "east"


def test_a_context_alone_reads_what_kubectl_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", written(tmp_path / "config", kubeconfig("east", "west")))
    assert connect(ConnectionOptions(context="west")).url == SERVER.format(2)


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    written(tmp_path / "mine", kubeconfig("east"))
    assert connect(ConnectionOptions(kubeconfig="~/mine")).name == "east"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist. Check 'kubeconfig'"),
        ("a: [", "cannot be read"),
        ("just text", "is not a kubeconfig: it holds no mapping"),
        ("{}", "does not name one cluster: it has no contexts"),
        ("contexts: [{name: east, context: {cluster: c}}]", "cannot be used: it has no cluster 'c'"),
        ("contexts: [{name: east, context: {}}]", "cannot be used: 'cluster' is missing in it"),
        (
            "{contexts: [{name: east, context: {cluster: c}}], clusters: [{name: c, cluster: {}}]}",
            "cannot be used: 'server' is missing in it",
        ),
        (
            "{contexts: [{name: east, context: {cluster: c, user: ann}}], "
            "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]}",
            "cannot be used: it has no user 'ann', which its context 'east' names",
        ),
        (
            "{contexts: [{name: east, context: {cluster: c}}], clusters: [{name: c, cluster: {server: 443}}]}",
            "cannot be used: 'server' of its cluster is no text",
        ),
    ],
)
def test_a_broken_kubeconfig_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "config"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConnectionOptionsError) as refusal:
        connect(ConnectionOptions(kubeconfig=str(path)))
    assert f"The kubeconfig {path} {message}" in str(refusal.value)


@pytest.mark.parametrize("value", ["!Hunter2", "*Hunter2", "&Hunter2 a\nb: &Hunter2 c"])
@pytest.mark.usefixtures("each_loader")
def test_a_password_without_quotes_is_not_told(tmp_path: Path, value: str) -> None:
    path = tmp_path / "config"
    path.write_text(f"password: {value}\n")
    with pytest.raises(ConnectionOptionsError, match="cannot be read") as refusal:
        connect(ConnectionOptions(kubeconfig=str(path)))
    assert "Hunter2" not in str(refusal.value)


def test_a_kubeconfig_that_is_nested_too_deep_ends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(f"contexts: {'[' * 100_000}")
    with pytest.raises(ConnectionOptionsError, match=f"The kubeconfig {path} cannot be read"):
        connect(ConnectionOptions(kubeconfig=str(path)))


def test_what_a_file_names_is_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever Ansible was started; and the first of two entries of one name counts, as in kubectl."""
    content = kubeconfig("east")
    content["users"].append({"name": "east", "user": {"token": "another"}})
    content["clusters"][0]["cluster"]["certificate-authority"] = "ca.pem"
    path = written(tmp_path / "own" / "config", content)
    (tmp_path / "own" / "ca.pem").write_text(certificate(datetime(2036, 1, 1, tzinfo=timezone.utc)))
    monkeypatch.chdir(tmp_path)
    for name in (path, "own/config"):
        connection = connect(ConnectionOptions(kubeconfig=name))
        assert token(connection) == "Bearer token-of-east"
        assert connection.access.authority == Pem(path=str(tmp_path / "own" / "ca.pem"))


def test_of_several_files_each_part_may_be_in_another(tmp_path: Path) -> None:
    """The token file is beside the file with the user, not beside the one with the cluster."""
    whole = kubeconfig("east")
    user = {"users": [{"name": "east", "user": {"tokenFile": "token"}}]}
    paths = [
        written(tmp_path / "contexts", {"contexts": whole["contexts"]}),
        written(tmp_path / "a" / "clusters", {"clusters": whole["clusters"]}),
        written(tmp_path / "b" / "users", user),
    ]
    (tmp_path / "b" / "token").write_text("of-b\n")
    connection = connect(ConnectionOptions(kubeconfig=":".join(paths)))
    assert (connection.url, token(connection)) == (SERVER.format(1), "Bearer of-b")


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"tokenFile": "nowhere"}, "No such file or directory: '.*nowhere'"),
        ({"tokenFile": "empty"}, "empty has no token in it"),
        ({"client-certificate-data": "abc"}, "'client-certificate-data' is not encoded with base64"),
        ({"exec": {"command": "a"}}, "'apiVersion' is missing in it"),
    ],
)
def test_credentials_that_are_not_there_are_told(tmp_path: Path, user: dict[str, str], why: str) -> None:
    (tmp_path / "empty").write_text("\n")
    path = written(tmp_path / "config", {**kubeconfig("east"), "users": [{"name": "east", "user": user}]})
    with pytest.raises(ConnectionOptionsError, match=f"The kubeconfig {path} cannot be used: .*{why}"):
        connect(ConnectionOptions(kubeconfig=path))


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    content = kubeconfig("east")
    content["clusters"][0]["cluster"]["certificate-authority"] = "gone.pem"
    with pytest.raises(ConnectionOptionsError, match=r"cannot be read: .*No such file or directory: '.*gone\.pem'"):
        connect(ConnectionOptions(kubeconfig=written(tmp_path / "config", content)))


def of_user(**user: Any) -> ConnectionOptions:
    return ConnectionOptions(kubeconfig={**kubeconfig("east"), "users": [{"name": "east", "user": user}]})


def test_a_password_in_a_kubeconfig() -> None:
    assert token(connect(of_user(username="ann", password="pass"))) == "Basic YW5uOnBhc3M="
    assert token(connect(of_user(username="ann", password=""))) == "Basic YW5uOg=="


def test_a_token_with_a_line_break_is_sent_and_one_with_two_lines_refused() -> None:
    assert token(connect(of_user(token="abc\n"))) == "Bearer abc"
    with pytest.raises(ConnectionOptionsError, match="The token cannot be sent") as refusal:
        connect(of_user(token="hunter2\nhunter3"))
    assert "hunter" not in str(refusal.value)


def test_whom_a_kubeconfig_impersonates_unless_the_options_name_somebody() -> None:
    """Otherwise the task would act with the rights of the user himself, which are as a rule greater."""
    options = of_user(token="t", **{"as": "bob", "as-groups": ["a", "b"]})
    connection = connect(options)
    assert connection.headers()["Impersonate-User"] == "bob"
    assert connection.repeated_headers() == [("Impersonate-Group", "a"), ("Impersonate-Group", "b")]
    other = connect(replace(options, impersonate_user="eve"))
    assert (other.headers()["Impersonate-User"], other.repeated_headers()) == ("eve", [])


@pytest.mark.parametrize("more", [{"as-uid": "1"}, {"as-user-extra": {"a": ["b"]}}, {"as-groups": ["a"]}])
def test_an_impersonation_that_is_not_known_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ConnectionOptionsError, match=f"its user has '{next(iter(more))}', and only 'as'"):
        connect(of_user(token="t", **more))


@pytest.mark.parametrize("more", [{"as": "bob\n"}, {"as": "bob", "as-groups": "admins"}, {"as": "Łukasz"}])
def test_an_impersonation_that_cannot_be_sent_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(ConnectionOptionsError, match="'as' or 'as-groups' of its user is no name, or no list"):
        connect(of_user(token="t", **more))


def test_the_name_of_a_profile_is_no_secret(tmp_path: Path) -> None:
    """Messages stay readable: only what may quote a user is looked through."""
    user = {"exec": {"command": "a", "env": [{"name": "AWS_PROFILE", "value": "prod"}]}}
    content = {**kubeconfig("prod-east", "west"), "users": [{"name": "prod-east", "user": user}]}
    with pytest.raises(ConnectionOptionsError, match=r"it has the contexts prod-east, west\."):
        connect(ConnectionOptions(kubeconfig=written(tmp_path / "config", content), context="prod"))


def test_verification_is_no_text() -> None:
    """The text "False" of a template would switch it off."""
    content = kubeconfig("east")
    content["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = "False"
    with pytest.raises(ConnectionOptionsError, match="'insecure-skip-tls-verify' of its cluster is neither true nor"):
        connect(ConnectionOptions(kubeconfig=content))


def test_a_name_may_be_a_number() -> None:
    content = json.loads(json.dumps(kubeconfig("123", "456")).replace('"name": "123"', '"name": 123'))
    assert connect(ConnectionOptions(kubeconfig=content, context="123")).url == SERVER.format(1)


@pytest.mark.parametrize(
    ("kubeconfig", "what"),
    [
        ("apiVersion: v1\nusers:\n- name: a\n  user: {token: very-secret}\n", "the text of a kubeconfig"),
        ('{"users": [{"name": "a", "user": {"token": "very-secret"}}]}', "the text of a kubeconfig"),
        (["very-secret"], "a value of the type list"),
    ],
)
def test_what_is_no_path_is_refused_and_never_shown(kubeconfig: Any, what: str) -> None:
    with pytest.raises(ConnectionOptionsError, match=f"'kubeconfig' is {what}") as refusal:
        connect(ConnectionOptions(kubeconfig=kubeconfig))
    assert "secret" not in str(refusal.value)
    assert "from_yaml" in str(refusal.value)


NOT_BASE64 = {"server": SERVER.format(1), "certificate-authority-data": "abc"}
BROKEN: list[dict[str, Any]] = [
    {"contexts": ["east"]},
    {"contexts": "east"},
    {**kubeconfig("east"), "clusters": None},
    {**kubeconfig("east"), "clusters": [{"name": "east", "cluster": NOT_BASE64}]},
    {**kubeconfig("east"), "clusters": ["east"]},
]


@pytest.mark.parametrize("content", BROKEN)
def test_wrong_shapes_and_encodings_are_said_and_not_thrown(content: dict[str, Any]) -> None:
    with pytest.raises(ConnectionOptionsError, match="The kubeconfig given as a dictionary "):
        connect(ConnectionOptions(kubeconfig=content))


def test_a_pod_without_an_account_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    with pytest.raises(ConnectionOptionsError, match="The cluster that this runs in cannot be used"):
        connect(ConnectionOptions(use_current_context=True))


@pytest.mark.parametrize(("host", "url"), [("127.0.0.1", SERVER.format(443)), ("::1", "https://[::1]:443")])
def test_in_a_pod_its_own_account_is_taken(
    host: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its token is rotated by the kubelet."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(kubeconfigs, "_ACCOUNT", tmp_path)
    (tmp_path / "token").write_text("first")
    (tmp_path / "ca.crt").write_text(certificate(datetime(2036, 1, 1, tzinfo=timezone.utc)))
    connection = connect(ConnectionOptions(use_current_context=True))
    assert (connection.name, connection.url, token(connection)) == ("in-cluster", url, "Bearer first")
    (tmp_path / "token").write_text("second")
    assert token(connection) == "Bearer second"


def jwt(ends: float) -> str:
    """A token as the library reads it: nobody verifies it here."""
    parts = ({"alg": "none"}, {"exp": ends})
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), "s"]
    )


def of_provider(**config: str) -> dict[str, Any]:
    user = {"auth-provider": {"name": "oidc", "config": config}}
    return {**kubeconfig("east"), "users": [{"name": "east", "user": user}]}


@pytest.mark.parametrize("persist", [False, True])
def test_a_provider_is_asked_by_the_library(persist: bool, tmp_path: Path) -> None:
    good = jwt(4_000_000_000)
    for source in (of_provider(**{"id-token": good}), written(tmp_path / "config", of_provider(**{"id-token": good}))):
        connection = connect(ConnectionOptions(kubeconfig=source, persist_config=persist))
        assert token(connection) == f"Bearer {good}"


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"id-token": "none-at-all"}, "it is none that the library 'kubernetes' knows"),
        ({"id-token": jwt(1), "idp-issuer-url": "https://127.0.0.1:1", "client-id": "a"}, "fails with MaxRetryError"),
        ({"id-token": jwt(1), "refresh-token": "hunter2hunter2"}, "fails with ConfigException"),
    ],
    ids=["no token", "nobody renews it", "no issuer"],
)
def test_a_provider_without_a_token_is_told_and_nothing_that_it_was_given(
    config: dict[str, str], why: str, tmp_path: Path
) -> None:
    """The library's own words quote all that it knows of a user."""
    for source in (of_provider(**config), written(tmp_path / "config", of_provider(**config))):
        with pytest.raises(ConnectionOptionsError, match=f"no token for the context 'east': .*{why}") as refusal:
            connect(ConnectionOptions(kubeconfig=source))
        assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
        assert not [secret for secret in config.values() if len(secret) > 5 and secret in str(refusal.value)]


USERS: list[tuple[dict[str, Any], set[str]]] = [
    ({"token": "a", "username": "open", "tokenFile": "/open"}, {"a"}),
    ({"password": "a", "client-key-data": "b", "client-key": "/open", "client-certificate-data": "open"}, {"a", "b"}),
    ({"auth-provider": {"name": "oidc", "config": {"id-token": "a", "refresh-token": "b"}}}, {"a", "b"}),
    ({"exec": {"command": "open", "args": ["open"], "env": [{"name": "OPEN", "value": "a"}]}}, {"a"}),
]


@pytest.mark.parametrize(("user", "secrets"), USERS)
def test_secrets_of_a_kubeconfig_are_known(user: dict[str, Any], secrets: set[str]) -> None:
    assert ConnectionOptions(kubeconfig={"users": [{"name": "ann", "user": user}]}).secrets() == secrets


def test_secrets_among_the_options_are_known() -> None:
    headers = {"proxy-authorization": "c"}
    assert ConnectionOptions(api_key="a", password="b", proxy_headers=headers).secrets() == {"a", "b", "c"}
    assert ConnectionOptions(kubeconfig="/path").secrets() == set()


@pytest.mark.parametrize("users", [["ann"], "ann", [None], [{"user": "ann"}], [{"user": None}], None])
def test_looking_for_secrets_survives_a_broken_kubeconfig(users: Any) -> None:
    """It happens while an error is being told: it must not replace it by another."""
    assert ConnectionOptions(kubeconfig={"users": users}, api_key="key").secrets() >= {"key"}


def test_a_folder_is_not_a_kubeconfig(tmp_path: Path) -> None:
    with pytest.raises(ConnectionOptionsError, match="cannot be read"):
        connect(ConnectionOptions(kubeconfig=str(tmp_path)))


@pytest.mark.parametrize(
    "credentials",
    [{"api_key": "secret"}, {"username": "ann", "password": "secret"}],
    ids=["token", "basic"],
)
def test_a_host_with_credentials_needs_no_kubeconfig(credentials: dict[str, str]) -> None:
    """As AWX gives them; a kubeconfig that happens to be named beside them is not even opened."""
    options = ConnectionOptions(host="https://127.0.0.1:6443/", kubeconfig="/nowhere", **credentials)  # type: ignore[arg-type]
    assert connect(options).url == "https://127.0.0.1:6443"


def test_a_host_alone_is_asked_without_credentials() -> None:
    assert "Authorization" not in connect(ConnectionOptions(host="https://127.0.0.1:1")).headers()
